"""Line shapes: how many characters of each kind a line has, and how it begins and ends.

A capital, a digit, a comma, a bar or a full stop is the same thing in many scripts. One
compiled walk over the UTF-8 bytes counts them for all lines of a page.
"""

import functools
import unicodedata

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

# What a character is.
KINDS = 13
OTHER, UPPER, LOWER, UNCASED, DIGIT, SPACE, COMMA = range(7)
STOP, QUOTE, DASH, SIGN, BRACKET, COLON = range(7, KINDS)
# Columns of a shape after the counts of each kind.
WORDS, CAPITALS, FIRST, LAST, INNER_ENDS, LONGEST_WORD = range(KINDS, KINDS + 6)

# Beyond are scripts without capitals, and above them pictures.
_TABLE_SIZE = 0x3100
_PICTURES = 0x10000


def line_shapes(lines: pa.Array) -> npt.NDArray[np.float64]:
    """Count the characters of each line and look at the ends of its words.

    Args:
      lines: m lines, `string`, no nulls.

    Returns:
      Shape (m, KINDS + 6). The characters of each kind; the words, as white space parts
      them, and those with a capital first; the kinds of the first and last character, of
      which a quotation mark or bracket behind a full stop is one; the sentences that end
      inside; the characters of the longest word. A line of white space has no first: -1.
    """
    _, bounds, data = lines.buffers()
    limits = np.frombuffer(bounds, np.int32, count=len(lines) + 1, offset=4 * lines.offset)
    content = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return _line_shapes(content, limits, _kinds_of_characters())


@functools.cache
def _kinds_of_characters() -> npt.NDArray[np.uint8]:
    """Give what each character up to _TABLE_SIZE is."""
    kinds = np.full(_TABLE_SIZE, OTHER, np.uint8)
    marks = {
        **dict.fromkeys(",;،、", COMMA),
        **dict.fromkeys(".!?…。؟", STOP),
        **dict.fromkeys("\"'“”„‘’«»\u201a\u2039\u203a", QUOTE),
        **dict.fromkeys("|/\\@#&*•·>", SIGN),
        ":": COLON,
    }
    categories = {
        **{"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Pd": DASH, "Cc": SPACE},
        **{"Ps": BRACKET, "Pe": BRACKET},
    }
    majors = {"L": UNCASED, "M": UNCASED, "N": DIGIT, "Z": SPACE, "S": SIGN}
    for code in range(_TABLE_SIZE):
        character = chr(code)
        category = unicodedata.category(character)
        kinds[code] = marks.get(
            character, categories.get(category, majors.get(category[0], OTHER))
        )
    return kinds


@numba.njit(cache=True, nogil=True)
def _line_shapes(
    data: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.int32],
    kinds: npt.NDArray[np.uint8],
) -> npt.NDArray[np.float64]:
    """Count the characters of each kind, and look at the ends of words and lines."""
    shape = np.zeros((bounds.size - 1, KINDS + 6))
    for line in range(bounds.size - 1):
        place, stop = bounds[line], bounds[line + 1]
        earlier = previous = np.int64(SPACE)
        first = np.int64(-1)
        length = 0
        while place < stop:
            code = np.int64(data[place])
            if code < 0x80:
                place += 1
            elif code < 0xE0:
                code = (code & 0x1F) << 6 | np.int64(data[place + 1] & 0x3F)
                place += 2
            elif code < 0xF0:
                code = (code & 0x0F) << 12 | np.int64(data[place + 1] & 0x3F) << 6
                code |= np.int64(data[place + 2] & 0x3F)
                place += 3
            else:
                code = np.int64(_PICTURES)
                place += 4
            if code < _TABLE_SIZE:
                kind = np.int64(kinds[code])
            elif code == 0xFF01 or code == 0xFF1F:
                kind = np.int64(STOP)
            elif code == 0xFF0C:
                kind = np.int64(COMMA)
            else:
                kind = np.int64(SIGN if code >= _PICTURES else UNCASED)
            shape[line, kind] += 1
            if kind == SPACE:
                if previous == STOP or (previous == QUOTE and earlier == STOP):
                    shape[line, INNER_ENDS] += 1
                length = 0
            else:
                if previous == SPACE:
                    shape[line, WORDS] += 1
                    if kind == UPPER:
                        shape[line, CAPITALS] += 1
                length += 1
                shape[line, LONGEST_WORD] = max(shape[line, LONGEST_WORD], length)
                if first < 0:
                    first = kind
            earlier = previous
            previous = kind
        if earlier == STOP and previous in (QUOTE, BRACKET):
            previous = np.int64(STOP)
        shape[line, FIRST] = first
        shape[line, LAST] = previous
    return shape
