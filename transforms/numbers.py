"""Numbers: the figures of a text, as hashes.

"2.5bn" and "600,000" are one number each: digits that only a point, comma or colon parts
belong together. Two reports of one event agree on most of their numbers; two notices of
one template agree on hardly any.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.marks import MarkedTokens
from transforms.tokens import mix64

_ZERO, _NINE = ord("0"), ord("9")
_POINT, _COMMA, _COLON = ord("."), ord(","), ord(":")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def number_hashes(
    texts: MarkedTokens,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Give the distinct numbers of each of n texts.

    Returns:
      values: the hashes, ascending within a text.
      offsets: shape (n + 1,). Text i owns values[offsets[i]:offsets[i + 1]].
    """
    return _number_hashes(texts.hashes, texts.starts, texts.ends, texts.offsets, texts.data)


@numba.njit(cache=True, nogil=True)
def _number_hashes(
    hashes: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    texts = len(offsets) - 1
    values = np.empty(len(hashes), np.uint64)
    bounds = np.zeros(texts + 1, np.int64)
    count = 0
    for text in range(texts):
        first = count
        token = offsets[text]
        while token < offsets[text + 1]:
            if not _ZERO <= data[starts[token]] <= _NINE:
                token += 1
                continue
            value = hashes[token]
            token += 1
            while token < offsets[text + 1] and starts[token] == ends[token - 1] + 1:
                mark = data[ends[token - 1]]
                digit = _ZERO <= data[starts[token]] <= _NINE
                if not digit or (mark != _POINT and mark != _COMMA and mark != _COLON):
                    break
                value = mix64(value * _MULTIPLIER + hashes[token])
                token += 1
            values[count] = value
            count += 1
        distinct = np.unique(values[first:count])
        values[first : first + len(distinct)] = distinct
        count = first + len(distinct)
        bounds[text + 1] = count
    return values[:count].copy(), bounds
