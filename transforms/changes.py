"""Changes: what becomes of ids that an earlier run gave.

A story, or a copy group, that has begun is named after the member that it was named after
then; a new one after its first article. Whoever keeps an id of an earlier run finds in
`changes/` what it is called now.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate
from schemas.story import CHANGES
from transforms.speakers import rows_among


def naming_rows(
    articles: pa.RecordBatch, kind: str, starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Give the row of the article that each story, or copy group, is named after.

    Args:
      articles: schema STORY_ARTICLE, in story order.
      kind: "story" or "group".
      starts: shape (s,). The first row of each.

    Returns:
      Array of shape (s,): where an earlier run wrote of a member, the article whose key
      is that of the story or group; else the first row.
    """
    keys, owners = column(articles, "article_key"), column(articles, f"{kind}_key")
    known = articles.column(f"previous_{kind}_id").is_valid()
    begun = np.isin(owners[starts], owners[known.to_numpy(zero_copy_only=False)])
    rows = rows_among(keys, owners[starts])
    return np.where(begun & (rows >= 0), rows, starts)


def change_rows(
    articles: pa.RecordBatch,
    decided: Mapping[str, pa.Array],
    speakers: pa.Array,
    run_id: str,
) -> pa.RecordBatch:
    """Make the rows of `changes`.

    Args:
      articles: n rows of STORY_ARTICLE, in story order.
      decided: columns of ARTICLES.
      speakers: of each story, in their order, the id of the article that speaks for it.
      run_id: of this run.
    """
    ids, stories = articles.column("article_id"), decided["story_id"]
    previous = articles.column("previous_story_id")
    new = previous.is_null()
    rows = [_changes("story_assigned", ids, stories, None, new, run_id)]
    moved = pc.fill_null(pc.not_equal(previous, stories), False)
    rows.append(_changes("story_merged", None, stories, previous, moved, run_id))
    _, story_of = np.unique(column(articles, "story_key"), return_inverse=True)
    first = np.r_[True, story_of[1:] != story_of[:-1]] if len(ids) else np.zeros(0, bool)
    now = speakers.take(pa.array(np.cumsum(first) - 1))
    spoke = pc.and_(
        pc.fill_null(pc.equal(articles.column("previous_relation"), "canonical"), False),
        pc.and_(pc.fill_null(pc.equal(previous, stories), False), pc.not_equal(ids, now)),
    )
    rows.append(_changes("canonical_changed", now, stories, ids, spoke, run_id))
    group = articles.column("previous_group_id")
    left = pc.fill_null(pc.not_equal(group, decided["duplicate_group_id"]), False)
    rows.append(_changes("copy_group_changed", ids, stories, group, left, run_id))
    return concatenate(rows, CHANGES)


def _changes(
    kind: str,
    article_ids: pa.Array | None,
    story_ids: pa.Array,
    previous_ids: pa.Array | None,
    chosen: pa.Array,
    run_id: str,
) -> pa.RecordBatch:
    """Give the chosen changes of a kind, each once."""
    count = len(chosen)
    nothing = pa.nulls(count, pa.string())
    columns = [
        pa.repeat(kind, count),
        nothing if article_ids is None else article_ids,
        story_ids,
        nothing if previous_ids is None else previous_ids,
        pa.repeat(run_id, count),
    ]
    table = pa.Table.from_arrays(columns, schema=CHANGES).filter(chosen)
    if article_ids is None:
        table = table.group_by(CHANGES.names, use_threads=False).aggregate([])
        table = table.select(CHANGES.names).cast(CHANGES)
    return concatenate(table.to_batches(), CHANGES)
