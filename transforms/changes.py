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
from transforms.past import id_keys
from transforms.speakers import rows_among


def given_names(
    articles: pa.RecordBatch, kind: str, starts: npt.NDArray[np.int64]
) -> pa.Array:
    """Give the id of each story, or copy group.

    Args:
      articles: schema STORY_ARTICLE, in story order.
      kind: "story" or "group".
      starts: shape (s,). The first row of each.

    Returns:
      s ids: that which an earlier run gave, or else a stream, if it is the name by which
      the story or group goes on; else the id of its first article.
    """
    ids, owners = articles.column("article_id"), column(articles, f"{kind}_key")
    previous, provisional = (
        articles.column(f"{when}_{kind}_id") for when in ("previous", "provisional")
    )
    known = previous.is_valid().to_numpy(zero_copy_only=False)
    begun = np.isin(owners, owners[known])
    names = pa.concat_arrays([ids.filter(pa.array(begun)), previous, provisional])
    valid = names.is_valid().to_numpy(zero_copy_only=False)
    keys = np.zeros(len(names), np.uint64)
    own = int(begun.sum())
    keys[:own] = column(articles, "article_key")[begun]
    keys[own:][valid[own:]] = id_keys(names[own:].drop_null())
    # Only of its own rows does a story take its name.
    of_row = np.concatenate([owners[begun], owners, owners])
    fits = np.flatnonzero(valid & (keys == of_row))
    found, first = np.unique(keys[fits], return_index=True)
    rows = rows_among(found, owners[starts])
    taken = names.take(pa.array(fits[first])).take(pa.array(rows, mask=rows < 0))
    return pc.coalesce(taken, ids.take(pa.array(starts)))


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
    _, story_of = np.unique(column(articles, "story_key"), return_inverse=True)
    moved = pc.fill_null(pc.not_equal(previous, stories), False)
    # A story is where the article is that it was named after; others leave it.
    namers = pc.index_in(previous, ids).fill_null(-1).to_numpy()
    with_namer = pa.array((namers >= 0) & (story_of[namers] == story_of))
    assigned = pc.or_(previous.is_null(), pc.and_not(moved, with_namer))
    rows = [changed_rows("story_assigned", ids, stories, previous, assigned, run_id)]
    merged = pc.and_(moved, with_namer)
    rows.append(changed_rows("story_merged", None, stories, previous, merged, run_id))
    first = np.r_[True, story_of[1:] != story_of[:-1]] if len(ids) else np.zeros(0, bool)
    now = speakers.take(pa.array(np.cumsum(first) - 1))
    spoke = pc.fill_null(pc.equal(articles.column("previous_relation"), "canonical"), False)
    speaker = pc.coalesce(
        articles.column("previous_speaker_id"),
        pc.if_else(spoke, ids, pa.scalar(None, pa.string())),
    )
    silent = pc.and_(pc.equal(previous, stories), pc.not_equal(speaker, now))
    silent = pc.fill_null(silent, False)
    rows.append(changed_rows("canonical_changed", now, stories, speaker, silent, run_id))
    group = articles.column("previous_group_id")
    left = pc.fill_null(pc.not_equal(group, decided["duplicate_group_id"]), False)
    rows.append(changed_rows("copy_group_changed", ids, stories, group, left, run_id))
    return concatenate(rows, CHANGES)


def changed_rows(
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
    table = table.group_by(CHANGES.names, use_threads=False).aggregate([])
    table = table.select(CHANGES.names).cast(CHANGES)
    return concatenate(table.to_batches(), CHANGES)
