"""Line hints: which few of many lines are worth reading, found by hashes of their words.

Nine lines in ten are plain sentences: no rule of `furniture.py` takes them, no credit
stands in them. To see that, a rule need not be matched; it is enough that something it
needs is missing. A phrase needs its first words at the head of the line, or its last ones
at the foot, or two of its words side by side; a caption's credit needs the name of an
agency or a word such as "photo", and a bracket, a bar or a colon near the end. So every
rule leaves the hashes of two or three words in one table, and a compiled walk over the
words of a line looks them up.

A hint may be wrong, its absence never: a line without the hint SUSPECT is no furniture.
The table is made of the very phrase files that the rules are, so it cannot lag behind.
"""

import functools

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.furniture import BULLETS, LONGEST_CAPTION, LONGEST_LINE, QUOTES
from transforms.line_signs import (
    AT,
    CLOSING,
    COLON,
    COPYRIGHT,
    DASH,
    DIGIT,
    MIXED,
    MIXED_WORD,
    ODD,
    OPENING,
    SCRIPT,
    SLASH,
    WAY,
    decoded,
    ends_sentence,
    previous,
)
from transforms.line_vocabulary import (
    A_LABEL,
    A_LINK,
    A_NAME,
    AGENCY,
    BEGINS,
    BY,
    CREDIT,
    DATE,
    ENDS,
    FILTER,
    INSIDE,
    MENU,
    MONTH,
    NOTE,
    OF_KIND,
    OPEN,
    PHOTO,
    SHARE,
    WEATHER,
    WHOLE,
    all_words,
    at_end,
    holds_name,
    look_up,
    vocabulary,
    words_inside,
)
from transforms.line_words import LineWords, joined
from transforms.lines import Lines
from transforms.phrases import LONGEST
from transforms.tokens import tokenize

# What a line may be or hold, as bits: furniture by a rule of its own; the name of an
# agency; such a name near either end; a label such as "Origin:" at its head; a note of who
# published the text; a word that heads links; a word of the title of its article; a notice
# of whose text it is.
SUSPECT, NAME, NAMED, LABEL, ORIGIN, LINKS, TITLED, RIGHTS = (1 << bit for bit in range(8))

# Letters of a word of a title that tells it, at least.
_TELLING_LETTERS = 4
# What ends in parentheses so near the end may be a credit.
_CREDIT_TAIL = 26
# The name of an agency stands among so many first or last words of a line.
_NAME_HEAD, _NAME_TAIL = 40, 20
_WHOLE_CHARS, _BEGINS_CHARS = LONGEST["whole"], LONGEST["begins"]
_INSIDE_CHARS, _ENDS_CHARS = LONGEST["contains"], LONGEST["ends"]
# Lengths up to which a line may be a mark, an address, a byline, a caption that names an
# agency after a comma; the name of an agency; a label; a note of origin.
_MARK_CHARS, _ADDRESS_CHARS, _BYLINE_CHARS, _COMMA_CHARS = 200, 170, 100, 100
_NAME_CHARS, _LABEL_CHARS, _NOTE_CHARS = 45, 80, 400


def line_hints(
    lines: Lines, words: LineWords, titles: pa.Array | None = None
) -> npt.NDArray[np.uint8]:
    """Give hints of the lines of n texts.

    Args:
      lines: m of them.
      words: of these lines.
      titles: of the texts; None if they have none.

    Returns:
      Shape (m,). All but RIGHTS, added.
    """
    n = lines.offsets.size - 1
    told = tokenize(pa.nulls(n, pa.string()) if titles is None else titles)
    telling = told.ends - told.starts >= _TELLING_LETTERS
    kept = np.concatenate(([0], np.cumsum(telling)))
    return _hints(
        *lines,
        words.hashes,
        words.offsets,
        told.hashes[telling],
        kept[told.offsets],
        *vocabulary(),
        np.uint64(_number()),
        *_characters(),
    )


@functools.cache
def _number() -> int:
    """Give the hash of a number among words."""
    return int(tokenize(pa.array(["0"])).hashes[0])


@functools.cache
def _characters() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell which code points are bullets, and which are quotation marks."""
    size = max(map(ord, BULLETS + QUOTES)) + 1
    bullets, quotes = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    bullets[[ord(bullet) for bullet in BULLETS if ord(bullet) < size]] = True
    quotes[[ord(quote) for quote in QUOTES]] = True
    return bullets, quotes


@numba.njit(cache=True, nogil=True)
def _hints(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
    chars: npt.NDArray[np.int32],
    spaces: npt.NDArray[np.int32],
    words: npt.NDArray[np.uint64],
    word_offsets: npt.NDArray[np.int64],
    telling: npt.NDArray[np.uint64],
    telling_offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
    may: npt.NDArray[np.uint8],
    number: np.uint64,
    bullets: npt.NDArray[np.bool_],
    quotes: npt.NDArray[np.bool_],
) -> npt.NDArray[np.uint8]:
    hints = np.zeros(starts.size, np.uint8)
    for text in range(offsets.size - 1):
        title = telling[telling_offsets[text] : telling_offsets[text + 1]]
        # One bit for each word of the title: most words of a line have none of them.
        titled = np.uint64(0)
        for word in title:
            titled |= np.uint64(1) << (word & np.uint64(63))
        for line in range(offsets[text], offsets[text + 1]):
            if chars[line] == 0:
                continue
            own = words[word_offsets[line] : word_offsets[line + 1]]
            inside = words_inside(own, chars[line] <= _NOTE_CHARS, table, held, may)
            hint = np.uint8(0)
            if inside & np.uint32(NOTE):
                hint |= np.uint8(ORIGIN)
            if _holds_any(own, title, titled):
                hint |= np.uint8(TITLED)
            first = look_up(table, held, joined(np.uint64(0), own[0])) if own.size else 0
            if first & np.uint32(A_LINK):
                hint |= np.uint8(LINKS)
            if first & np.uint32(A_LABEL) and chars[line] <= _LABEL_CHARS:
                hint |= np.uint8(LABEL)
            if chars[line] <= _NAME_CHARS and (
                all_words(own, 0, number, table, held) & np.uint32(A_NAME)
                or all_words(own, 1, number, table, held) & np.uint32(A_NAME)
            ):
                hint |= np.uint8(NAME)
            if signs[line] & np.uint32(OPENING | CLOSING | SLASH | COLON | DASH) and (
                holds_name(own[:_NAME_HEAD], table, held, may)
                or holds_name(own[_NAME_HEAD:][-_NAME_TAIL:], table, held, may)
            ):
                hint |= np.uint8(NAMED)
            if signs[line] & np.uint32(ODD):
                # Words are other ones to the rules.
                hint |= np.uint8(ORIGIN | LINKS | LABEL | NAME | NAMED)
                if chars[line] <= LONGEST_LINE:
                    hint |= np.uint8(SUSPECT)
            elif signs[line] & np.uint32(SCRIPT) or (
                chars[line] <= LONGEST_LINE
                and _is_suspect(
                    data,
                    starts[line],
                    ends[line],
                    signs[line],
                    chars[line],
                    spaces[line],
                    own,
                    inside,
                    table,
                    held,
                    may,
                    number,
                    bullets,
                    quotes,
                )
            ):
                hint |= np.uint8(SUSPECT)
            hints[line] = hint
    return hints


@numba.njit(cache=True, nogil=True)
def _holds_any(
    own: npt.NDArray[np.uint64], title: npt.NDArray[np.uint64], titled: np.uint64
) -> bool:
    """Tell whether a line holds a word of the title."""
    for word in own:
        if titled >> (word & np.uint64(63)) & np.uint64(1):
            for other in title:
                if word == other:
                    return True
    return False


@numba.njit(cache=True, nogil=True)
def _has_joint(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether a capital follows a small letter, as where two words were joined."""
    for place in range(start + 1, end):
        if 65 <= data[place] <= 90 and 97 <= data[place - 1] <= 122:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _is_suspect(
    data: npt.NDArray[np.uint8],
    start: int,
    end: int,
    sign: np.uint32,
    chars: int,
    spaces: int,
    own: npt.NDArray[np.uint64],
    inside: np.uint32,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
    may: npt.NDArray[np.uint8],
    number: np.uint64,
    bullets: npt.NDArray[np.bool_],
    quotes: npt.NDArray[np.bool_],
) -> bool:
    """Tell whether a rule of furniture.py may take a line, in the order of those rules."""
    while start < end:
        code, length = decoded(data, start)
        if code >= bullets.size or not bullets[code]:
            break
        start += length
        chars -= 1
        spaces -= code == 32
    while start < end:
        code, length = previous(data, end)
        if code >= bullets.size or not bullets[code]:
            break
        end -= length
        chars -= 1
        spaces -= code == 32
    letters = 0
    for word in own:
        letters += word != number
    if chars <= _MARK_CHARS and (chars == 0 or spaces == 0 or letters < 2):
        return True
    first, _ = decoded(data, start)
    last, _ = previous(data, end)
    if 48 <= first <= 57 or (sign & np.uint32(COPYRIGHT) and chars <= _BEGINS_CHARS):
        return True
    marked = sign & np.uint32(CLOSING | SLASH | WAY | COLON)
    if sign & np.uint32(MIXED) and (
        chars <= _WHOLE_CHARS
        or marked
        or (sign & np.uint32(MIXED_WORD) and chars <= _BEGINS_CHARS)
    ):
        return True
    if not (first < quotes.size and quotes[first]):
        if chars <= _BEGINS_CHARS:
            found = at_end(own, 1, number, table, held)
            if found & np.uint32(BEGINS):
                return True
            if chars <= _WHOLE_CHARS and (
                found & np.uint32(OPEN)
                or all_words(own, 0, number, table, held) & np.uint32(WHOLE)
            ):
                return True
        if chars <= _INSIDE_CHARS and inside & np.uint32(INSIDE):
            return True
        if (
            chars <= _ENDS_CHARS
            and (
                (last != 46 and last != 0x3002) or (end - start > 1 and data[end - 2] == 46)
            )
            and at_end(own, -1, number, table, held) & np.uint32(ENDS)
        ):
            return True
    if chars <= _ADDRESS_CHARS and (48 <= last <= 57 or sign & np.uint32(SLASH | AT)):
        return True
    if chars > LONGEST_CAPTION or not (marked or chars <= _WHOLE_CHARS):
        return False
    kinds = np.uint32(0)
    dates = shares = menus = weathers = 0
    for word in own:
        if word != number and may[word & np.uint64(FILTER - 1)] & np.uint8(OF_KIND):
            kind = look_up(table, held, joined(np.uint64(0), word))
            kinds |= kind
            dates += (kind & np.uint32(DATE)) != 0
            shares += (kind & np.uint32(SHARE)) != 0
            menus += (kind & np.uint32(MENU | SHARE)) != 0
            weathers += (kind & np.uint32(WEATHER)) != 0
    sentence = ends_sentence(data, start, end)
    if chars <= _WHOLE_CHARS:
        if letters in (dates, shares, menus) or weathers >= 0.85 * letters:
            return True
        if chars <= _BYLINE_CHARS and not sentence:
            by = look_up(table, held, joined(np.uint64(0), own[0]))
            if by & np.uint32(BY):
                return True
        if sign & np.uint32(WAY):
            return True
        if (last == 109 or last == 77 or last == 84) and (
            sign & np.uint32(DIGIT) and kinds & np.uint32(MONTH)
        ):
            return True
    if sign & np.uint32(COLON) and kinds & np.uint32(PHOTO):
        return True
    if sign & np.uint32(SLASH | WAY) and kinds & np.uint32(AGENCY):
        return True
    if (
        chars < _COMMA_CHARS
        and not sentence
        and (kinds & np.uint32(AGENCY) or _has_joint(data, start, end))
    ):
        return True
    if sign & np.uint32(CLOSING) and kinds & np.uint32(CREDIT):
        for _ in range(_CREDIT_TAIL):
            if end <= start:
                break
            code, length = previous(data, end)
            if code == 41 or code == 93:
                return True
            end -= length
    return False
