"""Context: a pair of articles seen through the articles that both are likely to go with.

Two articles whose other likely partners are the same belong together; two that only meet
in one round-up do not. The first scores of a block make a sparse symmetric graph, and
what is computed here of a pair are numbers of its two rows. They are ratios, or end at
a crowd: the stories that weights are fitted on are small, and a number that grows with
the story, as a count of common partners does, would be without example in a large one.

A pair that nobody proposed looks like a pair that differs. So the graph is completed
first: articles that share a likely partner are scored too (`unscored_pairs`).

The idea of a second look at relational data through its neighbours: I. Bhattacharya and
L. Getoor, "Collective entity resolution in relational data", 2007.
"""

import dataclasses

import numba
import numpy as np
import numpy.typing as npt

from transforms.nearest import distinct_pairs

# What the second score weighs, in the order of the columns of `context_features`.
CONTEXT_FEATURES = (
    "logit",
    "probability",
    # Cosine of the two rows of the graph, each with itself.
    "common_partners",
    # ln(1 + sum over partners of the product of both probabilities), up to a crowd, as
    # are the next two.
    "common_weight",
    # ln(1 + expected partners) of the article that has more, and of the other.
    "most_partners",
    "fewest_partners",
    # How likely the pair is in the eyes of either's other partners, less its own score.
    "support",
    "least_support",
    # 1 if the partners that were asked weigh more than a half.
    "supported",
)


@dataclasses.dataclass(frozen=True)
class Graph:
    """Symmetric sparse matrix of the first score; nothing on its diagonal.

    Attributes:
      offsets: shape (n + 1,), int64. Row i owns partners[offsets[i]:offsets[i + 1]].
      partners: shape (e,), int32. Ascending within a row.
      weights: shape (e,), float32.
    """

    offsets: npt.NDArray[np.int64]
    partners: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


def score_graph(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    articles: int,
    *,
    above: float,
) -> Graph:
    """Make the graph of the pairs that score above a number.

    Args:
      pairs: shape (m, 2). Distinct, first below second, ascending.
      scores: shape (m,).
      articles: n.
      above: scores up to it are taken as 0.
    """
    return Graph(*_score_graph(pairs, scores, articles, above))


@numba.njit(cache=True, nogil=True)
def _score_graph(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    articles: int,
    above: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    offsets = np.zeros(articles + 1, np.int64)
    for pair in range(len(pairs)):
        if scores[pair] > above:
            offsets[pairs[pair, 0] + 1] += 1
            offsets[pairs[pair, 1] + 1] += 1
    for article in range(articles):
        offsets[article + 1] += offsets[article]
    begins = offsets[:-1].copy()
    partners = np.empty(offsets[articles], np.int32)
    weights = np.empty(offsets[articles], np.float32)
    # As the pairs ascend, a row's lower partners come before its higher ones, in order.
    for pair in range(len(pairs)):
        if scores[pair] > above:
            for side in range(2):
                own = pairs[pair, side]
                partners[begins[own]] = pairs[pair, 1 - side]
                weights[begins[own]] = scores[pair]
                begins[own] += 1
    return offsets, partners, weights


def article_counts(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    articles: int,
    *,
    above: float,
    large: float,
) -> npt.NDArray[np.float64]:
    """Give what each article counts in the frequencies: less, the larger its story.

    Frequencies are to tell in how many stories a term stands. Three hundred reports that
    name one victim would make a common word of the name, and their story fall apart.

    Args:
      pairs: shape (m, 2). Row numbers.
      scores: shape (m,). The sum of an article's is the number of partners to expect.
      articles: n.
      above: scores up to it are taken as 0.
      large: articles that a large story counts as.

    Returns:
      Array of shape (n,): 1, or `large` over the expected partners if these are more.
    """
    kept = scores > above
    both = np.concatenate([pairs[kept, 0], pairs[kept, 1]])
    weights = np.concatenate([scores[kept], scores[kept]]).astype(np.float64)
    partners = np.bincount(both, weights=weights, minlength=articles)
    # The last bits of a score differ between processors; rounded, the counts do not.
    return np.asarray(np.round(large / np.maximum(partners, large), 3), np.float64)


def unscored_pairs(
    graph: Graph,
    pairs: npt.NDArray[np.int32],
    *,
    strong: float,
    weak: float,
    most: int,
    total: int | None = None,
    new: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int32]:
    """Find the pairs nobody proposed that share a likely partner.

    Two articles share one if there is a third that one of them scores at least `strong`
    with, and the other at least `weak`.

    Args:
      graph: of the scored pairs.
      pairs: shape (m, 2). All scored pairs, those that score too low for the graph
        included; ascending.
      strong: score of the likelier of the two steps, 0 to 1.
      weak: score of the other, 0 to 1.
      most: pairs found for one article, at most.
      total: pairs found for all, at most; `most` is lowered until it holds. None: no end.
      new: shape (n,). Articles whose rows have changed since this was last done and all
        that was found then scored; None: it was not done before.

    Returns:
      Array of shape (k, 2), ascending, distinct, none of them in `pairs`.
    """
    if new is None:
        new = np.ones(len(graph.offsets) - 1, np.bool_)
    found = _two_steps(
        graph.offsets, graph.partners, graph.weights, strong, weak, most, new
    )
    if total is not None and len(found) > total:
        found = found[_rank(found[:, 0]) < _largest_most(found[:, 0], total)]
    return _unknown(distinct_pairs(found), pairs)


def _rank(articles: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Number what was found for each article; `articles` ascend."""
    return np.arange(len(articles)) - np.searchsorted(articles, articles)


def _largest_most(articles: npt.NDArray[np.int32], total: int) -> int:
    """Give how many may be kept for each article, for no more than `total` of all."""
    _, counts = np.unique(articles, return_counts=True)
    # How many articles have a pair of each rank, added up.
    kept = np.cumsum(np.cumsum(np.bincount(counts)[:0:-1])[::-1])
    return int(np.searchsorted(kept, total, side="right"))


@numba.njit(cache=True, nogil=True)
def _unknown(
    found: npt.NDArray[np.int32], known: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Give the found pairs that are not among the known ones; all ascending."""
    kept = np.empty_like(found)
    count = place = 0
    for pair in range(len(found)):
        i, j = found[pair]
        while place < len(known) and (
            known[place, 0] < i or (known[place, 0] == i and known[place, 1] < j)
        ):
            place += 1
        if place == len(known) or known[place, 0] != i or known[place, 1] != j:
            kept[count] = found[pair]
            count += 1
    return kept[:count].copy()


@numba.njit(cache=True, nogil=True)
def _two_steps(
    offsets: npt.NDArray[np.int64],
    partners: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    strong: float,
    weak: float,
    most: int,
    new: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int32]:
    articles = len(offsets) - 1
    seen = np.full(articles, -1, np.int32)
    size = 1024
    found = np.zeros((size, 2), np.int32)
    total = 0
    for article in range(articles):
        # What is found over two old rows was found before.
        fresh = new[article]
        for partner in partners[offsets[article] : offsets[article + 1]]:
            fresh = fresh or new[partner]
        if not fresh:
            continue
        seen[article] = article
        # What it was compared with already does not count against `most`.
        for place in range(offsets[article], offsets[article + 1]):
            seen[partners[place]] = article
        own = 0
        for place in range(offsets[article], offsets[article + 1]):
            if own == most:
                break
            first = weights[place]
            if first < weak:
                continue
            middle = partners[place]
            for step in range(offsets[middle], offsets[middle + 1]):
                second = weights[step]
                other = partners[step]
                if second < weak or max(first, second) < strong or seen[other] == article:
                    continue
                seen[other] = article
                if total == size:
                    size *= 2
                    larger = np.zeros((size, 2), np.int32)
                    larger[:total] = found
                    found = larger
                found[total, 0] = article
                found[total, 1] = other
                total += 1
                own += 1
                if own == most:
                    break
    return found[:total]


def context_features(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    graph: Graph,
    *,
    partner: float = 0.3,
    crowd: float,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute what the second score weighs, but for the pair's own features.

    Args:
      pairs: shape (m, 2). Row numbers.
      scores: shape (m,). The first score of each pair.
      graph: of the first scores.
      partner: score from which a third article is asked about the pair.
      crowd: expected partners above which more of them are counted as this many.

    Returns:
      features: shape (m, c), columns as CONTEXT_FEATURES.
      crowds: shape (m,). Expected partners of the article of the two that has fewer.
    """
    features = np.zeros((len(pairs), len(CONTEXT_FEATURES)), np.float32)
    crowds = np.zeros(len(pairs), np.float32)
    _context(
        pairs,
        scores,
        graph.offsets,
        graph.partners,
        graph.weights,
        partner,
        crowd,
        features,
        crowds,
    )
    return features, crowds


@numba.njit(cache=True, nogil=True)
def _context(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    partners: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    partner: float,
    crowd: float,
    features: npt.NDArray[np.float32],
    crowds: npt.NDArray[np.float32],
) -> None:
    articles = len(offsets) - 1
    masses = np.zeros(articles)
    strong = np.zeros(articles)
    lengths = np.zeros(articles)
    for article in range(articles):
        squares = 1.0
        for place in range(offsets[article], offsets[article + 1]):
            weight = weights[place]
            masses[article] += weight
            squares += weight * weight
            if weight > partner:
                strong[article] += weight
        lengths[article] = np.sqrt(squares)
    # The row of the first article, laid out once for all pairs that it is the first of.
    row = np.zeros(articles, np.float32)
    opened = -1
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        if i != opened:
            if opened >= 0:
                for other in partners[offsets[opened] : offsets[opened + 1]]:
                    row[other] = 0
            for place in range(offsets[i], offsets[i + 1]):
                row[partners[place]] = weights[place]
            opened = i
        direct = np.float64(row[j])
        common = asked_i = asked_j = 0.0
        for place in range(offsets[j], offsets[j + 1]):
            # What is no partner of both weighs nothing: a branch costs more.
            own_weight, weight = row[partners[place]], weights[place]
            product = own_weight * weight
            common += product
            asked_i += product * (own_weight > partner)
            asked_j += product * (weight > partner)
        score = scores[pair]
        own = direct if direct > partner else 0.0
        weight_i, weight_j = strong[i] - own, strong[j] - own
        support_i = support_j = 0.0
        if weight_i > 0.25:
            support_i = min(1.0, asked_i / weight_i) - score
        if weight_j > 0.25:
            support_j = min(1.0, asked_j / weight_j) - score
        clipped = min(max(score, 1e-4), 1 - 1e-4)
        features[pair, 0] = np.log(clipped / (1 - clipped))
        features[pair, 1] = score
        features[pair, 2] = (common + 2 * direct) / (lengths[i] * lengths[j])
        features[pair, 3] = np.log(1 + min(common, crowd))
        features[pair, 4] = np.log(1 + min(crowd, max(masses[i], masses[j])))
        features[pair, 5] = np.log(1 + min(crowd, masses[i], masses[j]))
        features[pair, 6] = support_i + support_j
        features[pair, 7] = min(support_i, support_j)
        features[pair, 8] = weight_i + weight_j > 0.5
        crowds[pair] = min(masses[i], masses[j])
