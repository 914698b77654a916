"""Nearest: the articles that are most like each one, by words or by vector.

Neighbours by words are found over an inverted index of each article's heaviest terms; the
terms that are cut weigh little and have the long posting lists. Each article is compared
with those after it in time, and both keep the other if it is among their nearest, so that
no pair is looked at twice.

J. Zobel and A. Moffat, "Inverted files for text search engines", 2006.
"""

import dataclasses

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.term_vectors import SparseVectors, heaviest_terms

# Rows with a vector up to which every one is compared with every other.
EXACT_VECTORS = 8192


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of articles in time, and how far apart in it articles are compared.

    Attributes:
      rows: shape (n,), int32. Row numbers, those of articles without a date first.
      undated: how many these are. They are compared with all.
      window: articles with more than this many places from one to the other are not.
    """

    rows: npt.NDArray[np.int32]
    undated: int
    window: int


def time_order(published: pa.Array, window: int) -> Order:
    """Put articles in order of time, equal times in order of rows.

    Args:
      published: n times, null where there is none.
      window: as in Order.
    """
    dated = published.is_valid().to_numpy(zero_copy_only=False)
    rows = np.lexsort((published.fill_null(0).to_numpy(), dated))
    return Order(rows.astype(np.int32), int((~dated).sum()), window)


def distinct_pairs(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Sort the two of each pair, drop repeats and pairs of one row with itself.

    Args:
      pairs: shape (m, 2). Row numbers in any order; rows with -1 are dropped.
    """
    return _distinct_pairs(pairs)


@numba.njit(cache=True, nogil=True)
def _distinct_pairs(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    rows = 0
    for pair in range(len(pairs)):
        rows = max(rows, pairs[pair, 0] + 1, pairs[pair, 1] + 1)
    ends = np.zeros(rows + 1, np.int64)
    for pair in range(len(pairs)):
        first = min(pairs[pair, 0], pairs[pair, 1])
        if first >= 0 and pairs[pair, 0] != pairs[pair, 1]:
            ends[first + 1] += 1
    for row in range(rows):
        ends[row + 1] += ends[row]
    seconds = np.empty(ends[rows], np.int32)
    begins = ends[:-1].copy()
    for pair in range(len(pairs)):
        first = min(pairs[pair, 0], pairs[pair, 1])
        if first >= 0 and pairs[pair, 0] != pairs[pair, 1]:
            seconds[begins[first]] = max(pairs[pair, 0], pairs[pair, 1])
            begins[first] += 1
    distinct = np.empty((len(seconds), 2), np.int32)
    count = 0
    for row in range(rows):
        own = seconds[ends[row] : ends[row + 1]]
        own.sort()
        for place in range(len(own)):
            if place == 0 or own[place] != own[place - 1]:
                distinct[count, 0] = row
                distinct[count, 1] = own[place]
                count += 1
    return distinct[:count].copy()


def nearest_by_terms(
    vectors: SparseVectors,
    count: int,
    *,
    heaviest: int,
    max_postings: int,
    order: Order | None = None,
) -> npt.NDArray[np.int32]:
    """Find for each article the `count` others of highest cosine, over heavy terms.

    Args:
      vectors: of n articles.
      count: near articles to find for each.
      heaviest: terms of an article that are looked up; the rest weigh least.
      max_postings: a term that more articles within reach are looked up by is passed over.
      order: of the articles in time; None: all are within reach of each other.

    Returns:
      Array of shape (m, 2): an article and a near one. Equal cosines: the lower row.
    """
    articles = len(vectors.offsets) - 1
    order = order or Order(np.arange(articles, dtype=np.int32), articles, articles)
    near = _nearest(
        *_postings(
            vectors.terms,
            vectors.offsets,
            vectors.weights,
            heaviest_terms(vectors.offsets, vectors.weights, heaviest),
            order.rows,
            vectors.size,
        ),
        order.rows,
        order.undated,
        order.window,
        count,
        max_postings,
    )
    return np.stack(
        [np.repeat(np.arange(len(near), dtype=np.int32), count), near.ravel()], axis=1
    )


@numba.njit(cache=True, nogil=True)
def _postings(
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    kept: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int32],
    size: int,
) -> tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int64],
]:
    """Lay out the kept terms by place in the order, and the places by term.

    Returns:
      Terms, their weights, offsets by place; places, weights there, offsets by term.
    """
    total = 0
    for place in range(len(kept)):
        total += kept[place]
    own_terms = np.empty(total, np.int32)
    own_weights = np.empty(total, np.float32)
    own_offsets = np.zeros(len(rows) + 1, np.int64)
    begins = np.zeros(size + 1, np.int64)
    count = 0
    for place in range(len(rows)):
        row = rows[place]
        for entry in range(offsets[row], offsets[row + 1]):
            if kept[entry]:
                own_terms[count] = terms[entry]
                own_weights[count] = weights[entry]
                begins[terms[entry] + 1] += 1
                count += 1
        own_offsets[place + 1] = count
    for term in range(size):
        begins[term + 1] += begins[term]
    posting_offsets = begins.copy()
    postings = np.empty(total, np.int32)
    posting_weights = np.empty(total, np.float32)
    for place in range(len(rows)):
        for entry in range(own_offsets[place], own_offsets[place + 1]):
            target = begins[own_terms[entry]]
            postings[target] = place
            posting_weights[target] = own_weights[entry]
            begins[own_terms[entry]] += 1
    return own_terms, own_weights, own_offsets, postings, posting_weights, posting_offsets


@numba.njit(cache=True, nogil=True)
def _nearest(
    terms: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    postings: npt.NDArray[np.int32],
    posting_weights: npt.NDArray[np.float32],
    posting_offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
    undated: int,
    window: int,
    count: int,
    max_postings: int,
) -> npt.NDArray[np.int32]:
    """Compare each article with those after it, and keep the nearest of both."""
    articles = len(rows)
    # Of each row, the nearest first: the bits of the cosine, which are ordered as it is,
    # above those of the row number from above. Zero where there is none.
    nearest = np.zeros((articles, count), np.uint64)
    # Side by side, as they are needed together: the cosine with the article, and the
    # least cosine of the nearest.
    state = np.zeros((articles, 2), np.float32)
    bits = state.view(np.uint32)
    touched = np.zeros(articles + 1, np.int32)
    # Of each term's postings: the first dated one, the first within reach of the article,
    # the first after it, the end of its reach.
    dated = posting_offsets[:-1].copy()
    for term in range(len(dated)):
        while dated[term] < posting_offsets[term + 1] and postings[dated[term]] < undated:
            dated[term] += 1
    first = dated.copy()
    after = posting_offsets[:-1].copy()
    end = dated.copy()
    for place in range(articles):
        row = rows[place]
        touched_count = 0
        for entry in range(offsets[place], offsets[place + 1]):
            term = terms[entry]
            after[term] += 1
            if place < undated:
                start, stop = posting_offsets[term], posting_offsets[term + 1]
                within = stop - start
            else:
                stop = max(end[term], after[term])
                while stop < posting_offsets[term + 1] and postings[stop] <= place + window:
                    stop += 1
                end[term] = stop
                start = first[term]
                while postings[start] < place - window:
                    start += 1
                first[term] = start
                within = stop - start + dated[term] - posting_offsets[term]
            if within > max_postings:
                continue
            weight = weights[entry]
            others = postings[after[term] : stop]
            other_weights = posting_weights[after[term] : stop]
            for posting in range(len(others)):
                other = others[posting]
                cosine = state[other, 0]
                # Written each time and kept the first: a branch costs more.
                touched[touched_count] = other
                touched_count += cosine == 0
                state[other, 0] = cosine + weight * other_weights[posting]
        own_nearest, own_least = nearest[row], state[place, 1]
        for other in touched[:touched_count]:
            cosine, own_bits = state[other, 0], np.uint64(bits[other, 0])
            state[other, 0] = 0
            if cosine >= own_least:
                _keep_nearest(own_nearest, own_bits, rows[other])
                bits[place, 1] = own_nearest[count - 1] >> _HALF
                own_least = state[place, 1]
            if cosine >= state[other, 1]:
                other_nearest = nearest[rows[other]]
                _keep_nearest(other_nearest, own_bits, row)
                bits[other, 1] = other_nearest[count - 1] >> _HALF
    near = np.full((articles, count), -1, np.int32)
    for row in range(articles):
        for rank in range(count):
            if nearest[row, rank]:
                near[row, rank] = _LOW_BITS - (nearest[row, rank] & _LOW_BITS)
    return near


_HALF = np.uint64(32)
_LOW_BITS = np.uint64(0xFFFFFFFF)


@numba.njit(cache=True, nogil=True)
def _keep_nearest(
    nearest: npt.NDArray[np.uint64], cosine_bits: np.uint64, row: int
) -> None:
    """Put a row in its place among the nearest, if it is one; the last one drops out."""
    key = cosine_bits << _HALF | (_LOW_BITS - np.uint64(row))
    place = len(nearest) - 1
    if key < nearest[place]:
        return
    while place > 0 and nearest[place - 1] < key:
        nearest[place] = nearest[place - 1]
        place -= 1
    nearest[place] = key


def nearest_by_vector(
    vectors: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.int32]:
    """Find for each row with a vector the `count` others of highest cosine.

    Up to EXACT_VECTORS rows all are compared. Above, each row is compared with those
    that share one of its two nearest of about sqrt(n) pivots: the cost of a row then
    grows with the square root of the block, and a few neighbours are missed.

    Args:
      vectors: shape (n, d). Unit vectors, or zeros for a row without one.
      count: near rows to find for each.

    Returns:
      Array of shape (m, 2): a row and a near one.
    """
    rows = np.flatnonzero(np.any(vectors != 0, axis=1)).astype(np.int32)
    if len(rows) < 2:
        return np.zeros((0, 2), np.int32)
    dense = vectors[rows].astype(np.float32)
    if len(rows) <= EXACT_VECTORS:
        return _nearest_among(dense, rows, count)
    pivots = dense[:: max(1, int(np.sqrt(len(rows))) // 2)]
    cells = np.concatenate(
        [
            np.argpartition(-(dense[start : start + 1024] @ pivots.T), 2, axis=1)[:, :2]
            for start in range(0, len(dense), 1024)
        ]
    )
    found = []
    for cell in range(len(pivots)):
        members = np.flatnonzero((cells == cell).any(axis=1))
        if len(members) > 1:
            found.append(_nearest_among(dense[members], rows[members], count))
    return np.concatenate(found)


def _nearest_among(
    dense: npt.NDArray[np.float32], rows: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int32]:
    count = min(count, len(rows) - 1)
    found = []
    for start in range(0, len(dense), 1024):
        cosines = dense[start : start + 1024] @ dense.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -2
        near = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        found.append(
            np.stack(
                [np.repeat(rows[start : start + len(near)], count), rows[near].ravel()],
                axis=1,
            )
        )
    return np.concatenate(found)
