"""Standings: where every article of a stream stands, and what of it is news.

An article that is forgotten still stands somewhere: when its story becomes part of another
one it follows, and when its group is formed again, too. If it spoke for its story, one that
is remembered does so now.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate, with_column
from schemas.past import STANDING
from schemas.story import CHANGES
from transforms.changes import changed_rows
from transforms.continuing import UNCHANGED, ledger_rows
from transforms.membership import look_up
from transforms.past import id_keys
from transforms.remembering import Past

_NAMED = ("article_key", "article_id")


def standings_now(
    past: Past,
    articles: pa.RecordBatch,
    touched: pa.RecordBatch,
    members: pa.RecordBatch,
) -> pa.RecordBatch:
    """Give STANDING rows of all articles, ascending.

    Args:
      past: what came before.
      articles: ARTICLES rows of remembered and new articles of stories that change.
      touched: STORY_ARTICLE rows of the same, in any order.
      members: MEMBERSHIP rows of all articles, ascending.
    """
    order = pc.index_in(articles.column("article_id"), touched.column("article_id"))
    rows = touched.take(order)
    keys = column(rows, "article_key")
    standing = look_up(members, "representative_key", keys)
    before = ledger_rows(past.standings, keys)
    stays = standing == UNCHANGED
    standing[stays] = column(past.standings, "representative_key")[before[stays]]
    told = ("story_id", "duplicate_group_id", "relation")
    given = {
        **dict(zip(rows.schema.names, rows.columns, strict=True)),
        **{name: articles.column(name) for name in told},
        "representative_key": pa.array(standing),
    }
    written = pa.RecordBatch.from_arrays(
        [given[name].cast(STANDING.field(name).type) for name in STANDING.names],
        schema=STANDING,
    )
    rest = past.standings.filter(
        pa.array(~np.isin(column(past.standings, "article_key"), keys))
    )
    moved = np.isin(
        look_up(members, "story_key", column(rest, "article_key")),
        column(written, "story_key"),
    )
    follow = _followed(rest.filter(pa.array(moved)), written, members)
    changed = concatenate([written, follow], STANDING)
    for kind, name in (("story", "story_id"), ("group", "duplicate_group_id")):
        # A story is named after its first article, which need not stand for its copies.
        changed = with_column(
            changed, f"{kind}_key", pa.array(id_keys(changed.column(name)))
        )
    both = [changed.cast(STANDING), rest.filter(pa.array(~moved))]
    return concatenate(both, STANDING).sort_by("article_key")


def _followed(
    forgotten: pa.RecordBatch, written: pa.RecordBatch, members: pa.RecordBatch
) -> pa.RecordBatch:
    """Let forgotten articles follow their story and copy group; STANDING rows.

    Args:
      forgotten: STANDING rows of articles of stories that change.
      written: STANDING rows of the remembered articles of these stories.
      members: MEMBERSHIP rows of all articles, ascending.
    """
    names = written.select(
        ["story_key", "story_id", "group_key", "duplicate_group_id"]
    ).to_pylist()
    stories = {row["story_key"]: row["story_id"] for row in names}
    groups = {row["group_key"]: row["duplicate_group_id"] for row in names}
    ids = dict(zip(*(forgotten.column(name).to_pylist() for name in _NAMED), strict=True))
    keys = column(forgotten, "article_key")
    now = {
        name: look_up(members, f"{name}_key", keys).tolist()
        for name in ("story", "group", "representative")
    }
    rows = forgotten.to_pylist()
    for row, story, group, standing in zip(rows, *now.values(), strict=True):
        if group != row["group_key"]:
            row["duplicate_group_id"] = groups.get(group) or ids[group]
        row |= {
            "story_key": story,
            "story_id": stories[story],
            "group_key": group,
            "representative_key": standing or row["representative_key"],
        }
        if row["relation"] == "canonical":
            # One that is remembered speaks now.
            row["relation"] = "same_story"
    return pa.RecordBatch.from_pylist(rows, schema=STANDING)


def changes_of_forgotten(
    past: Past, standings: pa.RecordBatch, label: str
) -> pa.RecordBatch:
    """Tell what became of forgotten articles: CHANGES rows.

    Args:
      past: what came before.
      standings: STANDING rows of all articles, ascending.
      label: of the window.
    """
    keys = column(past.standings, "article_key")
    known = np.isin(keys, column(past.articles, "article_key"))
    was = past.standings.filter(pa.array(~known))
    now = standings.take(pa.array(ledger_rows(standings, keys[~known])))
    stories, ids = now.column("story_id"), now.column("article_id")
    groups = was.column("duplicate_group_id")
    left = pc.not_equal(groups, now.column("duplicate_group_id"))
    # A story is where the article is that it was named after.
    before = was.column("story_id")
    merged = pc.and_(pc.equal(before, ids), pc.not_equal(before, stories))
    return concatenate(
        [
            changed_rows("story_merged", None, stories, before, merged, label),
            changed_rows("copy_group_changed", ids, stories, groups, left, label),
        ],
        CHANGES,
    )


def standing_otherwise(
    standings: pa.RecordBatch, before: pa.RecordBatch
) -> npt.NDArray[np.bool_]:
    """Tell which STANDING rows are new or not as they were: shape (n,)."""
    rows = ledger_rows(before, column(standings, "article_key"))
    was = before.take(pa.array(rows, mask=rows < 0))
    differs = rows < 0
    for name in STANDING.names:
        same = pc.equal(was.column(name), standings.column(name))
        both_null = pc.and_(was.column(name).is_null(), standings.column(name).is_null())
        differs |= ~pc.or_(same.fill_null(False), both_null).to_numpy(zero_copy_only=False)
    return differs
