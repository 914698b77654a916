"""Continuing: groups and stories that go on under the ids they have.

What an earlier run decided stands: an article stays in its story, and a story keeps the
name it was given. New articles may join two stories into one, which then keeps the older
name. Copy groups follow from the pairs that are copies and from nothing else, so they are
formed again of all their pairs, old and new, and come out as if all articles had come
together; a group keeps the oldest name that one of its members gave it.

A name is the key of a member, the one that was first when the name was given. So a name
stays with that article, and no two groups can hold it.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse

from schemas.batch import column, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.past import VECTOR
from transforms.components import connected_components
from transforms.copy_groups import COPY_GROUP
from transforms.membership import MEMBERSHIP, STORY_MEMBERS, look_up

Keys = npt.NDArray[np.uint64]

# The representative of an article that stands as an earlier run said; no article has it.
UNCHANGED = 0
_UNDATED = np.iinfo(np.int64).max


def ledger_rows(ledger: pa.RecordBatch, keys: Keys) -> npt.NDArray[np.int64]:
    """Give the row of each article in the ledger: shape (n,); -1 for a new one.

    Args:
      ledger: LEDGER rows, ascending.
      keys: shape (n,).
    """
    known = column(ledger, "article_key")
    if not len(known):
        return np.full(len(keys), -1)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, places, -1)


def pairs_to_compare(
    pairs: pa.RecordBatch, ledger: pa.RecordBatch, representatives: Keys
) -> pa.RecordBatch:
    """Leave out pairs that earlier runs compared, add those with the medoid of a group.

    Whoever is to join a copy group must be linked with its medoid, and a key that is
    shared with another member is no pair of the two.

    Args:
      pairs: schema PAIR, ascending.
      ledger: LEDGER rows, ascending.
      representatives: keys of articles that stand for a copy group, ascending.

    Returns:
      Schema PAIR, each pair once, ascending.
    """
    ends = np.stack([column(pairs, name) for name in pairs.schema.names], axis=1)
    rows = np.stack([ledger_rows(ledger, ends[:, side]) for side in range(2)], axis=1)
    asked = (rows < 0).any(axis=1)
    ends, rows = ends[asked], rows[asked]
    groups = column(ledger, "group_key")
    standing = groups[ledger_rows(ledger, representatives)]
    order = np.argsort(standing, kind="stable")
    added = []
    for new, old in ((0, 1), (1, 0)):
        mixed = np.flatnonzero((rows[:, new] < 0) & (rows[:, old] >= 0))
        own = groups[rows[mixed, old]]
        if not len(own) or not len(order):
            continue
        places = np.searchsorted(standing, own, sorter=order)
        medoids = representatives[order[np.minimum(places, len(order) - 1)]]
        found = groups[ledger_rows(ledger, medoids)] == own
        added.append(np.stack([ends[mixed, new], medoids], axis=1)[found])
    both = np.sort(np.concatenate([ends, *added]), axis=1)
    both = np.unique(both, axis=0)
    return pa.RecordBatch.from_arrays(
        [pa.array(np.ascontiguousarray(both[:, side])) for side in range(2)],
        schema=pairs.schema,
    )


def touched_edges(new: pa.RecordBatch, old: pa.RecordBatch) -> pa.RecordBatch:
    """Give the old edges that hang together with a new one.

    Args:
      new: schema COPY_EDGE, at least.
      old: schema COPY_EDGE, at least.
    """
    ends = [
        np.concatenate([column(edges, name) for edges in (new, old)])
        for name in ("article_key", "matched_key")
    ]
    nodes, labels = connected_components(*ends)
    if not len(nodes):
        return old
    of_edge = labels[np.searchsorted(nodes, ends[0])]
    touched = np.isin(of_edge[new.num_rows :], of_edge[: new.num_rows])
    return old.filter(pa.array(touched))


def continued_groups(
    groups: pa.RecordBatch, edges: pa.RecordBatch, ledger: pa.RecordBatch
) -> pa.RecordBatch:
    """Name copy groups as they were named, or after their first article.

    Args:
      groups: COPY_GROUP rows of the groups that were formed of the edges.
      edges: schema COPY_EDGE, at least.
      ledger: LEDGER rows, ascending.

    Returns:
      COPY_GROUP rows, ascending, of all articles with an edge: one that is no longer in
      company is a group of its own.
    """
    ends = [column(edges, name) for name in ("article_key", "matched_key")]
    keys = column(groups, "article_key")
    alone = np.setdiff1d(np.concatenate(ends), keys)
    names = oldest_names(
        column(groups, "group_key"), keys, column(ledger, "group_key"), ledger
    )
    columns = (keys, names, column(groups, "representative_key"))
    order = np.argsort(np.concatenate([keys, alone]))
    return pa.RecordBatch.from_arrays(
        [pa.array(np.concatenate([values, alone])[order]) for values in columns],
        schema=COPY_GROUP,
    )


def oldest_names(groups: Keys, members: Keys, given: Keys, ledger: pa.RecordBatch) -> Keys:
    """Choose among the names that were given to members of a group.

    Args:
      groups: shape (n,). What tells groups apart: the name of a group without any.
      members: shape (n,). Keys of articles.
      given: shape (l,). The name that was given to each article of the ledger.
      ledger: l LEDGER rows, ascending.

    Returns:
      Array of shape (n,): of each member's group, the name of the earliest article that
      is itself a member and gave its name; else what `groups` says.
    """
    rows = ledger_rows(ledger, members)
    gave = rows >= 0
    gave[gave] = given[rows[gave]] == members[gave]
    candidates = np.flatnonzero(gave)
    published = pc.fill_null(ledger.column("published"), _UNDATED).to_numpy()
    order = np.lexsort(
        (members[candidates], published[rows[candidates]], groups[candidates])
    )
    named, first = np.unique(groups[candidates][order], return_index=True)
    if not len(named):
        return groups.copy()
    places = np.minimum(np.searchsorted(named, groups), len(named) - 1)
    return np.where(
        named[places] == groups, members[candidates][order][first][places], groups
    )


def prior_stories(
    nodes: Keys, groups: pa.RecordBatch, ledger: pa.RecordBatch
) -> tuple[npt.NDArray[np.int64], Keys]:
    """Find the stories that each article stands in already, itself or by a copy.

    Args:
      nodes: shape (n,), ascending. Articles that stand for their copy group.
      groups: COPY_GROUP rows of all groups that were formed again.
      ledger: LEDGER rows, ascending.

    Returns:
      rows: shape (k,). Numbers of nodes.
      stories: shape (k,). The key of a story of each.
    """
    stories = column(ledger, "story_key")
    members = np.concatenate([nodes, column(groups, "article_key")])
    standing = np.concatenate([nodes, column(groups, "representative_key")])
    rows = ledger_rows(ledger, members)
    known = (rows >= 0) & np.isin(standing, nodes)
    places = np.searchsorted(nodes, standing)
    return places[known], stories[rows[known]]


def begun_together(
    rows: npt.NDArray[np.int64], stories: Keys, nodes: int
) -> npt.NDArray[np.int32]:
    """Number what is one story already: shape (n,), equal for nodes of one.

    Args:
      rows: shape (k,). As of `prior_stories`.
      stories: shape (k,). As of `prior_stories`. Two of one node are one story.
      nodes: n.
    """
    distinct, numbers = np.unique(stories, return_inverse=True)
    graph = scipy.sparse.coo_array(
        (np.ones(len(rows), np.int8), (rows, nodes + numbers)),
        shape=(nodes + len(distinct),) * 2,
    )
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(labels[:nodes], np.int32)


def oldest_begun(
    groups: Keys, rows: npt.NDArray[np.int64], stories: Keys, ledger: pa.RecordBatch
) -> Keys:
    """Name each story after the oldest of those that are part of it.

    Args:
      groups: shape (n,). Of each node, what its story would be called if it were new.
      rows: shape (k,). As of `prior_stories`.
      stories: shape (k,). As of `prior_stories`.
      ledger: LEDGER rows, ascending.

    Returns:
      Array of shape (n,). The oldest is that named after the earliest article.
    """
    published = pc.fill_null(ledger.column("published"), _UNDATED).to_numpy()
    known = ledger_rows(ledger, stories)
    # Of a name of which nobody knows any more whose it is, that is long ago.
    times = np.where(known >= 0, published[known], np.iinfo(np.int64).min)
    order = np.lexsort((stories, times, groups[rows]))
    named, first = np.unique(groups[rows][order], return_index=True)
    if not len(named):
        return groups.copy()
    places = np.minimum(np.searchsorted(named, groups), len(named) - 1)
    return np.where(named[places] == groups, stories[order][first][places], groups)


def old_nodes(
    remembered: pa.RecordBatch, groups: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Give the articles of the past that stories are formed of, and their vectors.

    Args:
      remembered: REMEMBERED rows.
      groups: COPY_GROUP rows of all articles whose copies changed.

    Returns:
      nodes: FINGERPRINT rows with `is_asked`: of those near in time that stand for a copy
        group, and of those that do so now, which were not compared before.
      vectors: VECTOR rows of the same, null where there is none.
    """
    keys = column(remembered, "article_key")
    stood = column(remembered, "is_representative").astype(np.bool_)
    recent = column(remembered, "is_recent").astype(np.bool_)
    regrouped = np.isin(keys, column(groups, "article_key"))
    stands = np.where(regrouped, np.isin(keys, column(groups, "representative_key")), stood)
    kept = stands & (recent | regrouped)
    nodes = with_column(
        remembered.select(FINGERPRINT.names), "is_asked", pa.array(stands & ~stood)
    )
    chosen = pa.array(kept)
    return nodes.filter(chosen), remembered.select(VECTOR.names).filter(chosen)


# A story that is part of another one now.
MERGED = pa.schema(
    [
        pa.field("story_key", pa.uint64(), nullable=False),
        pa.field("kept_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.merged", "version": "1"},
)


def merged_stories(
    rows: npt.NDArray[np.int64], stories: Keys, names: Keys
) -> pa.RecordBatch:
    """Give the stories that go on under another name: MERGED rows, ascending.

    Args:
      rows: shape (k,). As of `prior_stories`.
      stories: shape (k,). As of `prior_stories`.
      names: shape (n,). What the story of each node is called now.
    """
    moved = names[rows] != stories
    before, first = np.unique(stories[moved], return_index=True)
    kept = names[rows][moved][first]
    return pa.RecordBatch.from_arrays([pa.array(before), pa.array(kept)], schema=MERGED)


def continued_membership(
    ledger: pa.RecordBatch,
    groups: pa.RecordBatch,
    stories: pa.RecordBatch,
    merged: pa.RecordBatch,
) -> pa.RecordBatch:
    """Say where every article belongs, old and new.

    Args:
      ledger: LEDGER rows, ascending.
      groups: COPY_GROUP rows of all articles whose copies changed.
      stories: STORY_MEMBERS rows of all articles that stand for a copy group.
      merged: MERGED rows, ascending.

    Returns:
      MEMBERSHIP rows, ascending; the representative of an old article whose copies did
      not change is UNCHANGED.
    """
    known, begun = column(ledger, "article_key"), column(ledger, "story_key")
    grouped, nodes = column(groups, "article_key"), column(stories, "article_key")
    articles = np.unique(np.concatenate([known, grouped, nodes]))
    in_ledger, in_groups, in_nodes = (
        np.searchsorted(articles, keys) for keys in (known, grouped, nodes)
    )
    group, standing, story = articles.copy(), articles.copy(), articles.copy()
    group[in_ledger] = column(ledger, "group_key")
    group[in_groups] = column(groups, "group_key")
    standing[in_groups] = column(groups, "representative_key")
    story[in_nodes] = column(stories, "story_key")
    # A new article is in the story of who stands for it; an old one stays in its own.
    story = story[np.searchsorted(articles, standing)]
    was, now = column(merged, "story_key"), column(merged, "kept_key")
    story[in_ledger] = begun
    if len(was):
        places = np.minimum(np.searchsorted(was, begun), len(was) - 1)
        story[in_ledger] = np.where(was[places] == begun, now[places], begun)
    standing[np.setdiff1d(in_ledger, in_groups)] = UNCHANGED
    return pa.RecordBatch.from_arrays(
        [pa.array(values) for values in (articles, group, standing, story)],
        schema=MEMBERSHIP,
    )


def reformed_membership(
    membership: pa.RecordBatch, stories: pa.RecordBatch, standings: pa.RecordBatch
) -> pa.RecordBatch:
    """Let articles go with who stands for them, where stories are formed anew.

    Args:
      membership: as of `continued_membership`.
      stories: STORY_MEMBERS rows of all articles at hand that stand for a copy group.
      standings: rows with `article_key`, ascending, and `representative_key`, as it was.
    """
    keys = column(membership, "article_key")
    standing = column(membership, "representative_key").copy()
    stays = standing == UNCHANGED
    standing[stays] = look_up(standings, "representative_key", keys[stays])
    nodes = column(stories, "article_key")
    if not len(nodes):
        return membership
    places = np.minimum(np.searchsorted(nodes, standing), len(nodes) - 1)
    now = np.where(
        nodes[places] == standing,
        column(stories, "story_key")[places],
        column(membership, "story_key"),
    )
    return with_column(membership, "story_key", pa.array(now)).cast(MEMBERSHIP)


def keep_names(
    membership: pa.RecordBatch, given: pa.RecordBatch, ledger: pa.RecordBatch
) -> pa.RecordBatch:
    """Name copy groups and stories as a stream named them.

    What an earlier run has named keeps its name. Of several names that a stream gave to
    members the oldest is taken; a name goes with the article that it is the key of.

    Args:
      membership: MEMBERSHIP rows, ascending.
      given: STANDING rows of the stream, ascending.
      ledger: LEDGER rows of earlier runs, ascending.
    """
    keys = column(membership, "article_key")
    known = ledger_rows(ledger, keys) >= 0
    for name in ("group_key", "story_key"):
        owners = column(membership, name)
        names = oldest_names(owners, keys, column(given, name), given)
        names = np.where(np.isin(owners, owners[known]), owners, names)
        membership = with_column(membership, name, pa.array(names))
    return membership.cast(MEMBERSHIP)


# The stories that a run writes, ascending.
CHANGED = pa.schema([MEMBERSHIP.field("story_key")])


def changed_stories(ledger: pa.RecordBatch, membership: pa.RecordBatch) -> pa.RecordBatch:
    """Find the stories that are not as an earlier run wrote them: CHANGED rows.

    Args:
      ledger: LEDGER rows, ascending.
      membership: as of `continued_membership`.
    """
    keys, stories = (column(membership, name) for name in ("article_key", "story_key"))
    rows = ledger_rows(ledger, keys)
    differs = rows < 0
    old = np.flatnonzero(~differs)
    for name in ("group_key", "story_key"):
        before = column(ledger, name)[rows[old]]
        differs[old] |= column(membership, name)[old] != before
    # One that an article left is not as it was, either.
    begun = column(ledger, "story_key")[rows[old]]
    left = np.intersect1d(begun[begun != stories[old]], stories)
    return pa.RecordBatch.from_arrays(
        [pa.array(np.union1d(stories[differs], left))], schema=CHANGED
    )


def stories_of_copies(
    arrived: Keys, groups: pa.RecordBatch, ledger: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Make every copy group a story, for a run that forms no others.

    Args:
      arrived: keys of new articles, ascending.
      groups: COPY_GROUP rows of all articles whose copies changed.
      ledger: LEDGER rows, ascending.

    Returns:
      stories: STORY_MEMBERS rows of new articles and of those that stand for a group.
      merged: MERGED rows, ascending.
    """
    grouped, names = column(groups, "article_key"), column(groups, "group_key")
    nodes = np.unique(
        np.concatenate(
            [np.setdiff1d(arrived, grouped), column(groups, "representative_key")]
        )
    )
    stories = nodes.copy()
    places = np.searchsorted(nodes, column(groups, "representative_key"))
    stories[places] = names
    # Who was taken for a copy and is none stays in the story.
    rows, begun = prior_stories(nodes, groups, ledger)
    _, first, together = np.unique(
        begun_together(rows, begun, len(nodes)), return_index=True, return_inverse=True
    )
    stories = oldest_begun(stories[first][together], rows, begun, ledger)
    members = pa.RecordBatch.from_arrays(
        [pa.array(nodes), pa.array(stories)], schema=STORY_MEMBERS
    )
    return members, merged_stories(rows, begun, stories)
