"""Standings: where every article of a stream stands, and what of it is news.

An article that is forgotten still stands somewhere: when its story becomes part of another
one it follows, and when its group is formed again, too. If it spoke for its story, one that
is remembered does so now.

What was decided with an article that is forgotten is not decided again: a copy group of
which somebody is forgotten stays together, and keeps its name.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate, with_column
from schemas.match import COPY_EVIDENCE
from schemas.past import STANDING
from schemas.story import CHANGES
from transforms.changes import changed_rows
from transforms.components import connected_components
from transforms.continuing import UNCHANGED, ledger_rows
from transforms.copy_groups import COPY_GROUP, MERGING
from transforms.membership import look_up
from transforms.past import id_keys
from transforms.remembering import Past
from transforms.speakers import COPY_RELATIONS, PARTIAL, edges_between, whole_texts

_NAMED = ("article_key", "article_id")
_LONG_AGO, _UNDATED = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def groups_going_on(
    groups: pa.RecordBatch, past: Past, reopened: npt.NDArray[np.uint64]
) -> pa.RecordBatch:
    """Let copy groups go on of which somebody is forgotten.

    Their other members stay together, though what linked them may be forgotten, too, and
    whoever is grouped with one of them joins them. Of several names the oldest is kept.

    Args:
      groups: COPY_GROUP rows, ascending, of the groups that were formed again of articles
        at hand, and of articles that are alone now.
      past: what came before.
      reopened: articles that are copies no more for what shows now, ascending: none of
        these stays for the sake of a forgotten one.

    Returns:
      COPY_GROUP rows, ascending, with the forgotten members of the groups.
    """
    keys, names = (column(past.standings, name) for name in ("article_key", "group_key"))
    here = np.isin(keys, column(past.articles, "article_key"))
    settled = np.union1d(names[~here], np.setdiff1d(names, keys[here]))
    members, formed = (column(groups, name) for name in ("article_key", "group_key"))
    rows = ledger_rows(past.standings, members)
    claims = (rows >= 0) & ~np.isin(members, reopened)
    claims[claims] = np.isin(names[rows[claims]], settled)
    if not claims.any():
        return groups
    nodes, labels = connected_components(formed[claims], names[rows[claims]])
    known = ledger_rows(past.standings, nodes)
    published = pc.fill_null(past.standings.column("published"), _UNDATED).to_numpy()
    # Of a name of which nobody knows any more whose it is, that is long ago.
    times = np.where(known >= 0, published[known], _LONG_AGO)
    is_new = ~np.isin(nodes, settled) & ((known < 0) | (names[known] != nodes))
    order = np.lexsort((nodes, times, is_new, labels))
    _, first, place = np.unique(labels[order], return_index=True, return_inverse=True)
    kept = np.empty_like(nodes)
    kept[order] = nodes[order][first][place]

    def renamed(given: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        places = np.minimum(np.searchsorted(nodes, given), len(nodes) - 1)
        return np.where(nodes[places] == given, kept[places], given)

    rest = np.isin(names, settled) & np.isin(names, nodes) & ~np.isin(keys, members)
    standing = column(past.standings, "representative_key")
    columns = (
        (members, keys[rest]),
        (renamed(formed), renamed(names[rest])),
        (column(groups, "representative_key"), standing[rest]),
    )
    return pa.RecordBatch.from_arrays(
        [pa.array(np.concatenate(both)) for both in columns], schema=COPY_GROUP
    ).sort_by("article_key")


def edges_of_forgotten(
    touched: pa.RecordBatch, copy_edges: pa.RecordBatch
) -> pa.RecordBatch:
    """Give COPY_EVIDENCE rows in place of those with copies that are forgotten.

    Whoever was a copy of a forgotten article alone stands likewise to the earliest whole
    text of the group that is left.

    Args:
      touched: STORY_ARTICLE rows of all articles at hand of some stories.
      copy_edges: COPY_EVIDENCE rows between articles at hand.
    """
    keys = column(touched, "article_key")
    _, groups, sizes = np.unique(
        column(touched, "group_key"), return_inverse=True, return_counts=True
    )
    edges = edges_between(copy_edges, keys, groups)
    stands = sizes[groups] == 1
    stands[edges.shorter] = True
    stands[edges.longer[edges.relation != PARTIAL]] = True
    before = pc.fill_null(touched.column("previous_relation"), "").to_pylist()
    was_part = np.array([one == COPY_RELATIONS[PARTIAL] for one in before], np.bool_)
    whole = whole_texts(groups, edges) & (stands | ~was_part)
    published = touched.column("published_at").cast(pa.int64())
    order = np.lexsort((keys, pc.fill_null(published, _UNDATED).to_numpy(), ~whole))
    ids = touched.column("article_id").to_pylist()
    found = []
    for row in np.flatnonzero(~stands).tolist():
        others = order[(groups[order] == groups[row]) & (order != row)]
        # A text that nobody at hand holds speaks for those that are part of it.
        if not whole[others[0]] and whole[row]:
            continue
        relation = before[row] if before[row] in COPY_RELATIONS else MERGING[-1]
        found.append(
            {
                "article_key": int(keys[row]),
                "matched_key": int(keys[others[0]]),
                "article_id": ids[row],
                "matched_article_id": ids[others[0]],
                "relation": relation,
                "rule": "a copy of one that is forgotten",
                "jaccard": 0.0,
                "containment": 0.0,
                "gap_days": None,
                "passages": [],
            }
        )
    return pa.RecordBatch.from_pylist(found, schema=COPY_EVIDENCE)


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
