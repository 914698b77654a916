"""Story scoring: the probability that two articles tell the same event.

A pair is scored twice. The first score weighs what the two articles share (words by their
rarity, names, ages, days on which the event is placed) against how alike strangers are on
that topic: a logistic regression over a few dozen numbers that a person can read. The
second score looks at the pair through its neighbours: two articles whose other likely
partners are the same belong together, two that only meet in one round-up do not.

Between the two, the graph is completed: articles that share a likely partner are scored
too, though neither was among the other's nearest. Without that, a story of three hundred
articles falls apart, as each of them was compared with some forty, and every pair that
nobody looked at counts as a pair that differs. At most MOST_COMPLETED pairs of an article
are added in a round, so that a story of ten thousand is not scored in all pairs, and
MEAN_COMPLETED in the mean of a block: news needs some five, texts about nothing that are
all a little alike, as those a program makes up, would take all they can get.

How wrong it is, on articles it was not fitted to, is in docs/quality.md: mostly late
follow-ups that share no day and few words with the first report, and equal incidents in
neighbouring towns.

Weights come from a `story_model`, fitted by `pipeline.tune`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import apache_beam as beam
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column
from schemas.match import STORY_EDGE
from transforms.background import NO_BACKGROUND, Background
from transforms.blocking import WINDOW, candidate_pairs
from transforms.context import (
    CONTEXT_FEATURES,
    article_counts,
    context_features,
    score_graph,
    unscored_pairs,
)
from transforms.nearest import distinct_pairs, time_order
from transforms.pair_features import (
    EMBEDDED_FEATURES,
    PAIR_FEATURES,
    Facts,
    article_facts,
    parts_of_features,
)
from transforms.rarity import KEYS, WeighedArticles, weigh_articles
from transforms.spilling import Slice, read_slice
from transforms.story_model import (
    StoryModel,
    Weights,
    context_names,
    shared_story_model,
)
from transforms.templates import TemplateRule, are_one_template


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


def context_columns(
    context: npt.NDArray[np.float32], features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Put what `first_scores` keeps of a pair beside what is said of its context."""
    return np.concatenate([context, features[:, :-1]], axis=1)


@dataclasses.dataclass(frozen=True)
class ScoredPairs:
    """Pairs of a block with their scores.

    Attributes:
      pairs: shape (m, 2), int32. Row numbers, first below second, ascending.
      features: shape (m, f). The pair's own that the second score weighs, then
        "vector_cosine".
      first: shape (m,), float32. By what the two share.
      second: shape (m,), float32. Through their neighbours: the story score.
    """

    pairs: npt.NDArray[np.int32]
    features: npt.NDArray[np.float32]
    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]


# Scores up to this are no edges of the graph that the second score looks at.
GRAPH_FLOOR = 0.03

# Completing the graph: likely partners, possible ones, rounds, pairs for one article in a
# round, and in all rounds for an article in the mean.
STRONG, WEAK, ROUNDS, MOST_COMPLETED, MEAN_COMPLETED = 0.3, 0.1, 3, 200, 60

# Articles that a large story counts as in the block's frequencies of terms.
LARGE = 4.0

# Pairs that score less are no edges. Low: what was scored and found unlikely counts
# against a story, too.
MIN_SCORE = 0.01


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

    Returns:
      The pairs, shape (k, 2), ascending; their features, shape (k, f), those of `own`
      and "vector_cosine"; their first scores, shape (k,).
    """
    size = len(articles.densities)
    columns = [EMBEDDED_FEATURES.index(name) for name in (*own, "vector_cosine")]

    def scored(
        pairs: npt.NDArray[np.int32],
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        kept = np.empty((len(pairs), len(columns)), np.float32)
        scores = np.empty(len(pairs), np.float32)
        for part, found in parts_of_features(pairs, articles, facts):
            kept[part] = found[:, columns]
            scores[part] = pair_probabilities(found, pair, embedded)
        return kept, scores

    features, scores = scored(pairs)
    counts = article_counts(pairs, scores, size, above=GRAPH_FLOOR, large=LARGE)
    again = np.flatnonzero((counts < 1)[pairs].any(axis=1))
    if len(again):
        articles = weigh_again(counts)
        features[again], scores[again] = scored(pairs[again])
    # Features are put in order once, at the end; until then their places are kept.
    parts, places = [features], np.arange(len(pairs))
    new = None
    left = MEAN_COMPLETED * size
    for _ in range(ROUNDS):
        graph = score_graph(pairs, scores, size, above=GRAPH_FLOOR)
        more = unscored_pairs(
            graph, pairs, strong=STRONG, weak=WEAK, most=MOST_COMPLETED, total=left, new=new
        )
        if asked is not None:
            more = more[asked[more].any(axis=1)]
        if not len(more):
            break
        left -= len(more)
        more_features, more_scores = scored(more)
        parts.append(more_features)
        new = np.zeros(size, np.bool_)
        new[more[more_scores > GRAPH_FLOOR]] = True
        before = np.searchsorted(_codes(pairs), _codes(more))
        places = np.insert(places, before, np.arange(len(pairs), len(pairs) + len(more)))
        pairs = np.insert(pairs, before, more, axis=0)
        scores = np.insert(scores, before, more_scores)
    return pairs, np.concatenate(parts)[places], scores


def _codes(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Give each pair as one number, in the order of the pairs."""
    return pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1]


def second_scores(
    pairs: npt.NDArray[np.int32],
    features: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    articles: int,
    model: StoryModel,
) -> npt.NDArray[np.float32]:
    """Score the pairs through their neighbours.

    In a crowd the second score may raise the first but not lower it: the stories it was
    fitted on are small, and many partners are there a sign of a vague topic.
    """
    graph = score_graph(pairs, scores, articles, above=GRAPH_FLOOR)
    names = context_names(model.context)
    second = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS):
        part = slice(start, start + _PAIRS)
        context, crowds = context_features(
            pairs[part], scores[part], graph, crowd=model.crowded
        )
        columns = context_columns(context, features[part])
        found = probabilities(columns, model.context, names)
        second[part] = np.where(
            crowds > model.crowded, np.maximum(found, scores[part]), found
        )
    return second


# Pairs whose context is in memory at a time.
_PAIRS = 1 << 17


def block_background(
    fingerprints: pa.RecordBatch, backgrounds: Mapping[str, Background]
) -> Background:
    """Choose the background of a block's language; "und" rows are guests of another."""
    languages = set(fingerprints.column("language").to_pylist()) - {"und"}
    return backgrounds.get(min(languages, default=""), NO_BACKGROUND)


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which pairs of a block are new, where an earlier run has scored the others.

    Attributes:
      articles: shape (n,). Articles that are new, or were not compared before.
      known: shape (k, 2), int32. Pairs that were scored before, ascending: the new ones
        are seen through them, too.
    """

    articles: npt.NDArray[np.bool_]
    known: npt.NDArray[np.int32]


def score_articles(
    fingerprints: pa.RecordBatch,
    model: StoryModel,
    *,
    window: int = WINDOW,
    asked: Asked | None = None,
) -> tuple[ScoredPairs, WeighedArticles]:
    """Propose and score the pairs of one block.

    Args:
      fingerprints: FINGERPRINT rows in ascending order of article_key, and `vector`
        where articles are embedded.
      model: see there.
      window: articles between two in time up to which these are compared.
      asked: which pairs are new; None: all are. Some of those given are not new all the
        same: those that the new ones are seen through.
    """
    background = block_background(fingerprints, model.backgrounds)
    articles = weigh_articles(fingerprints, background, model.rarity)
    # By now they are numbered, and memory is short.
    fingerprints = fingerprints.drop_columns(list(KEYS))
    pa.default_memory_pool().release_unused()
    facts = article_facts(fingerprints)
    proposed = candidate_pairs(
        articles,
        facts.vectors,
        neighbours=model.neighbours,
        order=time_order(fingerprints.column("published"), window),
    )
    if asked is not None:
        proposed = proposed[asked.articles[proposed].any(axis=1)]
        near = np.zeros(fingerprints.num_rows, np.bool_)
        for part, found in parts_of_features(proposed, articles, facts):
            likely = pair_probabilities(found, model.pair, model.embedded) > GRAPH_FLOOR
            near[proposed[part][likely]] = True
        through = asked.known[near[asked.known].any(axis=1)]
        proposed = distinct_pairs(np.concatenate([proposed, through]))
    pairs, features, first = first_scores(
        proposed,
        articles,
        facts,
        model.pair,
        model.embedded,
        lambda counts: weigh_articles(
            fingerprints,
            background,
            model.rarity,
            counts=counts,
            before=articles,
        ),
        own=own_features(model.context),
        asked=None if asked is None else asked.articles,
    )
    second = second_scores(pairs, features, first, fingerprints.num_rows, model)
    return ScoredPairs(pairs, features, first, second), articles


def score_block(
    fingerprints: pa.RecordBatch | pa.Table,
    model: StoryModel,
    *,
    min_score: float,
    known: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    """Score the pairs of one block and give them as edges.

    Args:
      fingerprints: FINGERPRINT rows, at least one, in any order, `vector` where embedded,
        and `is_asked` where only some articles are asked about.
      model: see there.
      min_score: pairs that score less are left out, and so are two notices of one template.
      known: schema STORY_EDGE, at least, of pairs that an earlier run scored; others too.

    Returns:
      STORY_EDGE rows, ascending; of pairs that are asked about.
    """
    order = np.argsort(column(fingerprints, "article_key"), kind="stable")
    fingerprints = fingerprints.take(pa.array(order))
    if isinstance(fingerprints, pa.Table):
        (fingerprints,) = fingerprints.combine_chunks().to_batches()
    asked = None
    if known is not None:
        asked = Asked(
            column(fingerprints, "is_asked").astype(np.bool_),
            _rows_of(known, column(fingerprints, "article_key")),
        )
    # Handed over, so that no more is held of them than is needed.
    handed = [fingerprints]
    fingerprints = fingerprints.drop_columns(list(KEYS))
    scored, _ = score_articles(handed.pop(), model, asked=asked)
    kept = scored.second >= min_score
    if asked is not None:
        kept &= asked.articles[scored.pairs].any(axis=1)
    kept &= ~are_one_template(fingerprints, scored.pairs, TemplateRule())
    pairs = scored.pairs[kept]
    keys = column(fingerprints, "article_key")
    cosines = scored.features[kept, -1]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(keys[pairs[:, 0]]),
            pa.array(keys[pairs[:, 1]]),
            pa.array(scored.second[kept]),
            pa.array(cosines, mask=np.isnan(cosines)),
        ],
        schema=STORY_EDGE,
    )


def _rows_of(edges: pa.RecordBatch, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
    """Give the rows of the edges of which both articles are here, ascending.

    Args:
      edges: schema STORY_EDGE, at least.
      keys: shape (n,), ascending.
    """
    if not len(keys):
        return np.zeros((0, 2), np.int32)
    ends = np.stack(
        [column(edges, name) for name in ("article_key", "matched_key")], axis=1
    )
    rows = np.minimum(np.searchsorted(keys, ends), len(keys) - 1)
    here = (keys[rows] == ends).all(axis=1)
    return distinct_pairs(rows[here].astype(np.int32))


# Columns that scoring does not read: much of what is shuffled.
_NOT_COMPARED = (
    "article_id",
    "source",
    "credited_source",
    "removed_word_count",
    "has_title",
    "text_key",
    "passage_keys",
)


def compared(fingerprints: pa.RecordBatch) -> pa.RecordBatch:
    """Give FINGERPRINT rows without the columns that scoring does not read."""
    return fingerprints.drop_columns(list(_NOT_COMPARED))


@dataclasses.dataclass(eq=False)
class ScoreBlocks(beam.PTransform):
    """Score the pairs of every block.

    Attributes:
      model_folder: where `pipeline.tune` wrote the story model.
      min_score: pairs that score less are no edges.
      known: one STORY_EDGE batch, at least, of what earlier runs scored; None: nothing.
    """

    model_folder: str
    min_score: float = MIN_SCORE
    known: beam.pvalue.AsSingleton | None = None

    def expand(
        self, blocks: beam.PCollection[tuple[int, Slice]]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Gather each block and score it."""
        return (
            blocks
            | "Gather blocks" >> beam.GroupByKey()
            | "Score"
            >> beam.Map(
                _score, self.model_folder, min_score=self.min_score, known=self.known
            )
        )


def _score(
    block: tuple[int, Iterable[Slice]],
    model_folder: str,
    *,
    min_score: float,
    known: pa.RecordBatch | None,
) -> pa.RecordBatch:
    return score_block(
        # Read here and there, and copied once.
        pa.Table.from_batches([read_slice(part) for part in block[1]]),
        shared_story_model(model_folder),
        min_score=min_score,
        known=known,
    )
