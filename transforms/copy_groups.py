"""Copy groups: which articles are one text.

Exact and near copies are joined where they are linked, with one guard. A running report is
rewritten paragraph by paragraph, so its first version links to its second, that to its
third, and the last shares nothing with the first. So a group stands on its medoid, the
member with the most links, and whoever shares less than half of its words with the medoid,
or with two thirds of the members, leaves and may found a group of its own.

A partial reprint never joins two groups. A brief and the long report that holds it belong
together, but two reports that hold the same brief do not. So the shorter text goes to one
group, that of the report which holds most of it, if other members hold it too, and
nothing follows it there.

L. Kaufman and P. Rousseeuw, "Clustering by means of medoids", 1987.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column
from transforms.candidates import MAX_BUCKET
from transforms.components import connected_components

MIN_MEDOID_CONTAINMENT = 0.5
MIN_LINKED = 0.33

MERGING = ("exact_copy", "near_copy")

# The group of an article that has copies.
COPY_GROUP = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Key of the group's first article by time, then by key.
        pa.field("group_key", pa.uint64(), nullable=False),
        # The member that stands for the group when stories are formed: its medoid.
        pa.field("representative_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.groups", "version": "1"},
)

# What is needed of an article to order it among its copies.
GROUPED = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Seconds since 1970, UTC; null when the article has no date.
        pa.field("published", pa.int64()),
        pa.field("word_count", pa.int32(), nullable=False),
    ]
)

_UNDATED = np.iinfo(np.int64).max


def copy_groups(
    edges: pa.RecordBatch,
    articles: pa.RecordBatch,
    *,
    min_medoid_containment: float = MIN_MEDOID_CONTAINMENT,
    min_linked: float = MIN_LINKED,
    max_compared: int = MAX_BUCKET,
) -> pa.RecordBatch:
    """Group the articles that are copies or partial reprints of each other.

    Args:
      edges: schema COPY_EDGE, each pair once.
      articles: schema GROUPED; each article that has an edge, at least once.
      min_medoid_containment: share of the shorter text that two members hold, from which
        they are linked, as each member must be with the medoid.
      min_linked: share of the other members that each is linked with, and share of the
        members that hold a partial reprint unless the medoid does.
      max_compared: members up to which `min_linked` is asked for; in a larger group not
        every pair was compared.

    Returns:
      Schema COPY_GROUP, ascending by article: the articles in groups of two and more.
    """
    keys, firsts = np.unique(column(articles, "article_key"), return_index=True)
    published = pc.fill_null(articles.column("published"), _UNDATED).to_numpy()[firsts]
    words = column(articles, "word_count")[firsts]
    # Sums below must not depend on the order in which edges came.
    edges = edges.sort_by([("article_key", "ascending"), ("matched_key", "ascending")])
    shorter = np.searchsorted(keys, column(edges, "article_key"))
    longer = np.searchsorted(keys, column(edges, "matched_key"))
    containment = column(edges, "containment")
    partial = _is_one_of(edges, "partial_reprint")
    close = containment >= min_medoid_containment
    units = _medoid_units(
        np.column_stack([shorter, longer])[close],
        containment[close],
        _is_one_of(edges, *MERGING)[close],
        keys.size,
        min_linked,
        max_compared,
    )
    parts = np.column_stack([shorter, longer])[partial]
    units = _attached(units, words, parts, containment[partial], min_linked)
    order = np.lexsort((keys, published, units))
    _, starts, sizes = np.unique(units[order], return_index=True, return_counts=True)
    firsts = np.repeat(order[starts], sizes)
    company = np.repeat(sizes, sizes) > 1
    members = order[company]
    groups = pa.RecordBatch.from_arrays(
        [
            pa.array(keys[rows])
            for rows in (members, firsts[company], units[order][company])
        ],
        schema=COPY_GROUP,
    )
    return groups.sort_by("article_key")


def unlinked_members(
    edges: pa.RecordBatch,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Find who is in a group with a medoid that it was not compared with.

    Args:
      edges: schema COPY_EDGE, each pair once.

    Returns:
      members: shape (m,). Keys, ascending.
      medoids: shape (m,). Key of the medoid of each.
    """
    edges = edges.sort_by([("article_key", "ascending"), ("matched_key", "ascending")])
    ends = [column(edges, name) for name in ("article_key", "matched_key")]
    keys, places = np.unique(np.concatenate(ends), return_inverse=True)
    pairs = places.reshape(2, -1).T
    containment = column(edges, "containment")
    medoids = _medoids(keys.size, pairs, containment, _is_one_of(edges, *MERGING))
    linked = _linked(medoids, pairs)
    linked[medoids < 0] = True
    return keys[~linked], keys[medoids[~linked]]


def _is_one_of(edges: pa.RecordBatch, *relations: str) -> npt.NDArray[np.bool_]:
    """Say which edges have one of the relations."""
    found = pc.is_in(edges.column("relation"), pa.array(relations))
    return found.to_numpy(zero_copy_only=False)


def _medoids(
    n: int,
    pairs: npt.NDArray[np.int64],
    containment: npt.NDArray[np.float32],
    merging: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Give the medoid of each node's component, shape (n,); -1 for a node that merges not.

    The medoid has the most links within the component, near misses included, for these
    keep a member in the group; then the closest links, then the smallest key.
    """
    ends = pairs[merging].astype(np.uint64)
    nodes, labels = connected_components(ends[:, 0], ends[:, 1])
    components = np.full(n, -1)
    components[nodes] = labels
    inside = components[pairs[:, 0]] == components[pairs[:, 1]]
    ends, weights = pairs[inside].ravel(), np.repeat(containment[inside], 2)
    degree = np.bincount(ends, minlength=n)[nodes]
    closeness = np.bincount(ends, weights, minlength=n)[nodes]
    order = np.lexsort((nodes, -closeness, -degree, labels))
    _, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    medoids = np.full(n, -1)
    medoids[nodes[order]] = np.repeat(nodes[order][starts], sizes)
    return medoids


def _linked(
    medoids: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Say which nodes are their medoid or have an edge to it."""
    linked = medoids == np.arange(medoids.size)
    for near, far in (pairs.T, pairs.T[::-1]):
        linked[near[medoids[near] == far]] = True
    return linked


def _reached(
    medoids: npt.NDArray[np.int64], links: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Say which nodes their medoid is, or is reached from over links that remain.

    A near miss of the medoid, whose only copy has left the group, is nobody's copy in it.
    """
    ends = links.astype(np.uint64)
    nodes, labels = connected_components(ends[:, 0], ends[:, 1])
    components = np.arange(medoids.size) + medoids.size
    components[nodes] = labels
    return components == components[medoids]


def _medoid_units(
    pairs: npt.NDArray[np.int64],
    containment: npt.NDArray[np.float32],
    merging: npt.NDArray[np.bool_],
    n: int,
    min_linked: float,
    max_compared: int,
) -> npt.NDArray[np.int64]:
    """Give the medoid of each node's group; a node without a group is its own."""
    units = np.arange(n)
    left = merging
    while left.any():
        medoids = _medoids(n, pairs, containment, left)
        kept = _linked(medoids, pairs) & (medoids >= 0)
        sizes = np.bincount(medoids[kept], minlength=n)[medoids]
        together = kept[pairs].all(axis=1) & (medoids[pairs[:, 0]] == medoids[pairs[:, 1]])
        links = np.bincount(pairs[together].ravel(), minlength=n)
        few = (links < min_linked * (sizes - 1)) & (sizes <= max_compared)
        kept &= ~few | (medoids == np.arange(n))
        kept &= _reached(medoids, pairs[left & kept[pairs].all(axis=1)])
        units[kept] = medoids[kept]
        # Who stays behind may be a group of its own.
        left = left & ~kept[pairs].any(axis=1)
    return units


def _attached(
    units: npt.NDArray[np.int64],
    words: npt.NDArray[np.int32],
    parts: npt.NDArray[np.int64],
    containment: npt.NDArray[np.float32],
    min_linked: float,
) -> npt.NDArray[np.int64]:
    """Attach each unit that is part of another to the one that holds most of it.

    The medoid must hold it, or enough of the members. Units are taken from the longest
    text down, and one that is attached takes nobody in, so that nothing chains.
    """
    shorter, longer = parts.T
    lengths = np.zeros(units.size, np.int64)
    np.maximum.at(lengths, units, words)
    rank = np.empty(units.size, np.int64)
    rank[np.lexsort((np.arange(units.size), -lengths))] = np.arange(units.size)
    part, whole = units[shorter], units[longer]
    both = part * units.size + whole
    holders = np.unique(np.column_stack([both, longer]), axis=0)[:, 0]
    pairs, counts = np.unique(holders, return_counts=True)
    counts = counts[np.searchsorted(pairs, both)]
    by_medoid = np.isin(both, both[longer == whole])
    held = by_medoid | (counts >= min_linked * np.bincount(units)[whole])
    order = np.lexsort((longer, -words[longer], -containment, rank[part]))
    order = order[(held & (rank[whole] < rank[part]))[order]]
    attached = np.arange(units.size)
    for unit, holder in zip(part[order].tolist(), whole[order].tolist(), strict=True):
        if attached[unit] == unit and attached[holder] == holder:
            attached[unit] = holder
    return attached[units]
