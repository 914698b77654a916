"""Remembering: what a stream knows of the articles that came before, and what it forgets.

Of each article it holds the text and the fingerprint, of pairs what was found. What is old
goes: first text and fingerprint, and where the article stands once nobody of its story is
remembered. So a story keeps its name however long it goes on.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import REJECT
from schemas.batch import column, concatenate, with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.past import LEARNT, LEDGER, REFUSED, STANDING, VECTOR
from schemas.story import LINES
from transforms.continuing import ledger_rows
from transforms.line_memory import met_again
from transforms.past import id_keys
from transforms.recurrence import RECURRING, ArticleLines, is_recurring
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
      copy_edges: COPY_EVIDENCE rows, both ends among the articles.
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


def row_keys(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Give the key of where each row was: file, which names the message, and position."""
    places = pc.binary_join_element_wise(
        rows.column("file"), rows.column("position").cast(pa.string()), "\n"
    )
    return id_keys(places)


def refused(rejects: pa.RecordBatch, label: str) -> pa.RecordBatch:
    """Give what is remembered of rejects: REFUSED rows, in the same order.

    Args:
      rejects: rows with `file` and `position`.
      label: of the window that they came in.
    """
    keys = pa.array(row_keys(rejects))
    return pa.RecordBatch.from_arrays([keys, pa.repeat(label, len(keys))], schema=REFUSED)


def first_refused(
    rejects: pa.RecordBatch, known: pa.RecordBatch, label: str
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Leave out rejects that came already, which is no news.

    Args:
      rejects: REJECT rows.
      known: REFUSED rows, ascending.
      label: of the window that they came in.

    Returns:
      now: REFUSED rows, ascending, of those that are known and of the others.
      first: the rejects that are new, each once.
    """
    keys = row_keys(rejects)
    _, rows = np.unique(keys, return_index=True)
    rows = np.sort(rows[~np.isin(keys[rows], column(known, "row_key"))])
    first = rejects.take(pa.array(rows))
    return latest_rows([known, refused(first, label)], REFUSED), first


def learnt(
    known: pa.RecordBatch,
    found: pa.RecordBatch,
    lines: ArticleLines,
    *,
    label: str,
    seen_before: str,
) -> pa.RecordBatch:
    """Give what is to be noted of what recurs: LEARNT rows, of news and of old.

    What is seen in every window need not be noted in every window: it is when it was noted
    long ago.

    Args:
      known: LEARNT rows, ascending.
      found: RECURRING rows that were learnt in this window.
      lines: of the articles of this window.
      label: of this window.
      seen_before: what was noted in a window with a lower label is noted again.
    """
    names = RECURRING.names
    news = ~is_recurring(known, *(column(found, name) for name in names))
    again = pc.less(known.column("run_id"), seen_before).to_numpy(zero_copy_only=False)
    again &= met_again(known, lines) | is_recurring(
        found, *(column(known, name) for name in names)
    )
    noted = concatenate(
        [found.filter(pa.array(news)), known.filter(pa.array(again)).select(names)],
        RECURRING,
    )
    when = pa.repeat(label, noted.num_rows)
    rows = pa.RecordBatch.from_arrays([*noted.columns, when], schema=LEARNT)
    return rows.sort_by([(name, "ascending") for name in names])


def latest_rows(parts: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Keep the row of the latest window of each key.

    Args:
      parts: rows of `schema`.
      schema: LEARNT or REFUSED: one or two keys, and `run_id`.

    Returns:
      The rows, ascending by their keys.
    """
    rows = concatenate(parts, schema).sort_by([("run_id", "descending")])
    keys = [column(rows, name) for name in schema.names if name != "run_id"]
    order = np.lexsort(keys[::-1])
    first = np.ones(len(order), np.bool_)
    if len(order):
        first[1:] = np.any([own[order][1:] != own[order][:-1] for own in keys], axis=0)
    return rows.take(pa.array(order[first]))


def forget_rows(rows: pa.RecordBatch, *, before: str, most: int) -> pa.RecordBatch:
    """Forget what is old of LEARNT or REFUSED rows, or too much.

    Args:
      rows: ascending by their keys.
      before: rows of windows with a lower label go.
      most: rows that are kept at most, those of the newest windows.
    """
    kept = pc.greater_equal(rows.column("run_id"), before)
    rows = rows.filter(kept) if not pc.all(kept).as_py() else rows
    if rows.num_rows <= most:
        return rows
    order = pc.array_sort_indices(rows.column("run_id"), "descending").to_numpy()
    return rows.take(pa.array(np.sort(order[:most])))


def forget(past: Past, *, before: str, least: int, most: int, most_known: int) -> Past:
    """Forget what is old: articles first, where they stand once their story is over.

    Of a story that goes on for ever not every article is known for ever: but those that
    stories and copy groups of remembered ones are named after are.

    Args:
      past: what is remembered.
      before: articles of windows with a lower label go.
      least: articles that are kept however old they are, the newest.
      most: articles that are kept at most, the newest.
      most_known: forgotten articles of which it is known where they stand, at most, the
        latest published, beside those that give a name.
    """
    windows = past.articles.column("run_id").dictionary_encode()
    labels, ranks = np.unique(
        np.asarray(windows.dictionary.to_pylist(), str), return_inverse=True
    )
    places = ranks[windows.indices.to_numpy()]
    keys = column(past.articles, "article_key")
    age = np.empty(len(keys), np.int64)
    age[np.lexsort((keys, places))[::-1]] = np.arange(len(keys))
    recent = labels[places] >= before if len(keys) else np.zeros(0, np.bool_)
    kept = (age < most) & (recent | (age < least))
    live = np.sort(keys[kept])
    alive = _known(past.standings, live, most_known)
    if kept.all() and alive.all():
        return past
    articles = past.articles.filter(pa.array(kept))
    standings = past.standings.filter(pa.array(alive))
    return Past(
        articles,
        _among(past.vectors, live, ["article_key"]),
        standings,
        _among(past.copy_edges, live, _ENDS),
        _among(past.story_edges, live, _ENDS),
        _among(past.lines, live, ["article_key"]),
    )


def _known(
    standings: pa.RecordBatch, live: npt.NDArray[np.uint64], most: int
) -> npt.NDArray[np.bool_]:
    """Tell of which articles it is known on where they stand: shape (n,).

    Args:
      standings: n STANDING rows, ascending.
      live: keys of articles that are remembered, ascending.
      most: as of `forget`.
    """
    keys = column(standings, "article_key")
    remembered = np.isin(keys, live)
    stories = column(standings, "story_key")
    alive = np.isin(stories, stories[remembered])
    named = [column(standings, f"{kind}_key")[remembered] for kind in ("story", "group")]
    others = np.flatnonzero(alive & ~remembered & ~np.isin(keys, np.concatenate(named)))
    if len(others) > most:
        published = pc.fill_null(standings.column("published"), _UNDATED).to_numpy()
        order = np.lexsort((keys[others], published[others]))
        alive[others[order[: len(others) - most]]] = False
    return alive


def _among(
    rows: pa.RecordBatch, keys: npt.NDArray[np.uint64], names: Sequence[str]
) -> pa.RecordBatch:
    chosen = np.ones(rows.num_rows, np.bool_)
    for name in names:
        chosen &= np.isin(column(rows, name), keys)
    return rows.filter(pa.array(chosen))
