r"""Line signs: the telling marks of lines, found in one compiled walk over their bytes.

A rule that needs a bracket, a digit or a colon need not look at a line that has none. So
what a line holds is noted once, as bits: which marks, whether a digit stands beside a
letter, whether white space must be folded. Most lines are plain and have none of it.
"""

import functools

import numba
import numpy as np
import numpy.typing as npt

from transforms.code_points import (
    CLASS_SHIFT,
    IGNORED,
    MARK,
    TABLE_SIZE,
    UNSPACED,
    code_point_tables,
)

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
FOLD, _FAR = 1 << 15, 1 << 16

_GLUED_BYTES = tuple(sorted(int.from_bytes(part.encode(), "big") for part in GLUED))
_FUNCTION = np.frombuffer(b"function", np.uint8)

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
    (FOLD, "\t\v\f\r\x1c\x1d\x1e\x1f"),
    (_FAR, "".join(map(chr, range(128, 256)))),
)
_FAR_SIGNS = {
    **dict.fromkeys("“”„«", QUOTE),
    **dict.fromkeys("·•→\u203a", WAY),
    **dict.fromkeys("–—", DASH),
    **dict.fromkeys("\x85\xa0\xad\u1680\u2028\u2029\u202f\u205f\u3000", FOLD),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), FOLD),
    "：": COLON,
    "©": COPYRIGHT,
    "»": QUOTE | WAY,
}


def line_signs(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32], npt.NDArray[np.int32], int]:
    """Read m lines.

    Args:
      data: UTF-8.
      starts: shape (m,). Line j is data[starts[j]:ends[j]].
      ends: shape (m,).

    Returns:
      signs: shape (m,). What each line holds, as bits.
      chars: shape (m,). Characters.
      spaces: shape (m,).
      size: bytes of the lines whose white space must be folded.
    """
    signs, chars, spaces = _read_bytes(data, starts, ends, _byte_signs())
    size = _read_far(data, starts, ends, signs, far_signs())
    return signs, chars, spaces, size


@functools.cache
def _byte_signs() -> npt.NDArray[np.uint32]:
    """Give the signs of each byte."""
    signs = np.zeros(256, np.uint32)
    for sign, bytes_of in _SIGNS:
        signs[[ord(byte) for byte in bytes_of]] |= sign
    return signs


@functools.cache
def far_signs() -> npt.NDArray[np.uint32]:
    """Give the signs of each code point; those behind the last are all odd."""
    classes = code_point_tables()[0] >> CLASS_SHIFT
    signs = np.zeros(TABLE_SIZE, np.uint32)
    signs[np.isin(classes, (UNSPACED, IGNORED, MARK))] = ODD
    # Digits of other scripts are numbers to a rule, and words like others here.
    signs[[code for code in range(128, TABLE_SIZE) if chr(code).isdigit()]] = ODD
    for character, sign in _FAR_SIGNS.items():
        signs[ord(character)] |= sign
    return signs


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
        # Most lines are of letters, spaces, commas and full stops, and have no sign.
        gaps = np.int32(0)
        continued = np.int32(0)
        others = np.uint8(0)
        for place in range(own.size):
            byte = own[place]
            small = np.uint8((byte | np.uint8(0x20)) - np.uint8(97))
            gaps += np.int32(byte == np.uint8(32))
            continued += np.int32((byte & np.uint8(0xC0)) == np.uint8(0x80))
            others |= np.uint8(
                (small >= np.uint8(26))
                & (byte != np.uint8(32))
                & (byte != np.uint8(44))
                & (byte != np.uint8(46))
            )
        spaces[line] = gaps
        chars[line] = own.size - continued
        sign = np.uint32(0)
        if others:
            for place in range(own.size):
                sign |= byte_signs[own[place]]
        # No place in these is reckoned: then the compiler knows that none is negative.
        first, second, third, fourth = own[:-1], own[1:], own[2:], own[3:]
        doubled = np.uint8(0)
        for place in range(second.size):
            doubled |= np.uint8((first[place] == 32) & (second[place] == 32))
        if doubled or (own.size and (own[0] == 32 or own[-1] == 32)):
            sign |= np.uint32(FOLD)
        # "Photo", "Caption", "hoto: ", "Editing by ": their first letters will do.
        parted = np.uint8(0)
        for place in range(fourth.size):
            a, b, c, d = first[place], second[place], third[place], fourth[place]
            parted |= np.uint8((a == 80) & (b == 104) & (c == 111) & (d == 116))
            parted |= np.uint8((a == 67) & (b == 97) & (c == 112) & (d == 116))
            parted |= np.uint8((a == 111) & (b == 116) & (c == 111) & (d == 58))
            parted |= np.uint8((a == 103) & (b == 32) & (c == 98) & (d == 121))
        if parted:
            sign |= np.uint32(SEGMENT)
        if sign & np.uint32(DIGIT | OPENING) and _may_be_joined(own):
            sign |= _joined(own)
        signs[line] = sign
    return signs, chars, spaces


@numba.njit(cache=True, nogil=True)
def _may_be_joined(own: npt.NDArray[np.uint8]) -> bool:
    """Tell whether a line may have any of the signs of `_joined`, in a loop as above."""
    first, second = own[:-1], own[1:]
    found = np.uint8(0)
    for place in range(second.size):
        a, b = first[place], second[place]
        a_digit = np.uint8(a - np.uint8(48)) < np.uint8(10)
        b_digit = np.uint8(b - np.uint8(48)) < np.uint8(10)
        # Letters, and marks that are rare in these places.
        a_letter = a >= np.uint8(65)
        b_letter = b >= np.uint8(65)
        found |= np.uint8((a_digit & b_letter) | (a_letter & b_digit))
        found |= np.uint8((b == 40) & (a_letter | a_digit))
    third = own[2:]
    for place in range(third.size):  # the end of "function ("
        found |= np.uint8(
            (first[place] == 110) & (second[place] == 32) & (third[place] == 40)
        )
    return bool(found)


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
        if signs[line] & np.uint32(FOLD):
            size += ends[line] - starts[line]
    return size


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
