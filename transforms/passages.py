"""Shared passages: which runs of words stand in both of two texts, and where.

The evidence behind "is a copy": the longest common runs, greedily, so that no word of
either text belongs to two passages. It is M. Wise's greedy string tiling, seeded with runs
of `min_words` words that both texts hold.

Texts that repeat themselves (tables, lists of scores) have a quadratic number of such
seeds. Beyond a bound that grows with the lengths of the texts, the runs that occur most
often are no seeds; a passage is then missed only if it consists of nothing else and
neither begins nor ends both texts.

M. Wise, "String similarity via greedy string tiling and running Karp-Rabin matching", 1993.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import Tokens, mix64

MIN_WORDS = 8

# Seeds per word of the two texts. Ordinary copies need one.
_SEEDS_PER_WORD = 16

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
# Where the diagonal that begins both texts stands in a seed.
_ORIGIN = 1 << 30


def shared_passages(
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
    *,
    min_words: int = MIN_WORDS,
) -> npt.NDArray[np.int32]:
    """Find the passages that two texts share.

    >>> words = np.arange(20, dtype=np.uint64)
    >>> shared_passages(words, np.concatenate([words[12:], words[:10]])).tolist()
    [[0, 10, 8, 18], [12, 20, 0, 8]]

    Args:
      left: shape (n,). Token hashes of one text, in order.
      right: shape (m,). Those of the other.
      min_words: words of the shortest passage.

    Returns:
      Shape (p, 4): start and end in `left`, start and end in `right`, as token indexes,
      ends exclusive. The longest first, then by place; no token is in two passages.

    Raises:
      ValueError: if min_words is not positive.
    """
    if min_words < 1:
        raise ValueError(f"a passage must have at least 1 word, got min_words={min_words}")
    return _passages(left, right, min_words)


def passages_of_pairs(
    tokens: Tokens,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    *,
    min_words: int = MIN_WORDS,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Find the passages that pairs of texts share, in characters.

    Args:
      tokens: of n texts.
      left: shape (m,). One text of each pair.
      right: shape (m,). The other.
      min_words: words of the shortest passage.

    Returns:
      spans: shape (p, 4), as `shared_passages`, in characters instead of tokens.
      offsets: shape (m + 1,). Pair k owns spans[offsets[k]:offsets[k + 1]].
    """
    found, offsets = _passages_of_pairs(
        tokens.hashes, tokens.offsets, left, right, min_words
    )
    counts = np.diff(offsets)
    mine, theirs = (np.repeat(tokens.offsets[texts], counts) for texts in (left, right))
    spans = np.empty(found.shape, np.int32)
    spans[:, 0] = tokens.starts[mine + found[:, 0]]
    spans[:, 1] = tokens.ends[mine + found[:, 1] - 1]
    spans[:, 2] = tokens.starts[theirs + found[:, 2]]
    spans[:, 3] = tokens.ends[theirs + found[:, 3] - 1]
    return spans, offsets


@numba.njit(cache=True, nogil=True)
def _passages_of_pairs(
    hashes: npt.NDArray[np.uint64],
    bounds: npt.NDArray[np.int64],
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    min_words: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    offsets = np.zeros(left.size + 1, np.int64)
    found = np.empty((max(16, 2 * left.size), 4), np.int32)
    for k in range(left.size):
        mine = hashes[bounds[left[k]] : bounds[left[k] + 1]]
        theirs = hashes[bounds[right[k]] : bounds[right[k] + 1]]
        own = _passages(mine, theirs, min_words)
        first, last = offsets[k], offsets[k] + len(own)
        if last > len(found):
            more = np.empty((2 * last, 4), np.int32)
            more[:first] = found[:first]
            found = more
        found[first:last] = own
        offsets[k + 1] = last
    return found[: offsets[-1]], offsets


@numba.njit(cache=True, nogil=True)
def _passages(
    left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64], min_words: int
) -> npt.NDArray[np.int32]:
    if min(left.size, right.size) < min_words:
        return np.empty((0, 4), np.int32)
    if left.size == right.size:
        place = 0
        while place < left.size and left[place] == right[place]:
            place += 1
        if place == left.size:
            whole = np.empty((1, 4), np.int32)
            whole[0] = (0, place, 0, place)
            return whole
    left_runs, right_runs = _run_hashes(left, min_words), _run_hashes(right, min_words)
    most = _SEEDS_PER_WORD * (left.size + right.size)
    seeds = _all_seeds(left_runs, right_runs, most)
    if seeds.size > most + 2:
        seeds = _rarest_seeds(left_runs, right_runs, most)
    # By diagonal, then by place: a run's seeds stand one after the other. Those of a copy
    # that was merely cut or lengthened do already.
    if np.any(seeds[1:] < seeds[:-1]):
        seeds.sort()
    runs = _maximal_runs(left, right, seeds)
    return _tile(runs, left.size, right.size, min_words)


@numba.njit(cache=True, nogil=True)
def _seed(i: int, j: int) -> np.int64:
    """Give a pair of places as one number: its diagonal, then its place in `left`."""
    return np.int64((np.int64(j) - i + _ORIGIN) << 32 | np.int64(i))


@numba.njit(cache=True, nogil=True)
def _run_hashes(tokens: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """Hash every run of `size` tokens."""
    runs = np.empty(tokens.size - size + 1, np.uint64)
    for first in range(runs.size):
        state = np.uint64(0)
        for token in range(first, first + size):
            state = state * _MULTIPLIER + tokens[token]
        runs[first] = mix64(state)
    return runs


@numba.njit(cache=True, nogil=True)
def _all_seeds(
    left_runs: npt.NDArray[np.uint64], right_runs: npt.NDArray[np.uint64], most: int
) -> npt.NDArray[np.int64]:
    """Pair the places of equal runs, and both texts' first and last runs.

    Gives more than `most` numbers, and not all of them right, if there are more pairs.
    """
    bits = 1
    while 1 << bits < 2 * left_runs.size:
        bits += 1
    shift = np.uint64(64 - bits)
    heads = np.full(1 << bits, -1, np.int32)
    following = np.empty(left_runs.size, np.int32)
    for i in range(left_runs.size - 1, -1, -1):
        following[i] = heads[left_runs[i] >> shift]
        heads[left_runs[i] >> shift] = i
    seeds = np.empty(left_runs.size + right_runs.size + 2, np.int64)
    first, last = _seed(0, 0), _seed(left_runs.size - 1, right_runs.size - 1)
    # Where the right text is the shorter one, its last run comes first.
    seeds[0], seeds[1] = last, first
    count = 1 if first < last else 2
    seeds[0] = min(first, last)
    for j in range(right_runs.size):
        i = heads[right_runs[j] >> shift]
        while i >= 0:
            if left_runs[i] == right_runs[j]:
                if count + 1 >= seeds.size:
                    more = np.empty(2 * seeds.size, np.int64)
                    more[:count] = seeds[:count]
                    seeds = more
                seeds[count] = _seed(i, j)
                count += 1
            i = following[i]
        if count > most + 2:
            break
    if first < last:
        seeds[count] = last
        count += 1
    return seeds[:count]


@numba.njit(cache=True, nogil=True)
def _rarest_seeds(
    left_runs: npt.NDArray[np.uint64], right_runs: npt.NDArray[np.uint64], most: int
) -> npt.NDArray[np.int64]:
    """Pair the places of equal runs, at most `most` pairs, the rarest runs first."""
    left_order = np.argsort(left_runs)
    right_order = np.argsort(right_runs)
    # First walk: how many pairs has each run that both texts hold?
    blocks = np.empty((min(left_runs.size, right_runs.size), 5), np.int64)
    count = 0
    total = 0
    i = j = 0
    while i < left_order.size and j < right_order.size:
        mine, theirs = left_runs[left_order[i]], right_runs[right_order[j]]
        if mine < theirs:
            i += 1
        elif mine > theirs:
            j += 1
        else:
            i_end, j_end = i + 1, j + 1
            while i_end < left_order.size and left_runs[left_order[i_end]] == mine:
                i_end += 1
            while j_end < right_order.size and right_runs[right_order[j_end]] == mine:
                j_end += 1
            pairs = (i_end - i) * (j_end - j)
            blocks[count] = (pairs, i, i_end, j, j_end)
            total += pairs
            count += 1
            i, j = i_end, j_end
    blocks = blocks[:count]
    limit = total
    if total > most:
        limit = 0
        total = 0
        ordered = np.sort(blocks[:, 0])
        for k in range(count):
            # Runs that are equally frequent are all taken or all left out.
            if total + ordered[k] > most:
                break
            total += ordered[k]
            if k + 1 == count or ordered[k + 1] != ordered[k]:
                limit = ordered[k]
        total = 0
        for k in range(count):
            if blocks[k, 0] <= limit:
                total += blocks[k, 0]
    seeds = np.empty(total + 2, np.int64)
    seeds[0] = _seed(0, 0)
    seeds[1] = _seed(left_runs.size - 1, right_runs.size - 1)
    filled = 2
    for k in range(count):
        if blocks[k, 0] <= limit:
            for i in range(blocks[k, 1], blocks[k, 2]):
                for j in range(blocks[k, 3], blocks[k, 4]):
                    seeds[filled] = _seed(left_order[i], right_order[j])
                    filled += 1
    return seeds


@numba.njit(cache=True, nogil=True)
def _maximal_runs(
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
    seeds: npt.NDArray[np.int64],
) -> npt.NDArray[np.int32]:
    """Extend seeds, ascending, both ways; rows are start, start, length."""
    runs = np.empty((seeds.size, 3), np.int32)
    count = 0
    diagonal = np.int64(left.size + right.size)
    reached = 0  # end in `left` of the last run on this diagonal
    for k in range(seeds.size):
        i = seeds[k] & 0xFFFFFFFF
        j = (seeds[k] >> 32) - _ORIGIN + i
        if j - i != diagonal:
            diagonal = j - i
            reached = 0
        if i < reached:
            continue
        start = i
        while start > reached and start + diagonal > 0:
            if left[start - 1] != right[start + diagonal - 1]:
                break
            start -= 1
        end = i
        while end < left.size and end + diagonal < right.size:
            if left[end] != right[end + diagonal]:
                break
            end += 1
        # Nothing is equal where a hash collides, or where the texts merely begin or end.
        if end > i:
            runs[count] = (start, start + diagonal, end - start)
            count += 1
            reached = int(end)
    return runs[:count]


@numba.njit(cache=True, nogil=True)
def _tile(
    runs: npt.NDArray[np.int32], n: int, m: int, min_words: int
) -> npt.NDArray[np.int32]:
    """Take runs, the longest first; of one that meets a taken one, what is left of it."""
    longest = 0
    for k in range(runs.shape[0]):
        longest = max(longest, runs[k, 2])
    # Runs by length: a list per length, linked through `following`.
    heads = np.full(longest + 1, -1, np.int64)
    pieces = np.empty((max(16, 2 * runs.shape[0]), 3), np.int32)
    following = np.empty(pieces.shape[0], np.int64)
    count = 0
    for k in range(runs.shape[0]):
        if runs[k, 2] >= min_words:
            pieces[count] = runs[k]
            following[count] = heads[runs[k, 2]]
            heads[runs[k, 2]] = count
            count += 1
    left_taken, right_taken = np.zeros(n, np.bool_), np.zeros(m, np.bool_)
    passages = np.empty((min(n, m) // min_words, 4), np.int32)
    found = 0
    for length in range(longest, min_words - 1, -1):
        if heads[length] < 0:
            continue
        size = 0
        piece = heads[length]
        while piece >= 0:
            size += 1
            piece = following[piece]
        places = np.empty(size, np.int64)
        piece = heads[length]
        for k in range(size):
            places[k] = np.int64(pieces[piece, 0]) * m + pieces[piece, 1]
            piece = following[piece]
        places.sort()
        for k in range(size):
            i, j = places[k] // m, places[k] % m
            # Walk over the run: each stretch that is free in both texts is a piece.
            start = 0
            for step in range(length + 1):
                free = (
                    step < length and not left_taken[i + step] and not right_taken[j + step]
                )
                if free:
                    continue
                if step - start == length:
                    passages[found] = (i, i + length, j, j + length)
                    found += 1
                    left_taken[i : i + length] = True
                    right_taken[j : j + length] = True
                elif step - start >= min_words:
                    if count == pieces.shape[0]:
                        more = np.empty((2 * count, 3), np.int32)
                        more[:count] = pieces
                        pieces = more
                        links = np.empty(2 * count, np.int64)
                        links[:count] = following
                        following = links
                    pieces[count] = (i + start, j + start, step - start)
                    following[count] = heads[step - start]
                    heads[step - start] = count
                    count += 1
                start = step + 1
    return passages[:found]
