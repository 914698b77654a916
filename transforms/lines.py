r"""Lines: the lines of a batch of texts as arrays, after one walk over their bytes.

What is decided about a line is decided thousands of times, and for nearly all lines the
answer is "nothing special". So no string is made of them. A compiled walk finds them,
folds the white space of those that need it, and notes which telling marks each holds;
another hashes their words. Whoever asks about lines asks these arrays first, and reads
the few lines that are left.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.code_points import (
    CLASS_SHIFT,
    IGNORED,
    MARK,
    TABLE_SIZE,
    UNSPACED,
    code_point_tables,
)
from transforms.tokens import mix64, tokenize

# What a line holds, as bits.
OPENING, CLOSING, SLASH, AT, COLON, QUOTE, DIGIT, DASH = (1 << bit for bit in range(8))
# A mark that parts the links of a menu: > | · • and their like.
WAY = 1 << 8
# What a script may be known by: _ = { or an opening parenthesis right after a word.
SCRIPT = 1 << 9
# A digit beside a letter; a character that is skipped, combines, or needs no spaces.
MIXED, ODD = 1 << 10, 1 << 11
# Some letters of the words by which a caption or credit was run into the text around it.
SEGMENT = 1 << 12
COPYRIGHT = 1 << 13
# The same, and the letters are none of those that numbers often end in.
MIXED_WORD = 1 << 14
GLUED = frozenset(("s", "m", "g", "k", "b", "t", "st", "nd", "rd", "th", "am", "pm", "bn"))
# White space that must be folded; a character beyond ASCII.
_FOLD, _FAR = 1 << 15, 1 << 16

_GLUED_BYTES = tuple(sorted(int.from_bytes(part.encode(), "big") for part in GLUED))
_FUNCTION = np.frombuffer(b"function", np.uint8)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

_SIGNS = (
    (OPENING, "(["),
    (DIGIT, "0123456789"),
    (CLOSING, ")]"),
    (SLASH, "/"),
    (AT, "@"),
    (COLON, ":"),
    (QUOTE, '"'),
    (DASH, "-"),
    (WAY, "|>"),
    (SCRIPT, "_={"),
    (_FOLD, "\t\v\f\r\x1c\x1d\x1e\x1f"),
    (_FAR, "".join(map(chr, range(128, 256)))),
)
_FAR_SIGNS = {
    **dict.fromkeys("“”„«", QUOTE),
    **dict.fromkeys("·•→\u203a", WAY),
    **dict.fromkeys("–—", DASH),
    **dict.fromkeys("\x85\xa0\xad\u1680\u2028\u2029\u202f\u205f\u3000", _FOLD),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), _FOLD),
    "：": COLON,
    "©": COPYRIGHT,
    "»": QUOTE | WAY,
}


class Lines(NamedTuple):
    r"""The lines of n texts, m in all; "\n" parts them, so a text of none is one line.

    Attributes:
      offsets: int64, shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1].
      data: uint8. The UTF-8 that lines are found in.
      starts: int64, shape (m,).
      ends: int64, shape (m,). Line j is data[starts[j]:ends[j]], its white space folded
        and soft hyphens left out.
      signs: uint32, shape (m,). What each line holds, as bits.
      chars: int32, shape (m,). Characters.
      spaces: int32, shape (m,).
    """

    offsets: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    signs: npt.NDArray[np.uint32]
    chars: npt.NDArray[np.int32]
    spaces: npt.NDArray[np.int32]

    def texts(self, rows: npt.NDArray[np.integer]) -> pa.Array:
        """Give the lines of some rows as strings."""
        return _strings(*_copied(self.data, self.starts[rows], self.ends[rows]))


class LineWords(NamedTuple):
    """The words of m lines, as hashes.

    Attributes:
      hashes: uint64, shape (w,). The hash of every word, numbers being one word.
      offsets: int64, shape (m + 1,). Line j owns words offsets[j] to offsets[j + 1].
      keys: uint64, shape (m,). Equal for lines of the same words when case, marks and
        numbers are ignored; 0 for a line without a word.
      counts: int32, shape (m,). Words as `count_words` counts them.
    """

    hashes: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int32]


def read_lines(texts: pa.Array) -> Lines:
    r"""Find the lines of texts.

    >>> lines = read_lines(pa.array(["One\u00a0 line\n\nanother"]))
    >>> lines.texts(np.arange(3)).to_pylist()
    ['One line', '', 'another']

    Args:
      texts: n texts, `string`, without null.
    """
    data, places = _utf8(texts)
    offsets, starts, ends = _find_lines(data, places)
    signs, chars, spaces = _read_bytes(data, starts, ends, _byte_signs())
    size = _read_far(data, starts, ends, signs, _far_signs())
    if size:
        # Folded lines stand behind the others.
        found = data.size
        data = np.concatenate((data, np.empty(size, np.uint8)))
        _fold(data, found, starts, ends, signs, chars, spaces, _far_signs())
    return Lines(offsets, data, starts, ends, signs, chars, spaces)


def hash_words(lines: Lines) -> LineWords:
    """Hash the words of lines."""
    data, bounds, fewer = _without_numbers(
        lines.data, lines.starts, lines.ends, lines.signs
    )
    tokens = tokenize(_strings(data, bounds))
    keys = chain(tokens.hashes, tokens.offsets)
    counts = np.diff(tokens.offsets).astype(np.int32) + fewer
    return LineWords(tokens.hashes, tokens.offsets, keys, counts)


@functools.lru_cache(maxsize=1 << 14)
def line_key(line: str) -> int:
    """Give the key of one line, as `hash_words` does of many."""
    return int(hash_words(read_lines(pa.array([line]))).keys[0])


def first_bytes(texts: pa.Array) -> npt.NDArray[np.uint8]:
    """Give the first byte of each text, a letter of ASCII small; 32 where there is none."""
    data, places = _utf8(texts.fill_null(""))
    firsts = np.append(data, np.uint8(32))[np.minimum(places[:-1], data.size)]
    return np.where(np.diff(places) > 0, firsts | np.uint8(0x20), np.uint8(32))


def _strings(data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> pa.Array:
    """Make strings of UTF-8 and where each begins and ends."""
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), bounds.size - 1, buffers)


def _utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    _, bounds, data = texts.buffers()
    places = np.zeros(1, np.int64)
    if len(texts):
        places = np.frombuffer(
            bounds, np.int32, count=len(texts) + 1, offset=4 * texts.offset
        ).astype(np.int64)
    empty = data is None or not data.size
    return np.empty(0, np.uint8) if empty else np.frombuffer(data, np.uint8), places


@functools.cache
def _byte_signs() -> npt.NDArray[np.uint32]:
    """Give the signs of each byte."""
    signs = np.zeros(256, np.uint32)
    for sign, bytes_of in _SIGNS:
        signs[[ord(byte) for byte in bytes_of]] |= sign
    return signs


@functools.cache
def _far_signs() -> npt.NDArray[np.uint32]:
    """Give the signs of each code point; those behind the last are all odd."""
    classes = code_point_tables()[0] >> CLASS_SHIFT
    signs = np.zeros(TABLE_SIZE, np.uint32)
    signs[np.isin(classes, (UNSPACED, IGNORED, MARK))] = ODD
    # Digits of other scripts are numbers to a rule, and words like others here.
    signs[[code for code in range(128, TABLE_SIZE) if chr(code).isdigit()]] = ODD
    for character, sign in _FAR_SIGNS.items():
        signs[ord(character)] |= sign
    return signs


def _find_lines(
    data: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the offsets of lines, where each begins, and where it ends."""
    first, last = int(places[0]), int(places[-1])
    parted = np.flatnonzero(data[first:last] == ord("\n")) + first
    # A line ends where its text does, or before the mark that parts it from the next.
    return _bounds_of_lines(places, parted)


@numba.njit(cache=True, nogil=True)
def _bounds_of_lines(
    places: npt.NDArray[np.int64], parted: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    n = places.size - 1
    offsets = np.zeros(n + 1, np.int64)
    starts = np.empty(n + parted.size, np.int64)
    ends = np.empty(n + parted.size, np.int64)
    line = 0
    mark = 0
    for text in range(n):
        starts[line] = places[text]
        while mark < parted.size and parted[mark] < places[text + 1]:
            ends[line] = parted[mark]
            line += 1
            starts[line] = parted[mark] + 1
            mark += 1
        ends[line] = places[text + 1]
        line += 1
        offsets[text + 1] = line
    return offsets, starts, ends


@numba.njit(cache=True, nogil=True)
def _read_bytes(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    byte_signs: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Give signs, characters and spaces of each line, but for what is beyond ASCII.

    Short loops without a branch: the compiler makes vector instructions of them.
    """
    signs = np.zeros(starts.size, np.uint32)
    chars = np.zeros(starts.size, np.int32)
    spaces = np.zeros(starts.size, np.int32)
    for line in range(starts.size):
        own = data[starts[line] : ends[line]]
        gaps = np.int32(0)
        continued = np.int32(0)
        for place in range(own.size):
            gaps += np.int32(own[place] == np.uint8(32))
            continued += np.int32((own[place] & np.uint8(0xC0)) == np.uint8(0x80))
        spaces[line] = gaps
        chars[line] = own.size - continued
        sign = np.uint32(0)
        for place in range(own.size):
            sign |= byte_signs[own[place]]
        doubled = np.uint8(0)
        for place in range(own.size - 1):
            doubled |= np.uint8((own[place] == 32) & (own[place + 1] == 32))
        if doubled or (own.size and (own[0] == 32 or own[-1] == 32)):
            sign |= np.uint32(_FOLD)
        # "Photo", "Caption", "hoto: ", "Editing by ": their first letters will do.
        parted = np.uint8(0)
        for place in range(own.size - 3):
            a, b, c, d = own[place], own[place + 1], own[place + 2], own[place + 3]
            parted |= np.uint8((a == 80) & (b == 104) & (c == 111) & (d == 116))
            parted |= np.uint8((a == 67) & (b == 97) & (c == 112) & (d == 116))
            parted |= np.uint8((a == 111) & (b == 116) & (c == 111) & (d == 58))
            parted |= np.uint8((a == 103) & (b == 32) & (c == 98) & (d == 121))
        if parted:
            sign |= np.uint32(SEGMENT)
        if sign & np.uint32(DIGIT | OPENING):
            sign |= _joined(own)
        signs[line] = sign
    return signs, chars, spaces


@numba.njit(cache=True, nogil=True)
def _joined(own: npt.NDArray[np.uint8]) -> np.uint32:
    """Give the signs of a digit beside a letter, and of "(" behind a word."""
    sign = np.uint32(0)
    for place in range(own.size):
        byte = own[place]
        if 48 <= byte <= 57:
            for step in (-1, 1):
                letters = _letters(own, place, step)
                if letters:
                    sign |= np.uint32(MIXED)
                    if letters not in _GLUED_BYTES:
                        sign |= np.uint32(MIXED_WORD)
        elif byte == 40 and place:
            before = own[place - 1]
            if _is_letter(before) or 48 <= before <= 57:
                sign |= np.uint32(SCRIPT)
            if before == 32 and place > 8:  # "function (" is a script, too
                same = True
                for step in range(8):
                    same = same and own[place - 9 + step] == _FUNCTION[step]
                if same:
                    sign |= np.uint32(SCRIPT)
    return sign


@numba.njit(cache=True, nogil=True)
def _letters(own: npt.NDArray[np.uint8], place: int, step: int) -> np.int64:
    """Give up to three bytes of letters beside a place as one number, small letters.

    The first is the highest byte; 0 for none. A dash or a quotation mark is none.
    """
    found = np.int64(0)
    for distance in range(1, 4):
        other = place + step * distance
        if not (0 <= other < own.size and _is_letter(own[other])):
            break
        byte = np.int64(own[other])
        byte |= 0x20 if byte < 128 else 0
        found = found << 8 | byte if step > 0 else byte << 8 * (distance - 1) | found
    return np.int64(0) if found >> 8 == 0xE280 else found


@numba.njit(cache=True, nogil=True)
def _is_letter(byte: np.uint8) -> bool:
    """Tell whether a byte may be of a letter, an underscore among them."""
    return bool(byte >= 128 or 97 <= byte <= 122 or 65 <= byte <= 90 or byte == 95)


@numba.njit(cache=True, nogil=True)
def decoded(data: npt.NDArray[np.uint8], place: int) -> tuple[np.int64, int]:
    """Give the code point at a place, and how many bytes it takes."""
    code = np.int64(data[place])
    if code < 0x80:
        return code, 1
    second = np.int64(data[place + 1] & 0x3F)
    if code < 0xE0:
        return (code & 0x1F) << 6 | second, 2
    third = np.int64(data[place + 2] & 0x3F)
    if code < 0xF0:
        return (code & 0x0F) << 12 | second << 6 | third, 3
    fourth = np.int64(data[place + 3] & 0x3F)
    return (code & 0x07) << 18 | second << 12 | third << 6 | fourth, 4


@numba.njit(cache=True, nogil=True)
def previous(data: npt.NDArray[np.uint8], place: int) -> tuple[np.int64, int]:
    """Give the code point before a place, and how many bytes it takes."""
    start = place - 1
    while data[start] & 0xC0 == 0x80:
        start -= 1
    return decoded(data, start)


@numba.njit(cache=True, nogil=True)
def ends_sentence(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether a line ends as a sentence does, as furniture.py has it."""
    if end <= start:
        return False
    code, length = previous(data, end)
    if code == 0x22 or code == 0x201D:  # a quotation mark behind the end
        if end - length <= start:
            return False
        code, _ = previous(data, end - length)
        return code == 0x2E or code == 0x21 or code == 0x3F
    return (
        code == 0x2E
        or code == 0x21
        or code == 0x3F
        or code == 0x3002
        or code == 0xFF01
        or code == 0xFF1F
        or code == 0x61F
    )


@numba.njit(cache=True, nogil=True)
def _read_far(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
    far_signs: npt.NDArray[np.uint32],
) -> int:
    """Add the signs of characters beyond ASCII; count the bytes of lines to be folded."""
    size = 0
    for line in range(starts.size):
        if signs[line] & np.uint32(_FAR):
            place, end = starts[line], ends[line]
            while place < end:
                if data[place] < 0x80:
                    place += 1
                    continue
                code, length = decoded(data, place)
                far = np.uint32(ODD)
                if code < far_signs.size:
                    far = far_signs[code]
                signs[line] |= far
                place += length
        if signs[line] & np.uint32(_FOLD):
            size += ends[line] - starts[line]
    return size


@numba.njit(cache=True, nogil=True)
def _fold(
    data: npt.NDArray[np.uint8],
    at: int,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
    chars: npt.NDArray[np.int32],
    spaces: npt.NDArray[np.int32],
    far_signs: npt.NDArray[np.uint32],
) -> None:
    """Write the lines to be folded from a place on, and note where they are."""
    for line in range(starts.size):
        if not signs[line] & np.uint32(_FOLD):
            continue
        place, end = starts[line], ends[line]
        first = at
        gaps = 0
        count = 0
        pending = False
        while place < end:
            code, length = decoded(data, place)
            if code < 0x80:
                blank = code == 32 or 9 <= code <= 13 or 28 <= code <= 31
            else:
                blank = code < far_signs.size and bool(far_signs[code] & np.uint32(_FOLD))
            if blank:
                pending = pending or code != 0xAD
                place += length
                continue
            if pending and at > first:
                data[at] = 32
                at += 1
                gaps += 1
                count += 1
            pending = False
            for step in range(length):
                data[at + step] = data[place + step]
            at += length
            place += length
            count += 1
        starts[line] = first
        ends[line] = at
        chars[line] = count
        spaces[line] = gaps


@numba.njit(cache=True, nogil=True)
def _copied(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Copy stretches of bytes one after the other; give the bytes and their bounds."""
    bounds = np.zeros(starts.size + 1, np.int64)
    for line in range(starts.size):
        bounds[line + 1] = bounds[line] + ends[line] - starts[line]
    out = np.empty(bounds[-1], np.uint8)
    for line in range(starts.size):
        out[bounds[line] : bounds[line + 1]] = data[starts[line] : ends[line]]
    return out, bounds


@numba.njit(cache=True, nogil=True)
def _without_numbers(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    signs: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Write 0 for every number, such as 1,250.5 or 18:05.

    Returns:
      The bytes and bounds of the lines, and for each how many words that makes fewer.
    """
    total = 0
    for line in range(starts.size):
        total += ends[line] - starts[line]
    out = np.empty(total, np.uint8)
    bounds = np.zeros(starts.size + 1, np.int64)
    fewer = np.zeros(starts.size, np.int32)
    at = 0
    for line in range(starts.size):
        place, end = starts[line], ends[line]
        if not signs[line] & np.uint32(DIGIT):
            out[at : at + end - place] = data[place:end]
            at += end - place
            place = end
        while place < end:
            byte = data[place]
            place += 1
            if byte < 48 or byte > 57:
                out[at] = byte
                at += 1
                continue
            out[at] = 48
            at += 1
            after = place
            inner = False
            while after < end:
                byte = data[after]
                after += 1
                if 48 <= byte <= 57:
                    fewer[line] += inner
                    inner = False
                    place = after
                elif byte == 44 or byte == 46 or byte == 58:
                    inner = True
                else:
                    break
        bounds[line + 1] = at
    return out[:at], bounds, fewer


@numba.njit(cache=True, nogil=True)
def chain(
    words: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Give one hash of the words of each list, in their order; 0 for an empty one."""
    keys = np.zeros(offsets.size - 1, np.uint64)
    for line in range(keys.size):
        key = np.uint64(0)
        for word in range(offsets[line], offsets[line + 1]):
            key = mix64(key * _MULTIPLIER + words[word])
        keys[line] = key
    return keys
