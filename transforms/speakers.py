"""Speakers: who speaks for a copy group, and how each member stands to that article.

The speaker is the origin of a text where a copy credits one, else the earliest whole text.
A partial reprint never speaks for the text that it is a part of, nor does a copy of it.
The others stand to the speaker as the comparison of the two said; where these two were
not compared, to the member that is closest.

What this gets wrong: dates are taken at their word, so a site that back-dates its copies
becomes the earliest.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import TIMESTAMP
from schemas.batch import column
from transforms.components import connected_components

# The closest relation first: of two matches, an article is shown with the closer.
COPY_RELATIONS = ("exact_copy", "near_copy", "partial_reprint")
PARTIAL = COPY_RELATIONS.index("partial_reprint")

# What is needed of an article to say how it stands among its copies, and to tell of it.
COPIED = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("credited_source", pa.string()),
        pa.field("published_at", TIMESTAMP),
        # The title, or the first words of a text without one.
        pa.field("headline", pa.string(), nullable=False),
        pa.field("has_title", pa.bool_(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("word_count", pa.int32(), nullable=False),
        pa.field("removed_word_count", pa.int32(), nullable=False),
    ],
    metadata={"schema": "newsdedup.copied", "version": "1"},
)

_HEADLINE_CHARACTERS = 120
_UNDATED = np.iinfo(np.int64).max
_LETTERS = re.compile(r"[\W_]+")
# Agencies whose name is not in their domain.
_DOMAIN_NAMES = {"associatedpress": "apnews", "agencefrancepresse": "afp"}


class CopyEdges(NamedTuple):
    """m pairs of articles that were compared and are copies.

    Attributes:
      shorter: int64, shape (m,). Row of the shorter text.
      longer: int64, shape (m,). Row of the other.
      relation: int64, shape (m,). Place in COPY_RELATIONS.
      jaccard: float32, shape (m,).
      containment: float32, shape (m,).
    """

    shorter: npt.NDArray[np.int64]
    longer: npt.NDArray[np.int64]
    relation: npt.NDArray[np.int64]
    jaccard: npt.NDArray[np.float32]
    containment: npt.NDArray[np.float32]


class Speakers(NamedTuple):
    """Who speaks for each of g groups of n articles, and how the others stand.

    Attributes:
      rows: int64, shape (g,). The row that speaks for each group.
      reasons: g reasons, for a person.
      matched: int64, shape (n,). The row that each stands to; -1 for a speaker.
      edges: int64, shape (n,). The pair that says how; -1 for a speaker.
    """

    rows: npt.NDArray[np.int64]
    reasons: list[str]
    matched: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]


def copied(articles: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
    """Give the COPIED rows of articles, which have the columns of CLEANED."""
    titles = articles.column("title")
    has_title = pc.fill_null(pc.greater(pc.binary_length(titles), 0), False)
    columns = {"headline": titles, "has_title": has_title}
    (untitled,) = np.nonzero(~has_title.to_numpy(zero_copy_only=False))
    if untitled.size:
        texts = articles.column("text").take(pa.array(untitled)).to_pylist()
        first = pa.array([first_words(text) for text in texts], pa.string())
        columns["headline"] = pc.replace_with_mask(titles, pc.invert(has_title), first)
    return pa.RecordBatch.from_arrays(
        [
            columns[name] if name in columns else articles.column(name)
            for name in COPIED.names
        ],
        schema=COPIED,
    )


def first_words(text: str) -> str:
    """Give the first line of a text, cut at a word if it is long."""
    line = text.strip().split("\n", 1)[0]
    if len(line) <= _HEADLINE_CHARACTERS:
        return line
    return line[:_HEADLINE_CHARACTERS].rsplit(" ", 1)[0] + "…"


def edges_between(
    edges: pa.RecordBatch,
    keys: npt.NDArray[np.uint64],
    groups: npt.NDArray[np.int64],
) -> CopyEdges:
    """Find the accepted pairs of which both articles are here and in one group.

    Args:
      edges: schema COPY_EDGE, at least.
      keys: shape (n,). Keys of the articles, distinct.
      groups: shape (n,). The group of each.
    """
    relations = pc.index_in(edges.column("relation"), pa.array(COPY_RELATIONS))
    left, right = (
        rows_among(keys, column(edges, name)) for name in ("article_key", "matched_key")
    )
    here = relations.is_valid().to_numpy(zero_copy_only=False) & (left >= 0) & (right >= 0)
    here[here] = groups[left[here]] == groups[right[here]]
    return CopyEdges(
        left[here],
        right[here],
        relations.filter(pa.array(here)).to_numpy().astype(np.int64),
        column(edges, "jaccard")[here],
        column(edges, "containment")[here],
    )


def rows_among(
    keys: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Find the rows that hold some keys.

    Args:
      keys: shape (n,), distinct, in any order.
      wanted: shape (m,).

    Returns:
      Shape (m,): a row for each wanted key, -1 for one that is not among the keys.
    """
    if not keys.size:
        return np.full(wanted.size, -1)
    order = np.argsort(keys)
    rows = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), keys.size - 1)]
    return np.where(keys[rows] == wanted, rows, -1)


def is_credited(source: str | None, credited_source: str | None) -> bool:
    """Tell whether a source is the one that another article credits.

    >>> is_credited("reuters.com", "Reuters"), is_credited("apnews.com", "Associated Press")
    (True, True)
    >>> is_credited("washingtonpost.com", "The Washington Post")
    True
    >>> is_credited("harborledger.example", "Reuters")
    False
    """
    if not source or not credited_source:
        return False
    credited = _LETTERS.sub("", credited_source.lower().removeprefix("the "))
    name = _DOMAIN_NAMES.get(credited, credited)
    return len(name) > 1 and _LETTERS.sub("", source.lower()).startswith(name)


def group_speakers(
    articles: pa.RecordBatch, groups: npt.NDArray[np.int64], edges: CopyEdges
) -> Speakers:
    """Choose who speaks for each copy group, and say how its members stand.

    Args:
      articles: n rows of COPIED; those of one group by time, then by id.
      groups: shape (n,). The group of each, from 0 to g - 1, no number left out.
      edges: pairs within the groups.

    Raises:
      ValueError: if a member that does not speak has no pair to stand by.
    """
    n = groups.size
    published = pc.fill_null(
        articles.column("published_at").cast(pa.int64()), _UNDATED
    ).to_numpy()
    whole = whole_texts(groups, edges)
    credits = _credits(articles, groups)
    eligible = whole & (credits > 0)
    by_credit = np.bincount(groups, eligible) > 0
    eligible |= whole & ~by_credit[groups]
    order = np.lexsort(
        (
            np.arange(n),
            ~column(articles, "has_title").astype(bool),
            column(articles, "removed_word_count"),
            -column(articles, "word_count").astype(np.int64),
            published,
            ~eligible,
            groups,
        )
    )
    _, firsts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    rows = order[firsts]
    # In the order of their dates, so that an equal date follows its equal.
    candidates = np.lexsort((published, groups))
    candidates = candidates[whole[candidates]]
    again = (np.diff(groups[candidates]) == 0) & (np.diff(published[candidates]) == 0)
    unsure = np.bincount(groups[candidates][1:], again, minlength=sizes.size) > 0
    unsure |= np.bincount(groups, whole & (published == _UNDATED)) > 0
    reasons = [
        "the only report"
        if size == 1
        else f"origin, credited by {credits[row]} of {size} copies"
        if credited
        # Who came first is not known: the fullest of the earliest that are dated.
        else f"earliest and fullest known of {size} copies"
        if doubtful
        else f"earliest whole text of {size} copies"
        for row, size, credited, doubtful in zip(
            rows.tolist(), sizes.tolist(), by_credit.tolist(), unsure.tolist(), strict=True
        )
    ]
    matched, closest = _standings(groups, rows, edges)
    return Speakers(rows, reasons, matched, closest)


def whole_texts(groups: npt.NDArray[np.int64], edges: CopyEdges) -> npt.NDArray[np.bool_]:
    """Say which members are part of no other, nor a copy of such a part.

    Args:
      groups: shape (n,). The group of each article, from 0 on.
      edges: pairs within the groups.
    """
    units = np.arange(groups.size, dtype=np.int64)
    partial = edges.relation == PARTIAL
    nodes, labels = connected_components(
        *(ends[~partial].astype(np.uint64) for ends in (edges.shorter, edges.longer))
    )
    units[nodes.astype(np.int64)] = labels.astype(np.int64)
    part, holder = units[edges.shorter[partial]], units[edges.longer[partial]]
    is_part = np.zeros(groups.size, bool)
    is_part[part[part != holder]] = True
    whole = ~is_part[units]
    has_whole = np.bincount(groups, whole) > 0
    return whole | ~has_whole[groups]


def _credits(
    articles: pa.RecordBatch, groups: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Count, for each article, the others of its group that credit its source."""
    counts = np.zeros(groups.size, np.int64)
    credited = articles.column("credited_source")
    crediting = np.bincount(groups, credited.is_valid().to_numpy(zero_copy_only=False)) > 0
    (rows,) = np.nonzero(crediting[groups])
    chosen = articles.take(pa.array(rows))
    sources, names = (
        chosen.column(name).to_pylist() for name in ("source", "credited_source")
    )
    for members in _runs(groups[rows]):
        for i in members:
            counts[rows[i]] = sum(
                is_credited(sources[i], names[j]) for j in members if j != i and names[j]
            )
    return counts


def _runs(groups: npt.NDArray[np.int64]) -> Iterator[list[int]]:
    """Give the places of each group."""
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    for members in np.split(order, cuts):
        yield members.tolist()


def _standings(
    groups: npt.NDArray[np.int64], speakers: npt.NDArray[np.int64], edges: CopyEdges
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Take the pair with the speaker, else the closest one with another member."""
    # The longer text is no reprint of the shorter.
    both = edges.relation != PARTIAL
    pairs = np.arange(edges.shorter.size)
    own = np.concatenate([edges.shorter, edges.longer[both]])
    other = np.concatenate([edges.longer, edges.shorter[both]])
    edge = np.concatenate([pairs, pairs[both]])
    order = np.lexsort(
        (
            other,
            -edges.jaccard[edge],
            -edges.containment[edge],
            edges.relation[edge],
            other != speakers[groups[other]],
            own,
        )
    )
    members, firsts = np.unique(own[order], return_index=True)
    matched, closest = (np.full(groups.size, -1, np.int64) for _ in range(2))
    matched[members] = other[order][firsts]
    closest[members] = edge[order][firsts]
    matched[speakers] = closest[speakers] = -1
    alone = matched < 0
    alone[speakers] = False
    if alone.any():
        raise ValueError(
            "a member of a copy group must have an edge, got none at "
            f"{np.flatnonzero(alone)[0]}"
        )
    return matched, closest
