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
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.credits import known_names, label_starts, origin_notes
from transforms.furniture import BULLETS, LONGEST_CAPTION, LONGEST_LINE, QUOTES
from transforms.lines import (
    AT,
    CLOSING,
    COLON,
    COPYRIGHT,
    DASH,
    DIGIT,
    GLUED,
    MIXED,
    MIXED_WORD,
    ODD,
    OPENING,
    SCRIPT,
    SLASH,
    WAY,
    Lines,
    LineWords,
    chain,
    decoded,
    ends_sentence,
    previous,
)
from transforms.phrases import LONGEST, MARKS, phrases
from transforms.tokens import mix64, tokenize

# What a line may be or hold, as bits: furniture by a rule of its own; the name of an
# agency; such a name near either end; a label such as "Origin:" at its head; a note of who
# published the text; a word that heads links; a word of the title of its article; a notice
# of whose text it is.
SUSPECT, NAME, NAMED, LABEL, ORIGIN, LINKS, TITLED, RIGHTS = (1 << bit for bit in range(8))

# What the words of the table are to the rules: how a phrase begins, all of it, how one of
# open length begins, how one ends, two words within one; and kinds of single words.
_BEGINS, _WHOLE, _OPEN, _ENDS, _INSIDE, _NOTE, _NAME = (1 << bit for bit in range(7))
_LABEL, _LINKS, _DATE, _MONTH, _SHARE, _MENU, _WEATHER = (1 << bit for bit in range(7, 14))
_BY, _PHOTO, _CREDIT, _AGENCY, _NAME_OPENS = (1 << bit for bit in range(14, 19))

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
# Words of a phrase that are looked for at either end of a line.
_MOST_WORDS = 4
# Letters of a word of a title that tells it, at least.
_TELLING_LETTERS = 4
_FILTER = 1 << 16
# What ends in parentheses so near the end may be a credit.
_CREDIT_TAIL = 26
# Names have at most so many words, and stand among so many first or last ones of a line.
_NAME_WORDS = 8
_NAME_HEAD, _NAME_TAIL = 40, 20
_WHOLE_CHARS, _BEGINS_CHARS = LONGEST["whole"], LONGEST["begins"]
_INSIDE_CHARS, _ENDS_CHARS = LONGEST["contains"], LONGEST["ends"]
# Lengths up to which a line may be a mark, an address, a byline, a caption that names an
# agency after a comma; the name of an agency; a label; a note of origin.
_MARK_CHARS, _ADDRESS_CHARS, _BYLINE_CHARS, _COMMA_CHARS = 200, 170, 100, 100
_NAME_CHARS, _LABEL_CHARS, _NOTE_CHARS = 45, 80, 400


class _Vocabulary(NamedTuple):
    """The words of all rules.

    Attributes:
      keys: uint64, shape (s,), a power of two. Chains of words, hashed by open addressing.
      bits: uint32, shape (s,). What they are to the rules; 0 where there is none.
      firsts: bool, shape (_FILTER,). By the low bits of a word: it may be the first of two
        that stand within a phrase.
    """

    keys: npt.NDArray[np.uint64]
    bits: npt.NDArray[np.uint32]
    firsts: npt.NDArray[np.bool_]


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
        *_vocabulary(),
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


@functools.cache
def _vocabulary() -> _Vocabulary:
    """Make the table of all phrase files and of the credits."""
    noted: list[tuple[Sequence[str], int]] = []
    for place, rule in phrases().rules:
        head = rule[: rule.index("...")] if "..." in rule else rule
        if "©" in head and not _plain(head):
            continue  # a line with that mark is read
        if place == "whole" and head is rule:
            noted.append((_plain(rule), _WHOLE))
        elif place == "contains":
            noted.append((_telling_run(rule), _INSIDE))
        else:
            # Rules that end a line are read from their end.
            bit = {"whole": _OPEN, "begins": _BEGINS, "ends": _ENDS}[place]
            noted.append((_first_words(head), bit))
    noted += [(_telling_run(note.split()), _NOTE) for note in origin_notes()]
    noted += [(_plain(name), _NAME) for name in known_names()]
    noted += [(_plain(name, 1), _NAME_OPENS) for name in known_names()]
    noted += [((label,), _LABEL) for label in label_starts()]
    kinds = phrases().words
    for bit, names in (
        (_LINKS, ("links",)),
        (_DATE, ("date", "month", "weekday")),
        (_MONTH, ("month",)),
        (_SHARE, ("share",)),
        (_MENU, ("menu",)),
        (_WEATHER, ("weather",)),
        (_BY, ("by",)),
        (_PHOTO, ("photo",)),
        (_CREDIT, ("photo", "camera", "agency")),
        (_AGENCY, ("agency",)),
    ):
        noted += [((word,), bit) for name in names for word in sorted(kinds[name])]
    noted.append((("press",), _CREDIT | _AGENCY))
    return _table(noted)


def _plain(rule: Iterable[str], most: int | None = None) -> tuple[str, ...]:
    """Give the first words of a rule as a line's hashes show them: no marks, any number.

    Numbers side by side are one.
    """
    words: list[str] = []
    for word in rule:
        if word in MARKS:
            continue
        word = "0" if word == "#" or word.isdecimal() else word
        if not (word == "0" and words[-1:] == ["0"]):
            words.append(word)
    return tuple(words[:most])


def _first_words(head: Sequence[str]) -> tuple[str, ...]:
    """Give the first words of a rule that a line must have as words of their own.

    Some words may be joined to a number: it is left out before these and at the end.
    """
    words = _plain(head)
    for place, word in enumerate(words):
        if place and word == "0" and (place + 1 == len(words) or words[place + 1] in GLUED):
            words = words[:place]
            break
    words = words[:_MOST_WORDS]
    while len(words) > 1 and words[-1] in GLUED:
        words = words[:-1]
    return words


def _telling_run(rule: Sequence[str]) -> tuple[str, ...]:
    """Give up to three words side by side in a rule, those that have most letters.

    None of the outer ones is joined to a number unseen.
    """
    parts: list[list[str]] = [[]]
    for word in rule:
        if word in ("...", "#") or word.isdecimal():
            parts.append([])
        elif word not in MARKS:
            parts[-1].append(word)
    runs = [
        tuple(part[start:end])
        for part in parts
        for start in range(len(part))
        for end in range(start + 1, min(start + _MOST_WORDS, len(part)) + 1)
    ]
    runs = [run for run in runs if GLUED.isdisjoint((run[0], run[-1]))]
    return max(runs, key=lambda run: (sum(map(len, run)), run))


def _table(noted: Sequence[tuple[Sequence[str], int]]) -> _Vocabulary:
    words = sorted({word for ways, _ in noted for word in ways})
    tokens = tokenize(pa.array(words, pa.string()))
    hashes = {
        word: tokens.hashes[start:end]
        for word, start, end in zip(
            words, tokens.offsets[:-1], tokens.offsets[1:], strict=True
        )
    }
    ways = [np.concatenate([hashes[word] for word in way]) for way, _ in noted]
    offsets = np.concatenate(([0], np.cumsum([way.size for way in ways])))
    flat = np.concatenate(ways)
    keys = chain(flat, offsets)
    bits = np.array([bit for _, bit in noted], np.uint32)
    firsts = np.zeros(_FILTER, np.bool_)
    inside = (bits & (_INSIDE | _NOTE)) > 0
    firsts[(flat[offsets[:-1]][inside] & np.uint64(_FILTER - 1)).astype(np.int64)] = True
    size = 1 << int(4 * keys.size).bit_length()
    table, held = _placed(keys, bits, size)
    return _Vocabulary(table, held, firsts)


@numba.njit(cache=True, nogil=True)
def _placed(
    keys: npt.NDArray[np.uint64], bits: npt.NDArray[np.uint32], size: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """Lay keys into a table of open addressing; bits of equal keys are joined."""
    table = np.zeros(size, np.uint64)
    held = np.zeros(size, np.uint32)
    for row in range(keys.size):
        place = keys[row] & np.uint64(size - 1)
        while held[place] and table[place] != keys[row]:
            place = (place + np.uint64(1)) & np.uint64(size - 1)
        table[place] = keys[row]
        held[place] |= bits[row]
    return table, held


@numba.njit(cache=True, nogil=True)
def _look_up(
    table: npt.NDArray[np.uint64], held: npt.NDArray[np.uint32], key: np.uint64
) -> np.uint32:
    place = key & np.uint64(table.size - 1)
    while held[place]:
        if table[place] == key:
            return held[place]
        place = (place + np.uint64(1)) & np.uint64(table.size - 1)
    return np.uint32(0)


@numba.njit(cache=True, nogil=True)
def _joined(key: np.uint64, word: np.uint64) -> np.uint64:
    """Add a word to a chain, as `chain` does."""
    return mix64(key * _MULTIPLIER + word)


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
    firsts: npt.NDArray[np.bool_],
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
            inside = _inside(own, chars[line] <= _NOTE_CHARS, table, held, firsts)
            hint = np.uint8(0)
            if inside & np.uint32(_NOTE):
                hint |= np.uint8(ORIGIN)
            if _holds_any(own, title, titled):
                hint |= np.uint8(TITLED)
            first = _look_up(table, held, _joined(np.uint64(0), own[0])) if own.size else 0
            if first & np.uint32(_LINKS):
                hint |= np.uint8(LINKS)
            if first & np.uint32(_LABEL) and chars[line] <= _LABEL_CHARS:
                hint |= np.uint8(LABEL)
            if chars[line] <= _NAME_CHARS and (
                _all_words(own, 0, number, table, held) & np.uint32(_NAME)
                or _all_words(own, 1, number, table, held) & np.uint32(_NAME)
            ):
                hint |= np.uint8(NAME)
            if signs[line] & np.uint32(OPENING | CLOSING | SLASH | COLON | DASH) and (
                _holds_name(own[:_NAME_HEAD], table, held)
                or _holds_name(own[_NAME_HEAD:][-_NAME_TAIL:], table, held)
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
                    number,
                    bullets,
                    quotes,
                )
            ):
                hint |= np.uint8(SUSPECT)
            hints[line] = hint
    return hints


@numba.njit(cache=True, nogil=True)
def _inside(
    own: npt.NDArray[np.uint64],
    short: bool,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
    firsts: npt.NDArray[np.bool_],
) -> np.uint32:
    """Give what is known of any few words side by side in a line."""
    found = np.uint32(0)
    if not short:
        return found
    for place in range(own.size):
        if firsts[own[place] & np.uint64(_FILTER - 1)]:
            key = np.uint64(0)
            for after in range(place, min(place + _MOST_WORDS, own.size)):
                key = _joined(key, own[after])
                found |= _look_up(table, held, key)
    return found


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
def _holds_name(
    own: npt.NDArray[np.uint64],
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
) -> bool:
    """Tell whether words side by side are the name of an agency or outlet."""
    for start in range(own.size):
        key = _joined(np.uint64(0), own[start])
        found = _look_up(table, held, key)
        if not found & np.uint32(_NAME_OPENS):
            continue
        for place in range(start + 1, min(start + _NAME_WORDS, own.size) + 1):
            if found & np.uint32(_NAME):
                return True
            if place < own.size:
                key = _joined(key, own[place])
                found = _look_up(table, held, key)
    return False


@numba.njit(cache=True, nogil=True)
def _all_words(
    own: npt.NDArray[np.uint64],
    start: int,
    number: np.uint64,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
) -> np.uint32:
    """Give what is known of all words of a line from one on, numbers joined."""
    key = np.uint64(0)
    before = np.uint64(0)
    for place in range(start, own.size):
        if own[place] != number or before != number:
            key = _joined(key, own[place])
        before = own[place]
    return _look_up(table, held, key)


@numba.njit(cache=True, nogil=True)
def _at_end(
    own: npt.NDArray[np.uint64],
    step: int,
    number: np.uint64,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
) -> np.uint32:
    """Give what is known of the first words of a line, or with step -1 of the last."""
    found = np.uint32(0)
    key = np.uint64(0)
    before = np.uint64(0)
    count = 0
    place = 0 if step > 0 else own.size - 1
    while 0 <= place < own.size and count < _MOST_WORDS:
        if own[place] != number or before != number:
            key = _joined(key, own[place])
            found |= _look_up(table, held, key)
            count += 1
        before = own[place]
        place += step
    return found


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
            found = _at_end(own, 1, number, table, held)
            if found & np.uint32(_BEGINS):
                return True
            if chars <= _WHOLE_CHARS and (
                found & np.uint32(_OPEN)
                or _all_words(own, 0, number, table, held) & np.uint32(_WHOLE)
            ):
                return True
        if chars <= _INSIDE_CHARS and inside & np.uint32(_INSIDE):
            return True
        if (
            chars <= _ENDS_CHARS
            and (
                (last != 46 and last != 0x3002) or (end - start > 1 and data[end - 2] == 46)
            )
            and _at_end(own, -1, number, table, held) & np.uint32(_ENDS)
        ):
            return True
    if chars <= _ADDRESS_CHARS and (48 <= last <= 57 or sign & np.uint32(SLASH | AT)):
        return True
    if chars > LONGEST_CAPTION or not (marked or chars <= _WHOLE_CHARS):
        return False
    kinds = np.uint32(0)
    dates = shares = menus = weathers = 0
    for word in own:
        if word != number:
            kind = _look_up(table, held, _joined(np.uint64(0), word))
            kinds |= kind
            dates += (kind & np.uint32(_DATE)) != 0
            shares += (kind & np.uint32(_SHARE)) != 0
            menus += (kind & np.uint32(_MENU | _SHARE)) != 0
            weathers += (kind & np.uint32(_WEATHER)) != 0
    sentence = ends_sentence(data, start, end)
    if chars <= _WHOLE_CHARS:
        if letters in (dates, shares, menus) or weathers >= 0.85 * letters:
            return True
        if chars <= _BYLINE_CHARS and not sentence:
            by = _look_up(table, held, _joined(np.uint64(0), own[0]))
            if by & np.uint32(_BY):
                return True
        if sign & np.uint32(WAY):
            return True
        if (last == 109 or last == 77 or last == 84) and (
            sign & np.uint32(DIGIT) and kinds & np.uint32(_MONTH)
        ):
            return True
    if sign & np.uint32(COLON) and kinds & np.uint32(_PHOTO):
        return True
    if sign & np.uint32(SLASH | WAY) and kinds & np.uint32(_AGENCY):
        return True
    if (
        chars < _COMMA_CHARS
        and not sentence
        and (kinds & np.uint32(_AGENCY) or _has_joint(data, start, end))
    ):
        return True
    if sign & np.uint32(CLOSING) and kinds & np.uint32(_CREDIT):
        for _ in range(_CREDIT_TAIL):
            if end <= start:
                break
            code, length = previous(data, end)
            if code == 41 or code == 93:
                return True
            end -= length
    return False
