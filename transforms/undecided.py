"""Undecided articles: those whose story another look could change.

Words, names, ages and days settle most pairs. An embedding costs more than all of that
together, and where the rest is clear it decides nothing. So stories are formed without
embeddings first, and only where they could come out otherwise is it worth asking: where
two groups are nearly alike enough to be joined, or one is hardly alike enough to hold
together. Of such groups the articles of pairs that are neither certain nor impossible
are embedded, and the stories are formed again. In dense news this is so of half of all
articles, and only those of the pairs most in doubt are embedded.

What embedding all articles would add beyond that is in docs/quality.md.
"""

import dataclasses
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, concatenate
from schemas.match import STORY_EDGE
from transforms.clustering import Begun, assign_blocks, join_edges, score_blocks
from transforms.continuing import begun_together, prior_stories
from transforms.copy_groups import COPY_GROUP
from transforms.linkage import ABSENT, link_stories
from transforms.main_content import SHIPPED
from transforms.story_model import shared_story_model

# The keys of undecided articles, ascending.
UNDECIDED = pa.schema([pa.field("article_key", pa.uint64(), nullable=False)])

# How far from the threshold the mean similarity of two groups may lie, and that of the
# pairs inside one, to be undecided.
BELOW, ABOVE = 0.2, 0.2

# Scores between which a pair is open to what an embedding says of it.
OPEN = (0.05, 0.95)

# Share of the articles that are like any other that are embedded at most, and how many
# are in any case. In dense news a quarter keeps two thirds of what all of them add.
MOST, LEAST = 0.25, 100


def undecided_articles(
    pairs: npt.NDArray[np.int32],
    scores: npt.NDArray[np.floating],
    groups: npt.NDArray[np.int32],
    *,
    threshold: float,
    absent: float,
    below: float = BELOW,
    above: float = ABOVE,
    asked: npt.NDArray[np.bool_] | None = None,
    most: float = MOST,
    least: int = LEAST,
    known: npt.NDArray[np.bool_] | None = None,
    limit: int | None = None,
) -> npt.NDArray[np.int64]:
    """Find the articles whose story could be another one if they were embedded.

    Where these are too many, pairs come first whose score is nearest to a half, equal
    ones in the order of their rows.

    Args:
      pairs: shape (m, 2). Row numbers, distinct.
      scores: shape (m,). Story scores, 0 to 1.
      groups: shape (n,). The number of each article's group, below n.
      threshold: lowest mean root of the score of two groups that are joined.
      absent: root of the score of a pair that was not scored.
      below: two groups are undecided from this much below the threshold on.
      above: one group is undecided up to this much above it.
      asked: shape (m,). Pairs that can be scored again; None: all.
      most: share of the articles of any pair that are given, at most.
      least: articles that are given even if they are more than that share.
      known: shape (n,). Articles that are embedded already, and not given; None: none.
      limit: articles that are given at most, in place of `most` and `least`.

    Returns:
      Array of shape (k,): row numbers, ascending.
    """
    if not len(pairs):
        return np.zeros(0, np.int64)
    sizes = np.bincount(groups, minlength=len(groups))
    ends = np.sort(groups[pairs].astype(np.int64), axis=1)
    _, first, places, counts = np.unique(
        ends[:, 0] * len(groups) + ends[:, 1],
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    one, other = ends[first].T
    within = one == other
    possible = np.where(
        within, sizes[one] * (sizes[one] - 1) // 2, sizes[one] * sizes[other]
    )
    sums = np.bincount(places, np.sqrt(np.asarray(scores, np.float64)))
    means = (sums + absent * (possible - counts)) / possible
    undecided = np.where(within, means < threshold + above, means >= threshold - below)
    chosen = undecided[places] & (scores >= OPEN[0]) & (scores < OPEN[1])
    if asked is not None:
        chosen &= asked
    doubted = np.sort(pairs[chosen], axis=1)
    clear = np.abs(scores[chosen].astype(np.float64) - 0.5)
    doubted = doubted[np.lexsort((doubted[:, 1], doubted[:, 0], clear))]
    articles, first_seen = np.unique(doubted, return_index=True)
    articles = articles[np.argsort(first_seen)]
    if known is not None:
        articles = articles[~known[articles]]
    if limit is None:
        limit = max(least, int(most * len(np.unique(pairs))))
    return np.sort(articles[:limit]).astype(np.int64)


def undecided_keys(
    edges: pa.RecordBatch,
    *,
    threshold: float,
    absent: float = ABSENT,
    before: tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch] | None = None,
    embedded: npt.NDArray[np.uint64] | None = None,
    limit: int | None = None,
) -> npt.NDArray[np.uint64]:
    """Group articles by their edges; give the keys of undecided ones, ascending.

    Args:
      edges: STORY_EDGE rows in any order, of articles without embeddings.
      threshold: as of `undecided_articles`.
      absent: as of `undecided_articles`.
      before: STORY_EDGE rows that earlier runs scored, LEDGER rows, ascending, and
        COPY_GROUP rows of all articles whose copies changed; None: nothing came before.
      embedded: keys of articles that are embedded already; None: they are asked, too.
      limit: as of `undecided_articles`.
    """
    edges = join_edges(edges)
    keys, pairs = np.unique(_ends(edges), return_inverse=True)
    pairs = pairs.reshape(-1, 2)
    scores = column(edges, "story_score")
    asked = together = None
    if before is not None:
        known, ledger, groups = before
        known = known.filter(pa.array(np.isin(_ends(known), keys).all(axis=1)))
        asked = np.arange(len(pairs) + known.num_rows) < len(pairs)
        rows = np.searchsorted(keys, _ends(known))
        pairs = np.concatenate([pairs, rows])
        scores = np.concatenate([scores, column(known, "story_score")])
        together = begun_together(*prior_stories(keys, groups, ledger), len(keys))
        # Linking wants them in order.
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        pairs, scores, asked = pairs[order], scores[order], asked[order]
    rows_of_pairs = pairs.astype(np.int32)
    linked = link_stories(
        rows_of_pairs,
        np.sqrt(scores.astype(np.float64)),
        len(keys),
        threshold=threshold,
        absent=absent,
        together=together,
    )
    chosen = undecided_articles(
        rows_of_pairs,
        scores,
        linked,
        threshold=threshold,
        absent=absent,
        asked=asked,
        known=None if embedded is None else np.isin(keys, embedded),
        limit=limit,
    )
    return np.asarray(keys[chosen], np.uint64)


def _ends(edges: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    return np.stack(
        [column(edges, name) for name in ("article_key", "matched_key")], axis=1
    )


@dataclasses.dataclass(eq=False)
class FindUndecided(beam.PTransform):
    """Form stories without embeddings; give one UNDECIDED batch.

    Takes FINGERPRINT batches of representatives.

    Attributes:
      staging: folder of this attempt, where articles wait to be compared.
      model_folder: where `pipeline.tune` wrote the story model.
      block_size: articles compared in one place.
      begun: as of `ScoreStories`.
    """

    staging: str
    model_folder: str = SHIPPED
    block_size: int = 100_000
    begun: Begun | None = None

    def expand(
        self, representatives: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Score all blocks, gather the pairs in one place, look at their groups."""
        begun = self.begun
        return (
            representatives
            | "Assign blocks" >> assign_blocks(self.staging, self.block_size, begun)
            | "Score blocks" >> score_blocks(self.model_folder, begun)
            | "Gather edges" >> beam.combiners.ToList()
            | "Choose"
            >> beam.Map(_choose, self.model_folder, **(begun.told() if begun else {}))
        )


def _choose(
    scored: list[pa.RecordBatch],
    model_folder: str,
    known: pa.RecordBatch | None = None,
    ledger: pa.RecordBatch | None = None,
    groups: Iterable[pa.RecordBatch] = (),
) -> pa.RecordBatch:
    before = None
    if known is not None and ledger is not None:
        formed = concatenate(groups, COPY_GROUP)
        before = (known.select(STORY_EDGE.names), ledger, formed)
    keys = undecided_keys(
        concatenate(scored, STORY_EDGE),
        threshold=shared_story_model(model_folder).threshold,
        before=before,
    )
    return pa.RecordBatch.from_arrays([pa.array(keys)], schema=UNDECIDED)
