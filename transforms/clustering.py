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
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import Collections, column, concatenate
from schemas.fingerprint import FINGERPRINT
from schemas.match import STORY_EDGE, STORY_EVIDENCE
from transforms.blocking import AssignBlocks
from transforms.continuing import (
    begun_together,
    merged_stories,
    oldest_begun,
    prior_stories,
)
from transforms.copy_groups import COPY_GROUP
from transforms.linkage import ABSENT, link_stories
from transforms.main_content import SHIPPED
from transforms.membership import STORY_MEMBERS, look_up
from transforms.spilling import Slice, read_slice
from transforms.story_model import shared_story_model
from transforms.story_scoring import LateVectors, ScoreBlocks, compared

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


def continue_stories(
    nodes: pa.RecordBatch,
    edges: pa.RecordBatch,
    ledger: pa.RecordBatch,
    groups: pa.RecordBatch,
    *,
    threshold: float,
    absent: float,
    one_source: float = ONE_SOURCE,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Group articles into stories, of which some have begun already.

    Args:
      nodes: as of `group_stories`.
      edges: as of `group_stories`; edges to other articles are left out.
      ledger: LEDGER rows, ascending.
      groups: COPY_GROUP rows of all articles whose copies changed.
      threshold: as of `group_stories`.
      absent: as of `group_stories`.
      one_source: as of `without_doubtful_pairs`.

    Returns:
      stories: STORY_MEMBERS rows of all nodes, ascending.
      merged: MERGED rows.
    """
    keys = np.unique(column(nodes, "article_key"))
    rows, begun = prior_stories(keys, groups, ledger)
    together = begun_together(rows, begun, len(keys))
    linked = _linked(nodes, edges, together, threshold, absent, one_source)
    return _under_names(nodes, linked, rows, begun, ledger)


def reform_stories(
    nodes: pa.RecordBatch,
    edges: pa.RecordBatch,
    ledger: pa.RecordBatch,
    groups: pa.RecordBatch,
    standing: pa.RecordBatch,
    *,
    threshold: float,
    absent: float,
    one_source: float = ONE_SOURCE,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Group articles into stories anew, under the names that stories have.

    A name goes with the article that it is the key of. A story whose name is that of an
    article which is no longer at hand stays together: who would keep the name?

    Args:
      nodes: as of `group_stories`.
      edges: as of `group_stories`; edges to other articles are left out.
      ledger: as of `continue_stories`.
      groups: as of `continue_stories`.
      standing: rows with `article_key`, ascending, and `representative_key`: who stands for
        each article that is at hand.
      threshold: as of `group_stories`.
      absent: as of `group_stories`.
      one_source: as of `without_doubtful_pairs`.

    Returns:
      stories: STORY_MEMBERS rows of all nodes, ascending.
      merged: MERGED rows: the stories whose name is given up.
    """
    keys = np.unique(column(nodes, "article_key"))
    rows, begun = prior_stories(keys, groups, ledger)
    namers = look_up(standing, "representative_key", begun)
    at = np.minimum(np.searchsorted(keys, namers), max(len(keys) - 1, 0))
    at_hand = np.isin(begun, column(standing, "article_key")) & (keys[at] == namers)
    together = begun_together(rows[~at_hand], begun[~at_hand], len(keys))
    linked = _linked(nodes, edges, together, threshold, absent, one_source)
    return _under_names(nodes, linked, np.where(at_hand, at, rows), begun, ledger)


def _linked(
    nodes: pa.RecordBatch,
    edges: pa.RecordBatch,
    together: npt.NDArray[np.int32],
    threshold: float,
    absent: float,
    one_source: float,
) -> npt.NDArray[np.int32]:
    """Link nodes of which some are together from the start, and stay so."""
    keys, _, pairs, scores, sources = _graph(nodes, edges)
    linked = link_stories(
        pairs,
        np.sqrt(scores),
        len(keys),
        threshold=threshold,
        absent=absent,
        together=together,
    )
    open_pairs = together[pairs[:, 0]] != together[pairs[:, 1]]
    return without_doubtful_pairs(
        linked, pairs[open_pairs], scores[open_pairs], sources, one_source=one_source
    )


def _under_names(
    nodes: pa.RecordBatch,
    linked: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    begun: npt.NDArray[np.uint64],
    ledger: pa.RecordBatch,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Name linked nodes after the oldest story that goes with one; see `oldest_begun`."""
    nothing = pa.RecordBatch.from_pylist([], schema=STORY_EDGE)
    keys, published, *_ = _graph(nodes, nothing)
    names = oldest_begun(first_articles(linked, keys, *published), rows, begun, ledger)
    stories = pa.RecordBatch.from_arrays(
        [pa.array(keys), pa.array(names)], schema=STORY_MEMBERS
    )
    return stories, merged_stories(rows, begun, names)


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
    keys, published, pairs, scores, sources = _graph(nodes, edges)
    groups = link_stories(
        pairs, np.sqrt(scores), len(keys), threshold=threshold, absent=absent
    )
    groups = without_doubtful_pairs(groups, pairs, scores, sources, one_source=one_source)
    stories = first_articles(groups, keys, *published)
    company = np.bincount(groups, minlength=len(keys))[groups] > 1
    return pa.RecordBatch.from_arrays(
        [pa.array(keys[company]), pa.array(stories[company])], schema=STORY_MEMBERS
    )


def _graph(
    nodes: pa.RecordBatch, edges: pa.RecordBatch
) -> tuple[
    npt.NDArray[np.uint64],
    tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]],
    npt.NDArray[np.int32],
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
]:
    """Number the nodes; give their times, the edges between them as rows, their sources."""
    keys, rows = np.unique(column(nodes, "article_key"), return_index=True)
    times = nodes.column("published").take(pa.array(rows))
    published = times.fill_null(0).to_numpy()
    edges = join_edges(edges)
    ends = np.stack(
        [column(edges, name) for name in ("article_key", "matched_key")], axis=1
    )
    pairs = np.minimum(np.searchsorted(keys, ends), max(len(keys) - 1, 0))
    here = (keys[pairs] == ends).all(axis=1) if len(keys) else np.zeros(0, np.bool_)
    scores = column(edges, "story_score")[here].astype(np.float64)
    dated = times.is_valid().to_numpy(zero_copy_only=False)
    sources = nodes.column("source").take(pa.array(rows)).dictionary_encode().indices
    return (
        keys,
        (published, dated),
        pairs[here].astype(np.int32),
        scores,
        sources.fill_null(-1).to_numpy().astype(np.int64),
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


@dataclasses.dataclass(frozen=True)
class Begun:
    """What of stories that have begun is given to all workers.

    Attributes:
      known: one STORY_EVIDENCE batch of all pairs that earlier runs scored.
      ledger: one LEDGER batch.
      groups: COPY_GROUP batches of all articles whose copies changed.
      nodes: articles that earlier runs wrote, with the columns of NODE, `is_asked` and
        those that scoring reads; what they are is on disk, and only there.
      vectors: as of `ScoreBlocks`.
    """

    known: beam.pvalue.AsSingleton
    ledger: beam.pvalue.AsSingleton
    groups: beam.pvalue.AsIter
    nodes: beam.PCollection[Slice]
    vectors: LateVectors | None = None

    def told(self) -> dict[str, Any]:
        """Give the side inputs by which stories go on."""
        return {"known": self.known, "ledger": self.ledger, "groups": self.groups}


def assign_blocks(staging: str, block_size: int, begun: Begun | None) -> AssignBlocks:
    """Make the transform that puts new articles into blocks, and those of stories begun."""
    waiting = None if begun is None else begun.nodes
    return AssignBlocks(staging, block_size, waiting=waiting)


def score_blocks(model_folder: str, begun: Begun | None) -> ScoreBlocks:
    """Make the transform that scores blocks of new articles and of stories begun."""
    if begun is None:
        return ScoreBlocks(model_folder)
    return ScoreBlocks(model_folder, known=begun.known, vectors=begun.vectors)


@dataclasses.dataclass(eq=False)
class ScoreStories(beam.PTransform):
    """Group representatives into stories.

    Gives a dict: `edges`, one STORY_EVIDENCE batch of the pairs that were accepted or
    nearly so; `stories`, one STORY_MEMBERS batch of all stories of two or more. Where
    stories have begun, the edges are the new ones, `stories` lists all representatives,
    and `merged` is one MERGED batch.

    Attributes:
      staging: folder of this attempt, where articles wait to be compared.
      model_folder: where `pipeline.tune` wrote the story model.
      block_size: articles compared in one place.
      near_miss: lowest score of an edge that is given out.
      begun: stories of earlier runs; None: there are none. Then what is given are the
        new representatives, with `is_asked`.
    """

    staging: str
    model_folder: str = SHIPPED
    block_size: int = 100_000
    near_miss: float = 0.1
    begun: Begun | None = None

    def expand(self, representatives: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Block, score, and gather the scored pairs in one place to group them."""
        begun = self.begun
        scored = (
            representatives
            | "Keep what is compared" >> beam.Map(compared)
            | "Assign blocks" >> assign_blocks(self.staging, self.block_size, begun)
            | "Score blocks" >> score_blocks(self.model_folder, begun)
        )
        nodes = representatives | "Keep nodes" >> beam.Map(_node)
        if begun is not None:
            waiting = begun.nodes | "Keep nodes that wait" >> beam.Map(_waiting_node)
            nodes = (nodes, waiting) | "All nodes" >> beam.Flatten()
        nodes |= "Gather nodes" >> beam.combiners.ToList()
        edges = beam.pvalue.AsSingleton(
            scored
            | "Gather edges" >> beam.combiners.ToList()
            | "Join edges" >> beam.Map(_joined)
        )
        named = nodes | "Name" >> beam.Map(_named, edges=edges, near_miss=self.near_miss)
        if begun is None:
            stories = nodes | "Group" >> beam.Map(_grouped, self.model_folder, edges=edges)
            return {"edges": named, "stories": stories}
        continued = nodes | "Continue" >> beam.FlatMap(
            _continued, self.model_folder, edges=edges, **begun.told()
        ).with_outputs("stories", "merged")
        return {
            "edges": named,
            "stories": continued["stories"],
            "merged": continued["merged"],
        }


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["stories"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["merged"], pa.RecordBatch]
)


def _node(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.select(NODE.names)


def _waiting_node(part: Slice) -> pa.RecordBatch:
    return read_slice(part).select(NODE.names)


def _named(
    nodes: list[pa.RecordBatch], edges: pa.RecordBatch, near_miss: float
) -> pa.RecordBatch:
    near = column(edges, "story_score") >= np.float32(near_miss)
    return named_edges(concatenate(nodes, NODE), edges.filter(pa.array(near)))


def _grouped(
    nodes: list[pa.RecordBatch], model_folder: str, edges: pa.RecordBatch
) -> pa.RecordBatch:
    return group_stories(
        concatenate(nodes, NODE),
        edges,
        threshold=shared_story_model(model_folder).threshold,
        absent=ABSENT,
    )


def _continued(
    nodes: list[pa.RecordBatch],
    model_folder: str,
    edges: pa.RecordBatch,
    known: pa.RecordBatch,
    ledger: pa.RecordBatch,
    groups: Iterable[pa.RecordBatch],
) -> Iterator[Tagged]:
    stories, merged = continue_stories(
        concatenate(nodes, NODE),
        concatenate([edges, known.select(STORY_EDGE.names)], STORY_EDGE),
        ledger,
        concatenate(groups, COPY_GROUP),
        threshold=shared_story_model(model_folder).threshold,
        absent=ABSENT,
    )
    yield beam.pvalue.TaggedOutput("stories", stories)
    yield beam.pvalue.TaggedOutput("merged", merged)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return join_edges(concatenate(batches, STORY_EDGE))
