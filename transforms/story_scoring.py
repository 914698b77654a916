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
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import apache_beam as beam
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.match import STORY_EDGE
from transforms.background import NO_BACKGROUND, Background
from transforms.block_terms import Block, numbered_block
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
    article_vectors,
    parts_of_features,
)
from transforms.rarity import WeighedArticles
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
    block: int | None = None,
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
    left = MEAN_COMPLETED * (block or size)
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


def score_articles(
    parts: Sequence[pa.RecordBatch],
    model: StoryModel,
    *,
    window: int = WINDOW,
    known: pa.RecordBatch | None = None,
) -> tuple[ScoredPairs, pa.RecordBatch]:
    """Propose and score the pairs of one block.

    Args:
      parts: FINGERPRINT rows in any order, `vector` where articles are embedded, and
        `is_asked` where pairs are known.
      model: see there.
      window: articles between two in time up to which these are compared.
      known: schema STORY_EDGE, at least, of pairs that an earlier run scored; others too.
        None: none is. Then pairs with an article that is asked about are scored, and
        some that these are seen through.

    Returns:
      The scored pairs, and the articles that their rows number: those of `parts` in
      ascending order of article_key, without the columns of KEYS.
    """
    fingerprints, numbered = numbered_block(parts)
    background = block_background(fingerprints, model.backgrounds)
    block = Block(fingerprints, numbered, background, model.rarity)
    proposed = candidate_pairs(
        block.weighed,
        article_vectors(fingerprints),
        neighbours=model.neighbours,
        order=time_order(fingerprints.column("published"), window),
    )
    asked = None
    if known is not None:
        asked = column(fingerprints, "is_asked").astype(np.bool_)
        proposed = proposed[asked[proposed].any(axis=1)]
        before = _rows_of(known, column(fingerprints, "article_key"))
        through = before[_are_near(proposed, block, model)[before].any(axis=1)]
        proposed = distinct_pairs(np.concatenate([proposed, through]))
    # What a pair is scored by is worked out for the articles that have one.
    rows, pairs = _concerned(proposed, fingerprints.num_rows)
    articles = block.articles(rows)
    pairs, features, first = first_scores(
        pairs,
        articles,
        article_facts(block.rows(rows)),
        model.pair,
        model.embedded,
        functools.partial(block.weighed_again, rows, articles),
        own=own_features(model.context),
        asked=None if asked is None else asked[rows],
        block=fingerprints.num_rows,
    )
    second = second_scores(pairs, features, first, len(rows), model)
    pairs = rows[pairs].astype(np.int32)
    return ScoredPairs(pairs, features, first, second), fingerprints


def _concerned(
    pairs: npt.NDArray[np.int32], articles: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Give the rows of articles that stand in a pair, and the pairs as places in these."""
    met = np.zeros(articles, np.bool_)
    met[pairs] = True
    places = np.cumsum(met, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(met), places[pairs]


def _are_near(
    pairs: npt.NDArray[np.int32], block: Block, model: StoryModel
) -> npt.NDArray[np.bool_]:
    """Say of each article of a block whether it is like another one of these pairs."""
    near = np.zeros(block.fingerprints.num_rows, np.bool_)
    rows, places = _concerned(pairs, len(near))
    facts = article_facts(block.rows(rows))
    for part, found in parts_of_features(places, block.articles(rows), facts):
        likely = pair_probabilities(found, model.pair, model.embedded) > GRAPH_FLOOR
        near[pairs[part][likely]] = True
    return near


def score_block(
    fingerprints: pa.RecordBatch | Sequence[pa.RecordBatch],
    model: StoryModel,
    *,
    min_score: float,
    known: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    """Score the pairs of one block and give them as edges.

    Args:
      fingerprints: FINGERPRINT rows, in one part or in several, in any order, `vector`
        where embedded, and `is_asked` where only some articles are asked about.
      model: see there.
      min_score: pairs that score less are left out, and so are two notices of one template.
      known: schema STORY_EDGE, at least, of pairs that an earlier run scored; others too.

    Returns:
      STORY_EDGE rows, ascending; of pairs that are asked about.
    """
    if isinstance(fingerprints, pa.RecordBatch):
        fingerprints = [fingerprints]
    scored, articles = score_articles(fingerprints, model, known=known)
    kept = scored.second >= min_score
    if known is not None:
        asked = column(articles, "is_asked").astype(np.bool_)
        kept &= asked[scored.pairs].any(axis=1)
    kept &= ~are_one_template(articles, scored.pairs, TemplateRule())
    pairs = scored.pairs[kept]
    keys = column(articles, "article_key")
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


# Columns that scoring does not read.
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
    unread = [name for name in _NOT_COMPARED if name in fingerprints.schema.names]
    return fingerprints.drop_columns(unread)


# Those that it reads.
COMPARED = tuple(name for name in FINGERPRINT.names if name not in _NOT_COMPARED)


@dataclasses.dataclass(frozen=True)
class LateVectors:
    """Vectors of articles that wait on disk with a list of numbers, or null, as vector.

    Attributes:
      size: numbers of a vector.
      late: VECTOR batches of those that were embedded after they were set aside.
    """

    size: int
    late: beam.pvalue.AsIter


def with_vectors(
    articles: pa.RecordBatch, size: int, late: Iterable[pa.RecordBatch]
) -> pa.RecordBatch:
    """Put what scoring reads, unit vectors of one size, in place of lists of numbers.

    Args:
      articles: n rows; those whose `vector` is such a list are changed.
      size: numbers of a vector; 0: nobody asks for vectors.
      late: VECTOR rows, of these articles and of others.
    """
    if "vector" not in articles.schema.names:
        return articles
    found = articles.column("vector")
    if not pa.types.is_list(found.type):
        return articles
    if not size:
        return articles.drop_columns(["vector"])
    vectors = np.zeros((articles.num_rows, size), np.float16)
    given = found.is_valid().to_numpy(zero_copy_only=False)
    vectors[given] = _numbers(found.filter(pa.array(given)), size)
    keys = column(articles, "article_key")
    for batch in late:
        own = column(batch, "article_key")
        order = np.argsort(own)
        places = np.minimum(np.searchsorted(own, keys, sorter=order), max(len(own) - 1, 0))
        here = np.flatnonzero(own[order][places] == keys) if len(own) else places[:0]
        vectors[here] = _numbers(batch.column("vector"), size)[order[places[here]]]
    return with_column(articles, "vector", vectors)


def _numbers(lists: pa.ListArray, size: int) -> npt.NDArray[np.float16]:
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)


@dataclasses.dataclass(eq=False)
class ScoreBlocks(beam.PTransform):
    """Score the pairs of every block.

    Attributes:
      model_folder: where `pipeline.tune` wrote the story model.
      min_score: pairs that score less are no edges.
      known: one STORY_EDGE batch, at least, of what earlier runs scored; None: nothing.
      vectors: of articles that earlier runs wrote; None: nothing is scored by them.
    """

    model_folder: str
    min_score: float = MIN_SCORE
    known: beam.pvalue.AsSingleton | None = None
    vectors: LateVectors | None = None

    def expand(
        self, blocks: beam.PCollection[tuple[int, Slice]]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Gather each block and score it."""
        return (
            blocks
            | "Gather blocks" >> beam.GroupByKey()
            | "Score"
            >> beam.Map(
                _score,
                self.model_folder,
                min_score=self.min_score,
                known=self.known,
                **({} if self.vectors is None else vars(self.vectors)),
            )
        )


def _score(
    block: tuple[int, Iterable[Slice]],
    model_folder: str,
    *,
    min_score: float,
    known: pa.RecordBatch | None,
    size: int = 0,
    late: Iterable[pa.RecordBatch] = (),
) -> pa.RecordBatch:
    late = list(late)
    parts = [compared(with_vectors(read_slice(part), size, late)) for part in block[1]]
    names = parts[0].schema.names
    return score_block(
        [part.select(names) for part in parts],
        shared_story_model(model_folder),
        min_score=min_score,
        known=known,
    )
