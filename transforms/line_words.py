"""Line words: the words of lines as hashes, numbers being one word.

Lines that say the same are found by one key of all their words, whatever the numbers and
marks in them: "Published 3 hours ago" and "Published 5 hours ago" are one line.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.line_signs import DIGIT
from transforms.lines import Lines, read_lines, strings
from transforms.tokens import mix64, tokenize

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


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


def hash_words(lines: Lines) -> LineWords:
    """Hash the words of lines."""
    data, bounds, fewer = _without_numbers(
        lines.data, lines.starts, lines.ends, lines.signs
    )
    tokens = tokenize(strings(data, bounds))
    keys = chain(tokens.hashes, tokens.offsets)
    counts = np.diff(tokens.offsets).astype(np.int32) + fewer
    return LineWords(tokens.hashes, tokens.offsets, keys, counts)


@functools.lru_cache(maxsize=1 << 14)
def line_key(line: str) -> int:
    """Give the key of one line, as `hash_words` does of many."""
    return int(hash_words(read_lines(pa.array([line]))).keys[0])


@numba.njit(cache=True, nogil=True)
def joined(key: np.uint64, word: np.uint64) -> np.uint64:
    """Add a word to a chain of words, which begins as 0."""
    return mix64(key * _MULTIPLIER + word)


@numba.njit(cache=True, nogil=True)
def chain(
    words: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Give one hash of the words of each list, in their order; 0 for an empty one."""
    keys = np.zeros(offsets.size - 1, np.uint64)
    for line in range(keys.size):
        key = np.uint64(0)
        for word in range(offsets[line], offsets[line + 1]):
            key = joined(key, words[word])
        keys[line] = key
    return keys


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
