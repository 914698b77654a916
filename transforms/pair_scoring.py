"""Pair scoring: what two articles share, and those of their neighbours, weighed once.

The first score of a pair weighs what the two articles share (words by their rarity, names,
ages, days on which the event is placed) against how alike strangers are on that topic: a
logistic regression over a few dozen numbers that a person can read.

Then the graph is completed: articles that share a likely partner are scored too, though
neither was among the other's nearest. Without that, a story of three hundred articles
falls apart, as each of them was compared with some forty, and every pair that nobody
looked at counts as a pair that differs. At most MOST_COMPLETED pairs of an article are
added in a round, so that a story of ten thousand is not scored in all pairs, and
MEAN_COMPLETED in the mean of a block: news needs some five, texts about nothing that are
all a little alike, as those a program makes up, would take all they can get.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from transforms.context import (
    CONTEXT_FEATURES,
    article_counts,
    score_graph,
    unscored_pairs,
)
from transforms.pair_features import (
    EMBEDDED_FEATURES,
    PAIR_FEATURES,
    Facts,
    parts_of_features,
)
from transforms.rarity import WeighedArticles
from transforms.story_model import Weights, context_names

# Scores up to this are no edges of the graph that the second score looks at.
GRAPH_FLOOR = 0.03

# Completing the graph: likely partners, possible ones, rounds, pairs for one article in a
# round, and in all rounds for an article in the mean.
STRONG, WEAK, ROUNDS, MOST_COMPLETED, MEAN_COMPLETED = 0.3, 0.1, 3, 200, 60

# Articles that a large story counts as in the block's frequencies of terms.
LARGE = 4.0


def probabilities(
    features: npt.NDArray[np.floating], weights: Weights, names: tuple[str, ...]
) -> npt.NDArray[np.float32]:
    """Give the logistic regression's probability for each row of features.

    Raises:
      ValueError: if the weights are not those of exactly these names.
    """
    logits = _logits(features, weights.vector(names), weights.bias)
    return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _logits(
    features: npt.NDArray[np.floating], weights: npt.NDArray[np.float64], bias: float
) -> npt.NDArray[np.float64]:
    """Give the weighed sum of each row, added up in one order on every machine."""
    logits = np.empty(len(features), np.float64)
    for row in range(len(features)):
        logit = bias
        for number in range(len(weights)):
            logit += features[row, number] * weights[number]
        logits[row] = logit
    return logits


def pair_probabilities(
    features: npt.NDArray[np.float32], pair: Weights, embedded: Weights
) -> npt.NDArray[np.float32]:
    """Give the first score of each pair, by the weights that fit what is known of it.

    Args:
      features: shape (m, f), columns as EMBEDDED_FEATURES.
      pair: weights of PAIR_FEATURES.
      embedded: weights of EMBEDDED_FEATURES.
    """
    scores = probabilities(features[:, :-1], pair, PAIR_FEATURES)
    both = np.flatnonzero(~np.isnan(features[:, -1]))
    scores[both] = probabilities(features[both], embedded, EMBEDDED_FEATURES)
    return scores


def own_features(context: Weights) -> tuple[str, ...]:
    """Name the features of the pair itself that the second score weighs."""
    return tuple(name[2:] for name in context_names(context)[len(CONTEXT_FEATURES) :])


def score_pairs(
    pairs: npt.NDArray[np.int32],
    articles: WeighedArticles,
    facts: Facts,
    pair: Weights,
    embedded: Weights,
    *,
    own: tuple[str, ...],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Give the first score of pairs, and what the second score reads of each by itself.

    Args:
      pairs: shape (m, 2). Row numbers.
      articles: n articles.
      facts: of the same.
      pair: weights where one of the two is not embedded.
      embedded: weights where both are.
      own: names of the features that are kept, of PAIR_FEATURES.

    Returns:
      Features, shape (m, f), those of `own` and "vector_cosine"; scores, shape (m,).
    """
    columns = [EMBEDDED_FEATURES.index(name) for name in (*own, "vector_cosine")]
    kept = np.empty((len(pairs), len(columns)), np.float32)
    scores = np.empty(len(pairs), np.float32)
    for part, found in parts_of_features(pairs, articles, facts):
        kept[part] = found[:, columns]
        scores[part] = pair_probabilities(found, pair, embedded)
    return kept, scores


class Begun(NamedTuple):
    """Pairs that were scored before.

    Attributes:
      rows: shape (k,). Which pairs these are, distinct.
      features: shape (k, f). As of `score_pairs`.
      scores: shape (k,). As of `score_pairs`.
    """

    rows: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


def first_scores(
    pairs: npt.NDArray[np.int32],
    articles: WeighedArticles,
    facts: Facts,
    pair: Weights,
    embedded: Weights,
    weigh_again: Callable[[npt.NDArray[np.float64]], WeighedArticles],
    *,
    own: tuple[str, ...],
    asked: npt.NDArray[np.bool_] | None = None,
    block: int | None = None,
    begun: Begun | None = None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Score the proposed pairs, then those that share a likely partner.

    Pairs of large stories are scored again before that, with what `article_counts` gives.

    Args:
      pairs: shape (m, 2). Proposed pairs, ascending.
      articles: n articles.
      facts: of the same.
      pair: weights where one of the two is not embedded.
      embedded: weights where both are.
      weigh_again: gives the articles weighed anew where each counts what it is given.
      own: names of the features that are kept, of PAIR_FEATURES.
      asked: shape (n,). A pair of which neither article is asked about is not added;
        None: all are.
      block: articles of the block that these are of; None: these are all.
      begun: some of the pairs, scored before; None: none is.

    Returns:
      The pairs, shape (k, 2), ascending; their features, shape (k, f), those of `own`
      and "vector_cosine"; their first scores, shape (k,).
    """
    size = len(articles.densities)

    def scored(
        pairs: npt.NDArray[np.int32],
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return score_pairs(pairs, articles, facts, pair, embedded, own=own)

    if begun is None:
        features, scores = scored(pairs)
    else:
        features = np.empty((len(pairs), len(own) + 1), np.float32)
        scores = np.empty(len(pairs), np.float32)
        features[begun.rows], scores[begun.rows] = begun.features, begun.scores
        left = np.setdiff1d(np.arange(len(pairs)), begun.rows, assume_unique=True)
        features[left], scores[left] = scored(pairs[left])
    counts = article_counts(pairs, scores, size, above=GRAPH_FLOOR, large=LARGE)
    again = np.flatnonzero((counts < 1)[pairs].any(axis=1))
    if len(again):
        articles = weigh_again(counts)
        features[again], scores[again] = scored(pairs[again])
    # Features are put in order once, at the end; until then their places are kept.
    parts, places = [features], np.arange(len(pairs))
    new = None
    room = MEAN_COMPLETED * (block or size)
    for _ in range(ROUNDS):
        graph = score_graph(pairs, scores, size, above=GRAPH_FLOOR)
        more = unscored_pairs(
            graph,
            pairs,
            strong=STRONG,
            weak=WEAK,
            most=MOST_COMPLETED,
            total=room,
            new=new,
        )
        if asked is not None:
            more = more[asked[more].any(axis=1)]
        if not len(more):
            break
        room -= len(more)
        more_features, more_scores = scored(more)
        parts.append(more_features)
        new = np.zeros(size, np.bool_)
        new[more[more_scores > GRAPH_FLOOR]] = True
        before = np.searchsorted(pair_codes(pairs), pair_codes(more))
        places = np.insert(places, before, np.arange(len(pairs), len(pairs) + len(more)))
        pairs = np.insert(pairs, before, more, axis=0)
        scores = np.insert(scores, before, more_scores)
    return pairs, np.concatenate(parts)[places], scores


def pair_codes(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Give each pair as one number, in the order of the pairs."""
    return pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1]
