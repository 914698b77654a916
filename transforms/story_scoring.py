"""Story scoring: the probability that two articles tell the same event.

A pair is scored twice. The first score weighs what the two articles share, as
`pair_scoring` does. The second looks at the pair through its neighbours: two articles whose
other likely partners are the same belong together, two that only meet in one round-up do
not.

How wrong it is, on articles it was not fitted to, is in docs/quality.md: mostly late
follow-ups that share no day and few words with the first report, and equal incidents in
neighbouring towns.

Weights come from a `story_model`, fitted by `pipeline.tune`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.match import STORY_EDGE
from transforms.background import NO_BACKGROUND, Background
from transforms.block_terms import Block, numbered_block
from transforms.blocking import WINDOW, near_by_words, with_near_by_vector
from transforms.context import context_features, score_graph
from transforms.nearest import distinct_pairs, time_order
from transforms.pair_features import article_facts, article_vectors
from transforms.pair_scoring import (
    GRAPH_FLOOR,
    Begun,
    first_scores,
    own_features,
    pair_codes,
    probabilities,
    score_pairs,
)
from transforms.spilling import Slice, read_slice
from transforms.story_model import StoryModel, context_names, shared_story_model
from transforms.templates import TemplateRule, are_one_template


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


# Pairs that score less are no edges. Low: what was scored and found unlikely counts
# against a story, too.
MIN_SCORE = 0.01


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
class OpenBlock:
    """The articles of a block, weighed, and the pairs that their words propose.

    Attributes:
      block: see there.
      near: shape (m, 2), int32. Row numbers, first below second, ascending, distinct.
    """

    block: Block
    near: npt.NDArray[np.int32]

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """The keys of the articles in the order of their rows, which is ascending."""
        return column(self.block.fingerprints, "article_key")

    def with_vectors(self, vectors: npt.NDArray[np.float16]) -> "OpenBlock":
        """Give the block with other vectors of its articles, shape (n, d), in its order."""
        return dataclasses.replace(self, block=self.block.with_vectors(vectors))


def open_block(
    parts: Sequence[pa.RecordBatch], model: StoryModel, *, window: int = WINDOW
) -> OpenBlock:
    """Weigh the articles of a block and find those that are near each other in words.

    Args:
      parts: FINGERPRINT rows in any order, `vector` where articles are embedded, and
        `is_asked` where only some articles are asked about.
      model: see there.
      window: articles between two in time up to which these are compared.
    """
    fingerprints, numbered = numbered_block(parts)
    background = block_background(fingerprints, model.backgrounds)
    block = Block(fingerprints, numbered, background, model.rarity)
    near = near_by_words(
        block.weighed,
        neighbours=model.neighbours,
        order=time_order(fingerprints.column("published"), window),
    )
    return OpenBlock(block, near)


def score_articles(
    opened: OpenBlock, model: StoryModel, *, known: pa.RecordBatch | None = None
) -> ScoredPairs:
    """Score the pairs of one block.

    Args:
      opened: see there.
      model: see there.
      known: schema STORY_EDGE, at least, of pairs that an earlier run scored; others too.
        None: none is. Then pairs with an article that is asked about are scored, and
        some that these are seen through.
    """
    block, own = opened.block, own_features(model.context)
    fingerprints = block.fingerprints
    pairs = with_near_by_vector(
        opened.near, article_vectors(fingerprints), neighbours=model.neighbours
    )
    asked, begun = None, None
    if known is not None:
        asked = column(fingerprints, "is_asked").astype(np.bool_)
        pairs = pairs[asked[pairs].any(axis=1)]
        features, scores = _score_some(pairs, block, model, own)
        near = np.zeros(len(asked), np.bool_)
        near[pairs[scores > GRAPH_FLOOR]] = True
        through = _rows_of(known, opened.keys)
        through = through[near[through].any(axis=1)]
        proposed, pairs = pairs, distinct_pairs(np.concatenate([pairs, through]))
        rows = np.searchsorted(pair_codes(pairs), pair_codes(proposed))
        begun = Begun(rows, features, scores)
    # What a pair is scored by is worked out for the articles that have one.
    rows, places = _concerned(pairs, fingerprints.num_rows)
    articles = block.articles(rows)
    places, features, first = first_scores(
        places,
        articles,
        article_facts(block.rows(rows)),
        model.pair,
        model.embedded,
        functools.partial(block.weighed_again, rows, articles),
        own=own,
        asked=None if asked is None else asked[rows],
        block=fingerprints.num_rows,
        begun=begun,
    )
    second = second_scores(places, features, first, len(rows), model)
    return ScoredPairs(rows[places].astype(np.int32), features, first, second)


def _score_some(
    pairs: npt.NDArray[np.int32], block: Block, model: StoryModel, own: tuple[str, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    rows, places = _concerned(pairs, block.fingerprints.num_rows)
    facts = article_facts(block.rows(rows))
    return score_pairs(
        places, block.articles(rows), facts, model.pair, model.embedded, own=own
    )


def _concerned(
    pairs: npt.NDArray[np.int32], articles: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Give the rows of articles that stand in a pair, and the pairs as places in these."""
    met = np.zeros(articles, np.bool_)
    met[pairs] = True
    places = np.cumsum(met, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(met), places[pairs]


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
    opened = open_block(fingerprints, model)
    return score_opened(opened, model, min_score=min_score, known=known)


def score_opened(
    opened: OpenBlock,
    model: StoryModel,
    *,
    min_score: float,
    known: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    """Score the pairs of a block that is open, as `score_block` does."""
    scored, articles = score_articles(opened, model, known=known), opened.block.fingerprints
    kept = scored.second >= min_score
    if known is not None:
        asked = column(articles, "is_asked").astype(np.bool_)
        kept &= asked[scored.pairs].any(axis=1)
    kept &= ~are_one_template(articles, scored.pairs, TemplateRule())
    pairs = scored.pairs[kept]
    cosines = scored.features[kept, -1]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(opened.keys[pairs[:, 0]]),
            pa.array(opened.keys[pairs[:, 1]]),
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
