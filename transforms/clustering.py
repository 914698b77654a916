"""Clustering: scored pairs to stories, without chains.

A story is a group whose articles tell the same event on average, not one in which each
has some partner: of single links a chain of half-right pairs is made, and the largest
"story" of 1,350 articles then holds 592. Average linkage joins, again and again, the two
groups whose pairs score highest in the mean, until no mean reaches the threshold. A pair
counts by the root of its score, and a pair that was never scored by a small constant.

A source seldom tells one event twice. What makes two of its articles alike is often the
day, the town and the desk that wrote both. So two articles that only one source has are a
story only if that is likelier than for others.

The scored pairs of all blocks are gathered in one place, and `linkage` makes groups of
them.
"""

import dataclasses

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import Collections, column, concatenate
from schemas.fingerprint import FINGERPRINT
from schemas.match import STORY_EDGE, STORY_EVIDENCE
from transforms.blocking import AssignBlocks
from transforms.linkage import ABSENT, link_stories
from transforms.membership import STORY_MEMBERS
from transforms.story_model import DATA, shared_story_model
from transforms.story_scoring import ScoreBlocks, compared

# What grouping needs of an article beside its pairs, and what its edges show of it.
NODE = pa.schema(
    [
        FINGERPRINT.field(name)
        for name in ("article_key", "published", "article_id", "source")
    ]
)
_SECONDS_A_DAY = 86_400

# Lowest story score of two articles of one source that nobody else tells of.
ONE_SOURCE = 0.65


def first_articles(
    groups: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64],
    published: npt.NDArray[np.int64],
    dated: npt.NDArray[np.bool_],
) -> npt.NDArray[np.uint64]:
    """Name each article's story after the first article of its group.

    Args:
      groups: shape (n,). Equal for articles of one story.
      keys: shape (n,).
      published: shape (n,). Seconds since 1970; any number where not dated.
      dated: shape (n,). Articles without a date come last; then the lowest key.

    Returns:
      Array of shape (n,): the key of the story's first article.
    """
    order = np.lexsort((keys, np.where(dated, published, 0), ~dated, groups))
    ordered = groups[order]
    opens = np.ones(len(order), np.bool_)
    opens[1:] = ordered[1:] != ordered[:-1]
    stories = np.zeros(len(order), np.uint64)
    firsts = keys[order][opens]
    stories[order] = firsts[np.cumsum(opens) - 1]
    return stories


def without_doubtful_pairs(
    groups: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.floating],
    sources: npt.NDArray[np.int64],
    *,
    one_source: float,
) -> npt.NDArray[np.int32]:
    """Part the groups of two articles of one source whose score is low.

    Args:
      groups: shape (n,). The lowest row number of each article's group.
      pairs: shape (m, 2). Row numbers, first below second, distinct.
      scores: shape (m,). Story scores, 0 to 1.
      sources: shape (n,). A number for each source, -1 where unknown.
      one_source: lowest score of two that stay together.

    Returns:
      Array of shape (n,): the lowest row number of each article's group.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    alone = np.bincount(groups, minlength=len(groups)) == 2
    doubtful = (
        (groups[first] == groups[second])
        & alone[groups[first]]
        & (sources[first] == sources[second])
        & (sources[first] >= 0)
        & (scores < one_source)
    )
    parted = groups.copy()
    parted[second[doubtful]] = second[doubtful]
    return parted


def join_edges(edges: pa.RecordBatch) -> pa.RecordBatch:
    """Sort edges and keep one of each pair: that of the highest score.

    A pair that stood in two blocks was scored twice.
    """
    first, second = column(edges, "article_key"), column(edges, "matched_key")
    order = np.lexsort((-column(edges, "story_score"), second, first))
    first, second = first[order], second[order]
    distinct = np.ones(len(order), np.bool_)
    distinct[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return edges.take(pa.array(order[distinct]))


def group_stories(
    nodes: pa.RecordBatch,
    edges: pa.RecordBatch,
    *,
    threshold: float,
    absent: float,
    one_source: float = ONE_SOURCE,
) -> pa.RecordBatch:
    """Group articles into stories.

    Args:
      nodes: with columns `article_key`, `published` and `source`; repeats are dropped.
      edges: STORY_EDGE rows between them, in any order.
      threshold: lowest mean root of the story score of two groups that are joined.
      absent: root of the story score of a pair that was not scored.
      one_source: as of `without_doubtful_pairs`.

    Returns:
      STORY_MEMBERS rows in ascending order of article_key.
    """
    keys, rows = np.unique(column(nodes, "article_key"), return_index=True)
    published = nodes.column("published").take(pa.array(rows))
    edges = join_edges(edges)
    pairs = np.stack(
        [
            np.searchsorted(keys, column(edges, "article_key")),
            np.searchsorted(keys, column(edges, "matched_key")),
        ],
        axis=1,
    ).astype(np.int32)
    scores = column(edges, "story_score").astype(np.float64)
    groups = link_stories(
        pairs, np.sqrt(scores), len(keys), threshold=threshold, absent=absent
    )
    sources = nodes.column("source").take(pa.array(rows)).dictionary_encode().indices
    groups = without_doubtful_pairs(
        groups,
        pairs,
        scores,
        sources.fill_null(-1).to_numpy(),
        one_source=one_source,
    )
    stories = first_articles(
        groups,
        keys,
        published.fill_null(0).to_numpy(),
        published.is_valid().to_numpy(zero_copy_only=False),
    )
    company = np.bincount(groups, minlength=len(keys))[groups] > 1
    return pa.RecordBatch.from_arrays(
        [pa.array(keys[company]), pa.array(stories[company])], schema=STORY_MEMBERS
    )


def named_edges(nodes: pa.RecordBatch, edges: pa.RecordBatch) -> pa.RecordBatch:
    """Add to edges what a reader needs to see of them: ids and the gap in days.

    Args:
      nodes: schema NODE, in any order; repeats do no harm.
      edges: STORY_EDGE rows between them.

    Returns:
      STORY_EVIDENCE rows, in the same order.
    """
    keys, rows = np.unique(column(nodes, "article_key"), return_index=True)
    first, second = (
        nodes.take(pa.array(rows[np.searchsorted(keys, column(edges, name))]))
        for name in ("article_key", "matched_key")
    )
    seconds = pc.subtract(second.column("published"), first.column("published"))
    return pa.RecordBatch.from_arrays(
        [
            *edges.columns,
            first.column("article_id"),
            second.column("article_id"),
            pc.divide(seconds.cast(pa.float64()), _SECONDS_A_DAY).cast(pa.float32()),
        ],
        schema=STORY_EVIDENCE,
    )


@dataclasses.dataclass(eq=False)
class ScoreStories(beam.PTransform):
    """Group representatives into stories.

    Gives a dict: `edges`, one STORY_EVIDENCE batch of the pairs that were accepted or
    nearly so; `stories`, one STORY_MEMBERS batch of all stories of two or more.

    Attributes:
      staging: folder of this attempt, where articles wait to be compared.
      model_folder: where `pipeline.tune` wrote the story model.
      block_size: articles compared in one place.
      near_miss: lowest score of an edge that is given out.
    """

    staging: str
    model_folder: str = DATA
    block_size: int = 100_000
    near_miss: float = 0.1

    def expand(self, representatives: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Block, score, and gather the scored pairs in one place to group them."""
        scored = (
            representatives
            | "Keep what is compared" >> beam.Map(compared)
            | "Assign blocks" >> AssignBlocks(self.staging, self.block_size)
            | "Score blocks" >> ScoreBlocks(self.model_folder)
        )
        nodes = (
            representatives
            | "Keep nodes" >> beam.Map(lambda batch: batch.select(NODE.names))
            | "Gather nodes" >> beam.combiners.ToList()
        )
        edges = (
            scored
            | "Gather edges" >> beam.combiners.ToList()
            | "Join edges" >> beam.Map(_joined)
        )
        stories = nodes | "Group" >> beam.Map(
            self._group, edges=beam.pvalue.AsSingleton(edges)
        )
        named = nodes | "Name" >> beam.Map(
            self._named, edges=beam.pvalue.AsSingleton(edges)
        )
        return {"edges": named, "stories": stories}

    def _named(self, nodes: list[pa.RecordBatch], edges: pa.RecordBatch) -> pa.RecordBatch:
        near = column(edges, "story_score") >= np.float32(self.near_miss)
        return named_edges(concatenate(nodes, NODE), edges.filter(pa.array(near)))

    def _group(self, nodes: list[pa.RecordBatch], edges: pa.RecordBatch) -> pa.RecordBatch:
        return group_stories(
            concatenate(nodes, NODE),
            edges,
            threshold=shared_story_model(self.model_folder).threshold,
            absent=ABSENT,
        )


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return join_edges(concatenate(batches, STORY_EDGE))
