"""Close reading: which of many texts must be read line by line, found without reading.

What goes from a text beside the lines that a rule takes hangs on what stands around a line:
names beside a date, a word between two buttons, the links below "More on this story", the
menus of a whole page. Each of these needs something that few texts have, and it can be seen
from the rules, lengths and ends of the lines. So a compiled walk picks the texts that may
have any of it, and those that may credit someone; all others are done as they are.

It may be wrong in one way only: by a text that is picked for nothing.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.bylines import BESIDE, LONGEST_NAME_LINE, MOST_DESK_WORDS, PARAGRAPH
from transforms.credits import (
    CLOSING_CHARS,
    CLOSING_LINES,
    LONGEST_BYLINE,
    OPENING_CHARS,
    OPENING_LINES,
)
from transforms.line_hints import LABEL, LINKS, NAME, NAMED, ORIGIN, RIGHTS
from transforms.line_rules import CODES
from transforms.line_signs import (
    CLOSING,
    DASH,
    OPENING,
    QUOTE,
    SLASH,
    decoded,
    ends_sentence,
    previous,
)
from transforms.lines import Lines
from transforms.main_content import LEAST_FURNITURE, MENU_LINE
from transforms.tokens import mix64

# Furniture that two buttons around a line make it one too.
BUTTONS = frozenset(("ui", "share", "advert", "prompt", "related", "menu"))
SANDWICH_WORDS, HEADER_WORDS, LINK_WORDS = 5, 6, 20
# After a slash so near the end may stand the name of an agency.
SLASH_TAIL = 45

_CAPTION, _BYLINE, _CREDIT = CODES["caption"], CODES["byline"], CODES["credit"]
_RELATED, _REPEAT = CODES["related"], CODES["repeat"]


def _mask(reasons: frozenset[str]) -> np.uint32:
    return np.uint32(sum(1 << CODES[reason] for reason in reasons))


# Of 64-bit FNV-1a.
_PRIME = np.uint64(0x100000001B3)
_BUTTON_MASK, _BESIDE_MASK = _mask(BUTTONS), _mask(BESIDE)


@numba.njit(cache=True, nogil=True)
def repeats(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    codes: npt.NDArray[np.uint8],
) -> npt.NDArray[np.bool_]:
    """Tell of each line without a code whether one before it in its text is the same."""
    again = np.zeros(starts.size, np.bool_)
    longest = 1
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    size = 2
    while size < 2 * longest:
        size *= 2
    # Open addressing; what another text left there is older than its first line.
    places = np.full(size, -1, np.int64)
    for text in range(offsets.size - 1):
        for line in range(offsets[text], offsets[text + 1]):
            if codes[line] or starts[line] == ends[line]:
                continue
            # By its bytes: lines that differ in their numbers alone share a key, and a
            # table of results has a hundred thousand of them.
            hashed = np.uint64(0)
            for byte in range(starts[line], ends[line]):
                hashed = (hashed ^ np.uint64(data[byte])) * _PRIME
            place = np.int64(mix64(hashed) & np.uint64(size - 1))
            while places[place] >= offsets[text]:
                other = places[place]
                if keys[other] == keys[line] and np.array_equal(
                    data[starts[other] : ends[other]], data[starts[line] : ends[line]]
                ):
                    again[line] = True
                    break
                place = (place + 1) & (size - 1)
            if not again[line]:
                places[place] = line
    return again


def texts_to_read(
    lines: Lines,
    codes: npt.NDArray[np.uint8],
    hints: npt.NDArray[np.uint8],
    named: npt.NDArray[np.bool_],
    own_titles: npt.NDArray[np.bool_],
    *,
    knows_agencies: bool,
    menu_lines: int,
) -> npt.NDArray[np.bool_]:
    """Tell which texts may have lines that go for what stands around them.

    Args:
      lines: of n texts, m in all.
      codes: shape (m,). Why each goes so far.
      hints: shape (m,).
      named: shape (m,). Lines that are the name of an agency in other articles.
      own_titles: shape (m,). Lines that may be the title of their article.
      knows_agencies: names after a slash may be known.
      menu_lines: lines in rows of short ones that a whole page has.

    Returns:
      Shape (n,).
    """
    return _to_read(*lines, codes, hints, named, own_titles, knows_agencies, menu_lines)


@numba.njit(cache=True, nogil=True)
def _to_read(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
    chars: npt.NDArray[np.int32],
    spaces: npt.NDArray[np.int32],
    codes: npt.NDArray[np.uint8],
    hints: npt.NDArray[np.uint8],
    named: npt.NDArray[np.bool_],
    own_titles: npt.NDArray[np.bool_],
    knows_agencies: bool,
    menu_lines: int,
) -> npt.NDArray[np.bool_]:
    picked = np.zeros(offsets.size - 1, np.bool_)
    longest = 1
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    full = np.empty(longest, np.int64)
    sentence = np.empty(longest, np.bool_)
    for text in range(offsets.size - 1):
        count = ruled = short = 0
        reasons = np.uint32(0)
        last = -1  # sentence that no rule takes, and the first and last line of prose
        first_prose, last_prose = longest, longest
        open_end = -1  # last line that no rule takes
        for line in range(offsets[text], offsets[text + 1]):
            if chars[line] == 0:
                continue
            full[count] = line
            sentence[count] = ends_sentence(data, starts[line], ends[line])
            short += chars[line] < MENU_LINE and not sentence[count]
            if codes[line]:
                ruled += 1
                reasons |= np.uint32(1) << np.uint32(codes[line])
            else:
                open_end = count
                if sentence[count]:
                    last = count
                if not own_titles[line] and (sentence[count] or chars[line] > PARAGRAPH):
                    first_prose = min(first_prose, count)
                    last_prose = count
                if hints[line] & np.uint8(NAME) or (
                    named[line] and chars[line] <= SLASH_TAIL
                ):
                    picked[text] = True
                if (
                    knows_agencies
                    and signs[line] & np.uint32(SLASH)
                    and _slash_near_end(data, starts[line], ends[line])
                ):
                    picked[text] = True
            count += 1
        if picked[text] or not ruled:
            continue
        if ruled >= LEAST_FURNITURE and short >= menu_lines:
            picked[text] = True
            continue
        if last_prose == longest:
            first_prose = count
            last_prose = count
        buttons = reasons & _BUTTON_MASK
        beside = reasons & _BESIDE_MASK
        links = False
        for place in range(count):
            line = full[place]
            code = np.uint32(codes[line])
            end = data[ends[line] - 1]
            if code:
                if code == _CAPTION and place > open_end:
                    picked[text] = True
                header = spaces[line] < HEADER_WORDS and bool(
                    _BUTTON_MASK >> code & np.uint32(1)
                )
                if place > last:
                    links = links or bool(header and code == _RELATED)
                else:
                    links = bool(header and hints[line] & np.uint8(LINKS) and end != 46)
                continue
            if (
                links
                and spaces[line] < LINK_WORDS
                and end != 46
                and end != 58
                and place != last
            ):
                picked[text] = True
            links = False
            if (
                beside
                and chars[line] <= LONGEST_NAME_LINE
                and not first_prose <= place <= last_prose
                and (not sentence[place] or spaces[line] < MOST_DESK_WORDS)
                and (65 <= data[starts[line]] <= 90 or data[starts[line]] >= 128)
            ):
                picked[text] = True
            if (
                buttons
                and 0 < place < count - 1
                and spaces[line] < SANDWICH_WORDS
                and not sentence[place]
                and end != 58
                and not signs[line] & np.uint32(QUOTE)
                and _BUTTON_MASK >> np.uint32(codes[full[place - 1]]) & np.uint32(1)
                and _BUTTON_MASK >> np.uint32(codes[full[place + 1]]) & np.uint32(1)
            ):
                picked[text] = True
            if picked[text]:
                break
    return picked


@numba.njit(cache=True, nogil=True)
def _slash_near_end(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether a slash is among the last characters of a line."""
    for _ in range(SLASH_TAIL):
        if end <= start:
            return False
        code, length = previous(data, end)
        if code == 47:
            return True
        end -= length
    return False


def texts_with_credit(
    lines: Lines,
    codes: npt.NDArray[np.uint8],
    hints: npt.NDArray[np.uint8],
    named: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Tell which texts may credit someone.

    Args:
      lines: of n texts, m in all.
      codes: shape (m,). Why each goes.
      hints: shape (m,).
      named: shape (m,). Lines that are the name of an agency in other articles.

    Returns:
      Shape (n,).
    """
    return _with_credit(*lines, codes, hints, named)


@numba.njit(cache=True, nogil=True)
def _with_credit(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
    chars: npt.NDArray[np.int32],
    spaces: npt.NDArray[np.int32],
    codes: npt.NDArray[np.uint8],
    hints: npt.NDArray[np.uint8],
    named: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    picked = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        opening = closing = 0
        for line in range(offsets[text], offsets[text + 1]):
            if chars[line] == 0:
                continue
            hint = hints[line]
            if hint & np.uint8(ORIGIN | LABEL) or (
                (hint & np.uint8(NAME) or named[line]) and codes[line] in (0, _CREDIT)
            ):
                picked[text] = True
            if codes[line]:
                if (
                    hint & np.uint8(RIGHTS)
                    or codes[line] == _REPEAT
                    or (codes[line] == _BYLINE and chars[line] <= LONGEST_BYLINE)
                ):
                    picked[text] = True
            elif opening < OPENING_LINES:
                opening += 1
                # A name that is not known is one where "(Name) -" opens the text.
                unknown = signs[line] & np.uint32(CLOSING) and signs[line] & np.uint32(DASH)
                if (hint & np.uint8(NAMED) or unknown) and _may_open_with_credit(
                    data, starts[line], ends[line], signs[line]
                ):
                    picked[text] = True
        line = offsets[text + 1] - 1
        while line >= offsets[text] and closing < CLOSING_LINES and not picked[text]:
            if chars[line] and not codes[line]:
                closing += 1
                if hints[line] & np.uint8(NAMED) and _may_close_with_credit(
                    data, starts[line], ends[line]
                ):
                    picked[text] = True
            line -= 1
    return picked


@numba.njit(cache=True, nogil=True)
def _may_open_with_credit(
    data: npt.NDArray[np.uint8], start: int, end: int, sign: np.uint32
) -> bool:
    """Tell whether a bracket, a dash or a colon stands near the beginning of a line."""
    if sign & np.uint32(OPENING):
        return True
    before = 0
    for _ in range(OPENING_CHARS + 2):
        if start >= end:
            return False
        code, length = decoded(data, start)
        if code == 0x2014 or code == 0x2013 or code == 58:
            return True
        # " - " or "--"
        if code == 45 and (before == 32 or before == 45):
            return True
        before = code
        start += length
    return False


@numba.njit(cache=True, nogil=True)
def _may_close_with_credit(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether a bracket, a dash or a slash stands near the end of a line."""
    for _ in range(CLOSING_CHARS):
        if end <= start:
            return False
        code, length = previous(data, end)
        end -= length
        if code == 0x2014 or code == 0x2013 or code == 47 or code == 41 or code == 93:
            return True
        if code == 45 and end > start:
            before, _ = previous(data, end)
            # Behind a full stop, a quotation mark, a space or another one; no hyphen.
            if before == 46 or before == 34 or before == 0x201D or before in (32, 45):
                return True
    return False
