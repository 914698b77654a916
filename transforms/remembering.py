"""Remembering: what a stream knows of the articles that came before, and what it forgets.

Of each article it holds the text and the fingerprint, of pairs what was found. What is old
goes: first text and fingerprint, and where the article stands once nobody of its story is
remembered. So a story keeps its name however long it goes on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import REJECT
from schemas.batch import column, with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.past import LEDGER, STANDING, VECTOR
from schemas.story import LINES
from transforms.continuing import ledger_rows
from transforms.membership import look_up
from transforms.story_articles import STORY_ARTICLE

_ENDS = ("article_key", "matched_key")
_UNDATED = np.iinfo(np.int64).max


class Past(NamedTuple):
    """What is remembered of the articles of a language that came before.

    Attributes:
      articles: STORY_ARTICLE rows, as they were when they came; `run_id` says when.
      vectors: VECTOR rows of those that were embedded.
      standings: STANDING rows, ascending; of forgotten articles, too, as long as one of
        their story is remembered.
      copy_edges: COPY_EVIDENCE rows, both ends among the standings.
      story_edges: STORY_EVIDENCE rows, both ends among the articles.
      lines: LINES rows of the articles.
    """

    articles: pa.RecordBatch
    vectors: pa.RecordBatch
    standings: pa.RecordBatch
    copy_edges: pa.RecordBatch
    story_edges: pa.RecordBatch
    lines: pa.RecordBatch = pa.RecordBatch.from_pylist([], schema=LINES)

    @property
    def ledger(self) -> pa.RecordBatch:
        """LEDGER rows of all standings."""
        return self.standings.select(LEDGER.names).cast(LEDGER)


SCHEMAS = Past(STORY_ARTICLE, VECTOR, STANDING, COPY_EVIDENCE, STORY_EVIDENCE, LINES)
NO_PAST = Past(*(pa.RecordBatch.from_pylist([], schema=schema) for schema in SCHEMAS))


def only_new(
    arrived: pa.RecordBatch, past: Past
) -> tuple[pa.RecordBatch, pa.RecordBatch, int]:
    """Leave out articles that came already.

    A message that is delivered again brings the same id and the same content, and counts
    once. An id that comes again with other content names two articles; the first keeps it.

    Args:
      arrived: ARTICLE rows, at least.
      past: what came before.

    Returns:
      new: the rows of new articles, ascending by article_key.
      refused: the rows with an id that came with other content.
      repeated: number of rows that were left out because they had come.
    """
    order = np.lexsort(
        [
            arrived.column("position").to_numpy(),
            pc.rank(arrived.column("file"), tiebreaker="dense").to_numpy(),
            column(arrived, "content_key"),
            column(arrived, "article_key"),
        ]
    )
    arrived = arrived.take(pa.array(order))
    keys, contents = (column(arrived, name) for name in ("article_key", "content_key"))
    distinct, first, place = np.unique(keys, return_index=True, return_inverse=True)
    kept = contents[first]
    rows = ledger_rows(past.standings, distinct)
    kept[rows >= 0] = column(past.standings, "content_key")[rows[rows >= 0]]
    same = contents == kept[place]
    new = np.zeros(len(keys), np.bool_)
    new[first] = rows < 0
    return (
        arrived.filter(pa.array(new)),
        arrived.filter(pa.array(~new & ~same)),
        int((~new & same).sum()),
    )


def refusals(refused: pa.RecordBatch) -> pa.RecordBatch:
    """Give the REJECT rows of articles that `only_new` refused."""
    return pa.RecordBatch.from_arrays(
        [
            refused.column("file"),
            refused.column("position"),
            refused.column("article_id"),
            pa.repeat("repeated_id", refused.num_rows),
            pa.repeat("an article with this id and another text came", refused.num_rows),
        ],
        schema=REJECT,
    )


def present_representatives(
    grouped: pa.RecordBatch, present: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Say who stands for copy groups among the articles at hand.

    A forgotten article cannot be compared: the earliest that is at hand stands in for it.

    Args:
      grouped: n rows with the columns of COPY_GROUP and `published`.
      present: keys of the articles at hand.

    Returns:
      Array of shape (n,): the representative, or who stands in for it; that of a group of
      which nobody is at hand stays.
    """
    keys, groups, standing = (
        column(grouped, name) for name in ("article_key", "group_key", "representative_key")
    )
    published = pc.fill_null(grouped.column("published"), _UNDATED).to_numpy()
    here = np.isin(keys, present)
    order = np.lexsort((keys, published, keys != standing, ~here, groups))
    _, first, place = np.unique(groups[order], return_index=True, return_inverse=True)
    chosen = order[first]
    result = np.empty_like(keys)
    result[order] = np.where(here[chosen], keys[chosen], standing[chosen])[place]
    return result


def with_present_representatives(past: Past) -> Past:
    """Let remembered articles stand for the copy groups that they are in."""
    standing = present_representatives(past.standings, column(past.articles, "article_key"))
    standings = with_column(past.standings, "representative_key", standing)
    return past._replace(standings=standings.cast(STANDING))


def forget(past: Past, *, before: str, least: int, most: int) -> Past:
    """Forget what is old: articles first, where they stand once their story is over.

    Args:
      past: what is remembered.
      before: articles of windows with a lower label go.
      least: articles that are kept however old they are, the newest.
      most: articles that are kept at most, the newest.
    """
    labels, places = np.unique(
        np.asarray(past.articles.column("run_id").to_pylist(), str), return_inverse=True
    )
    keys = column(past.articles, "article_key")
    age = np.empty(len(keys), np.int64)
    age[np.lexsort((keys, places))[::-1]] = np.arange(len(keys))
    recent = labels[places] >= before if len(keys) else np.zeros(0, np.bool_)
    kept = (age < most) & (recent | (age < least))
    live = np.sort(keys[kept])
    stories = look_up(past.standings, "story_key", live)
    alive = np.isin(column(past.standings, "story_key"), stories)
    if kept.all() and alive.all():
        return past
    articles = past.articles.filter(pa.array(kept))
    standings = past.standings.filter(pa.array(alive))
    return Past(
        articles,
        _among(past.vectors, live, ["article_key"]),
        standings,
        _among(past.copy_edges, column(standings, "article_key"), _ENDS),
        _among(past.story_edges, live, _ENDS),
        _among(past.lines, live, ["article_key"]),
    )


def _among(
    rows: pa.RecordBatch, keys: npt.NDArray[np.uint64], names: Sequence[str]
) -> pa.RecordBatch:
    chosen = np.ones(rows.num_rows, np.bool_)
    for name in names:
        chosen &= np.isin(column(rows, name), keys)
    return rows.filter(pa.array(chosen))
