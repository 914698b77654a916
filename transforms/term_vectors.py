"""Term vectors: articles as unit vectors over numbered terms, each weighed by its rarity.

K. Sparck Jones, "A statistical interpretation of term specificity and its application in
retrieval", 1972.
"""

import dataclasses

import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import mix64


@dataclasses.dataclass(frozen=True)
class Frequencies:
    """In how many of the background's articles each term stands.

    Attributes:
      keys: shape (v,), uint64, ascending.
      counts: shape (v,), int32. Articles that hold the term.
      documents: articles of the background.
    """

    keys: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int32]
    documents: int


NO_FREQUENCIES = Frequencies(np.zeros(0, np.uint64), np.zeros(0, np.int32), 0)


def count_documents(
    values: npt.NDArray[np.unsignedinteger],
    *,
    documents: int,
    min_documents: int,
) -> Frequencies:
    """Count the articles that hold each key; every article names a key once.

    Args:
      values: shape (s,). Keys of all articles.
      documents: articles.
      min_documents: rarer keys are left out.
    """
    keys, counts = np.unique(np.asarray(values, np.uint64), return_counts=True)
    kept = counts >= min_documents
    return Frequencies(keys[kept], counts[kept].astype(np.int32), documents)


@dataclasses.dataclass(frozen=True)
class SparseVectors:
    """Unit vectors of n articles over a vocabulary of v terms.

    Attributes:
      terms: shape (s,), int32. Numbers of the terms, ascending within an article.
      offsets: shape (n + 1,), int64. Article i owns terms[offsets[i]:offsets[i + 1]].
      weights: shape (s,), float32. An article without a term has no weight at all.
      size: v.
    """

    terms: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    size: int


def number_terms(
    keys: npt.NDArray[np.unsignedinteger],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Number the distinct keys in ascending order.

    Args:
      keys: shape (s,). Hashes of terms, repeats included.

    Returns:
      vocabulary: shape (v,), uint64, ascending.
      numbers: shape (s,), int32. vocabulary[numbers] is keys.
    """
    found, numbers = _number(np.asarray(keys, np.uint64))
    order = np.argsort(found)
    ranks = np.empty(len(found), np.int32)
    ranks[order] = np.arange(len(found), dtype=np.int32)
    return found[order], ranks[numbers]


@numba.njit(cache=True, nogil=True)
def _number(
    keys: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Number the distinct keys in the order in which they come; give them and numbers."""
    numbers = np.empty(len(keys), np.int32)
    size = 1 << 12
    # A key and its number plus one, side by side; the number is zero where none stands.
    table = np.zeros((size, 2), np.uint64)
    found = np.empty(size, np.uint64)
    count = 0
    for index in range(len(keys)):
        if 2 * count >= size:
            size *= 4
            table = np.zeros((size, 2), np.uint64)
            larger = np.empty(size, np.uint64)
            larger[:count] = found[:count]
            found = larger
            for number in range(count):
                place = mix64(found[number]) & np.uint64(size - 1)
                while table[place, 1] != 0:
                    place = (place + np.uint64(1)) & np.uint64(size - 1)
                table[place, 0] = found[number]
                table[place, 1] = number + 1
        key = keys[index]
        place = mix64(key) & np.uint64(size - 1)
        while table[place, 1] != 0 and table[place, 0] != key:
            place = (place + np.uint64(1)) & np.uint64(size - 1)
        if table[place, 1] == 0:
            table[place, 0] = key
            found[count] = key
            count += 1
            table[place, 1] = count
        numbers[index] = np.int32(table[place, 1]) - 1
    return found[:count].copy(), numbers


def find_terms(
    vocabulary: npt.NDArray[np.uint64], keys: npt.NDArray[np.unsignedinteger]
) -> npt.NDArray[np.int32]:
    """Give the number of each key in an ascending vocabulary, -1 where it has none."""
    keys = np.asarray(keys, np.uint64)
    if not len(vocabulary):
        return np.full(len(keys), -1, np.int32)
    places = np.minimum(np.searchsorted(vocabulary, keys), len(vocabulary) - 1)
    return np.where(vocabulary[places] == keys, places, -1).astype(np.int32)


def number_part(
    keys: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    part_keys: npt.NDArray[np.uint64],
    part_offsets: npt.NDArray[np.int64],
) -> npt.NDArray[np.int32]:
    """Give the numbers of some of each article's own keys.

    Args:
      keys: shape (s,). Of n articles, ascending within each.
      offsets: shape (n + 1,). Article i owns keys[offsets[i]:offsets[i + 1]].
      numbers: shape (s,). The number of each.
      part_keys: shape (t,). Some of the keys of each article, ascending within each.
      part_offsets: shape (n + 1,).

    Returns:
      Array of shape (t,); -1 for what is not among the article's keys.
    """
    return _number_part(keys, offsets, numbers, part_keys, part_offsets)


@numba.njit(cache=True, nogil=True)
def _number_part(
    keys: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    part_keys: npt.NDArray[np.uint64],
    part_offsets: npt.NDArray[np.int64],
) -> npt.NDArray[np.int32]:
    found = np.full(len(part_keys), -1, np.int32)
    for article in range(len(offsets) - 1):
        own, end = offsets[article], offsets[article + 1]
        for place in range(part_offsets[article], part_offsets[article + 1]):
            while own < end and keys[own] < part_keys[place]:
                own += 1
            if own < end and keys[own] == part_keys[place]:
                found[place] = numbers[own]
    return found


@numba.njit(cache=True, nogil=True)
def count_articles(
    numbers: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    counts: npt.NDArray[np.float64],
    size: int,
) -> npt.NDArray[np.float64]:
    """Add up what the articles that hold each term count.

    Args:
      numbers: shape (s,). Numbers of the terms of n articles.
      offsets: shape (n + 1,). Article i owns numbers[offsets[i]:offsets[i + 1]].
      counts: shape (n,). What each article counts.
      size: terms there are.
    """
    sums = np.zeros(size, np.float64)
    for article in range(len(offsets) - 1):
        for place in range(offsets[article], offsets[article + 1]):
            sums[numbers[place]] += counts[article]
    return sums


def document_shares(
    vocabulary: npt.NDArray[np.uint64],
    batch_counts: npt.NDArray[np.number],
    batch_documents: float,
    background: Frequencies,
    *,
    prior_documents: int,
    batch_weight: float = 0.5,
    min_share: float,
) -> npt.NDArray[np.float64]:
    """Estimate the share of articles that hold each term.

    It is the background's share, or where the batch's is larger, something between the
    two: background^(1 - w) * batch^w, w being `batch_weight`. With w = 1 the name of a
    victim in a story of three hundred articles would be a common word and its story fall
    apart; with w = 0 "shooting" would tell much among shootings.

    Without a background every term is taken for a rare one there, and w is nearer to 1
    the larger the batch: a dozen articles do not show which words are common.

    The batch counts as if `prior_documents` more articles without the term stood in it:
    five articles of one story must not make its words common.

    Args:
      vocabulary: shape (v,). Terms of the batch.
      batch_counts: shape (v,). Articles of the batch that hold each.
      batch_documents: articles of the batch.
      background: of the batch's language; may be empty.
      prior_documents: articles that the batch is thinned with.
      batch_weight: what the batch counts against the background, 0 to 1.
      min_share: floor, above 0; a term rarer than this is as telling as at this.

    Returns:
      Array of shape (v,), between min_share and 1.

    Raises:
      ValueError: if min_share is not above 0.
    """
    if min_share <= 0:
        raise ValueError(f"min_share must be above 0, got {min_share}")
    batch = np.asarray(batch_counts, np.float64) / (batch_documents + prior_documents + 1)
    if len(background.keys):
        places = find_terms(background.keys, vocabulary)
        counts = np.where(places >= 0, background.counts[np.maximum(places, 0)], 0)
        known = np.maximum((counts + 0.5) / (background.documents + 1), min_share)
    else:
        known = np.full(len(vocabulary), min_share)
        trusted = batch_documents / max(batch_documents + prior_documents, 1)
        batch_weight = max(batch_weight, trusted)
    mixed = known ** (1 - batch_weight) * np.maximum(batch, known) ** batch_weight
    return np.clip(mixed, min_share, 1.0)


def inverse_document_frequencies(
    shares: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """Give -ln(share), rounded to four places.

    The last bits of a logarithm differ between processors; rounded, the same articles
    have the same weights on every machine.
    """
    return np.round(-np.log(shares), 4).astype(np.float32)


def sparse_vectors(
    terms: npt.NDArray[np.int32],
    counts: npt.NDArray[np.integer],
    offsets: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float32],
) -> SparseVectors:
    """Weigh each term by (1 + ln count) idf and scale every article to length 1.

    Args:
      terms: shape (s,). Numbers of terms, ascending within an article.
      counts: shape (s,). How often each stands in its article, at least 1.
      offsets: shape (n + 1,). Article i owns terms[offsets[i]:offsets[i + 1]].
      idf: shape (v,). Not negative.
    """
    largest = int(counts.max()) if len(counts) else 1
    log_counts = np.round(1 + np.log(np.arange(1, largest + 1)), 4)
    # Made by numpy, which asks for large pages: rows are read here and there.
    weights = np.zeros(len(terms), np.float32)
    _weigh(terms, np.asarray(counts), offsets, log_counts, idf, weights)
    return SparseVectors(terms, offsets, weights, len(idf))


@numba.njit(cache=True, nogil=True)
def _weigh(
    terms: npt.NDArray[np.int32],
    counts: npt.NDArray[np.integer],
    offsets: npt.NDArray[np.int64],
    log_counts: npt.NDArray[np.float64],
    idf: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
) -> None:
    """Write the weights; those of articles that weigh nothing stay zero."""
    most = 0
    for article in range(len(offsets) - 1):
        most = max(most, offsets[article + 1] - offsets[article])
    raw = np.empty(most, np.float64)
    for article in range(len(offsets) - 1):
        start, end = offsets[article], offsets[article + 1]
        squares = 0.0
        for place in range(start, end):
            weight = log_counts[np.int64(counts[place]) - 1] * idf[terms[place]]
            raw[place - start] = weight
            squares += weight * weight
        if squares > 0:
            length = np.sqrt(squares)
            for place in range(start, end):
                weights[place] = raw[place - start] / length


@numba.njit(cache=True, nogil=True)
def heaviest_terms(
    offsets: npt.NDArray[np.int64], weights: npt.NDArray[np.float32], most: int
) -> npt.NDArray[np.bool_]:
    """Mark the `most` heaviest terms of each article; ties go to the lower number.

    Returns:
      Array of shape (s,), true for at most `most` places of each article.
    """
    kept = np.zeros(len(weights), np.bool_)
    heap = np.empty(most, np.int64)
    for article in range(len(offsets) - 1):
        start, end = offsets[article], offsets[article + 1]
        if end - start <= most:
            for place in range(start, end):
                kept[place] = weights[place] > 0
            continue
        # A heap of the heaviest so far, the lightest at its root; of equals, the last.
        for place in range(start, start + most):
            heap[place - start] = place
        for root in range(most // 2 - 1, -1, -1):
            _sink(heap, root, most, weights)
        for place in range(start + most, end):
            if weights[place] > weights[heap[0]]:
                heap[0] = place
                _sink(heap, 0, most, weights)
        for rank in range(most):
            kept[heap[rank]] = weights[heap[rank]] > 0
    return kept


@numba.njit(cache=True, nogil=True)
def _sink(
    heap: npt.NDArray[np.int64], node: int, size: int, weights: npt.NDArray[np.float32]
) -> None:
    """Move a place down until those below it are heavier, or as heavy and earlier."""
    place = heap[node]
    while 2 * node + 1 < size:
        child = 2 * node + 1
        if child + 1 < size and _lighter(heap[child + 1], heap[child], weights):
            child += 1
        if not _lighter(heap[child], place, weights):
            break
        heap[node] = heap[child]
        node = child
    heap[node] = place


@numba.njit(cache=True, nogil=True)
def _lighter(one: int, other: int, weights: npt.NDArray[np.float32]) -> bool:
    """Whether a place weighs less than another, or as much and comes later."""
    if weights[one] == weights[other]:
        return one > other
    return weights[one] < weights[other]
