r"""Lines: the lines of a batch of texts as arrays, after one walk over their bytes.

What is decided about a line is decided thousands of times, and for nearly all lines the
answer is "nothing special". So no string is made of them. A compiled walk finds them,
folds the white space of those that need it, and notes which telling marks each holds
(`line_signs.py`); another hashes their words (`line_words.py`). Whoever asks about lines
asks these arrays first, and reads the few lines that are left.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.line_signs import FOLD, decoded, far_signs, line_signs


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
        return strings(*_copied(self.data, self.starts[rows], self.ends[rows]))


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
    signs, chars, spaces, size = line_signs(data, starts, ends)
    if size:
        # Folded lines stand behind the others.
        found = data.size
        data = np.concatenate((data, np.empty(size, np.uint8)))
        _fold(data, found, starts, ends, signs, chars, spaces, far_signs())
    return Lines(offsets, data, starts, ends, signs, chars, spaces)


def first_bytes(texts: pa.Array) -> npt.NDArray[np.uint8]:
    """Give the first byte of each text, a letter of ASCII small; 32 where there is none."""
    data, places = _utf8(texts.fill_null(""))
    firsts = np.append(data, np.uint8(32))[np.minimum(places[:-1], data.size)]
    return np.where(np.diff(places) > 0, firsts | np.uint8(0x20), np.uint8(32))


def strings(data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> pa.Array:
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
        if not signs[line] & np.uint32(FOLD):
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
                blank = code < far_signs.size and bool(far_signs[code] & np.uint32(FOLD))
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
