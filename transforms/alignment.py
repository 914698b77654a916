"""Alignment: two texts word against word, and what stands in the gaps.

A longest common subsequence tells two things that sets of word runs do not. In a copy
whose words were changed evenly, one in eight, few runs of three are left whole, and yet
nearly all words stand in the same order. And in two notices of one template the gaps are
slots: a number faces another number, a name another name.

D. Hirschberg, "Algorithms for the longest common subsequence problem", 1977;
H. Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
"""

import numba
import numpy as np
import numpy.typing as npt

OTHER, NUMBER, CAPITALISED = range(3)

# A gap between aligned words that is longer is another text, not another fact.
_SLOT_WORDS = 8


@numba.njit(cache=True, nogil=True)
def aligned_words(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]) -> int:
    """Measure the longest common subsequence of two texts, in tokens.

    Args:
      left: token hashes of one text, in order.
      right: those of the other. Time goes with the product of the lengths.
    """
    same = _same_without(left, right)
    common = 0
    for i in range(left.size):
        common += not _is_set(same[0], left.size - 1 - i)
    return common


@numba.njit(cache=True, nogil=True)
def _is_set(bits: npt.NDArray[np.uint64], place: int) -> bool:
    return bool(bits[place >> 6] >> np.uint64(place & 63) & np.uint64(1))


@numba.njit(cache=True, nogil=True)
def _same_without(
    left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Say of each pair of places whether what follows aligns as well without the left one.

    The usual table of longest common subsequences changes by one at most from cell to
    cell, so a bit says each, and 64 cells are worked out at a time.

    Returns:
      Shape (m + 1, ceil(n / 64)). Bit n - 1 - i of row j is set if left[i + 1:] and
      right[j:] have as long a common subsequence as left[i:] and right[j:].
    """
    n, m = left.size, right.size
    order = np.argsort(left)
    ordered = left[order]
    words = (n + 63) // 64
    same = np.empty((m + 1, words), np.uint64)
    same[m] = ~np.uint64(0)
    places = np.zeros(words, np.uint64)
    for j in range(m - 1, -1, -1):
        first = np.searchsorted(ordered, right[j])
        last = first
        while last < n and ordered[last] == right[j]:
            place = n - 1 - order[last]
            places[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
            last += 1
        carry = np.uint64(0)
        for word in range(words):
            before = same[j + 1, word]
            matched = before & places[word]
            total = before + matched
            overflow = np.uint64(total < matched)
            total += carry
            carry = overflow | np.uint64(total < carry)
            same[j, word] = total | (before - matched)
        for k in range(first, last):
            places[(n - 1 - order[k]) >> 6] = np.uint64(0)
    return same


@numba.njit(cache=True, nogil=True)
def differing_slots(
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
    left_kinds: npt.NDArray[np.uint8],
    right_kinds: npt.NDArray[np.uint8],
) -> tuple[int, int, int, int]:
    """Align two texts on a longest common subsequence, and look at the gaps.

    Args:
      left: token hashes of one text, in order, shape (n,).
      right: those of the other, shape (m,).
      left_kinds: shape (n,). OTHER, NUMBER or CAPITALISED, of each token.
      right_kinds: shape (m,). The same of the other text.

    Returns:
      slots: facts that differ: in each filled gap the numbers that face numbers, or one.
      filled: short gaps where a number faces a number, or a name a name.
      gaps: all gaps.
      agreeing: numbers and capitalised words outside the gaps: facts that do not differ,
        and words that begin a sentence.
    """
    n, m = left.size, right.size
    same = _same_without(left, right)
    slots = filled = gaps = agreeing = 0
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and left[i] == right[j]:
            agreeing += left_kinds[i] != OTHER
            i += 1
            j += 1
            continue
        begins = i, j
        counts = np.zeros((2, 3), np.int64)
        while i < n or j < m:
            if i < n and j < m and left[i] == right[j]:
                # Two lists of numbers may hold one in common: it ends no gap.
                last = i + 1 == n or j + 1 == m
                if left_kinds[i] != NUMBER or last or left[i + 1] == right[j + 1]:
                    break
                i += 1
                j += 1
            elif j >= m or (i < n and _is_set(same[j], n - 1 - i)):
                counts[0, left_kinds[i]] += 1
                i += 1
            else:
                counts[1, right_kinds[j]] += 1
                j += 1
        gaps += 1
        numbers = min(counts[0, NUMBER], counts[1, NUMBER])
        names = min(counts[0, CAPITALISED], counts[1, CAPITALISED])
        short = max(i - begins[0], j - begins[1]) <= _SLOT_WORDS
        if short and (numbers or names):
            filled += 1
            slots += max(1, numbers)
    return slots, filled, gaps, agreeing
