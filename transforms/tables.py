"""Story by story, texts and evidence together: the rows an analyst reads.

Every story stands in one shard with the texts of all its members. What the earlier stages
decided from fingerprints is written down here with its evidence: the canonical article
and why, and how each member stands to it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, with_column
from schemas.story import ARTICLES, INDEX, MEMBER, STORIES
from transforms.canonical import Row, StoryEdge, resolve_story
from transforms.changes import change_rows, given_names
from transforms.evidence import match_rows
from transforms.relations import FollowUpRule
from transforms.rewrites import Rewrites
from transforms.speakers import (
    COPY_RELATIONS,
    CopyEdges,
    Speakers,
    copied,
    edges_between,
    group_speakers,
    rows_among,
)

# Names what stories are about: titles, texts and languages of their members, and where
# each story begins -> words.
Keywords = Callable[
    [pa.Array, pa.Array, Sequence[str], npt.NDArray[np.int64]], pa.ListArray
]
# Finds who retells whom: for each story its reports in the order of time -> positions.
FindRewrites = Callable[[Sequence[Sequence[Row]]], list[Rewrites]]
_REPORT_COLUMNS = ("text", "source", "published_at", "language")
_RESOLVED_COLUMNS = (
    "article_id",
    "source",
    "credited_source",
    "published_at",
    "terms",
    "lead_terms",
)


def in_story_order(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Sort articles: stories by their first article, a story's articles by time.

    Articles without a date come last; ties go by id.
    """
    in_time = pc.sort_indices(
        articles,
        sort_keys=[
            ("published_at", "ascending", "at_end"),
            ("article_id", "ascending", "at_end"),
        ],
    ).to_numpy()
    _, first, inverse = np.unique(
        column(articles, "story_key")[in_time], return_index=True, return_inverse=True
    )
    order = in_time[np.argsort(first[inverse], kind="stable")]
    # Texts move once.
    return articles.take(pa.array(order))


def story_tables(
    articles: pa.RecordBatch,
    copy_edges: pa.RecordBatch,
    story_edges: pa.RecordBatch,
    *,
    run_id: str,
    keywords: Keywords,
    find_rewrites: FindRewrites | None,
    follow_up: FollowUpRule,
) -> dict[str, pa.RecordBatch]:
    """Make the rows of the tables from the stories of one shard, by table.

    Args:
      articles: all members of the stories, schema STORY_ARTICLE.
      copy_edges: COPY_EVIDENCE rows whose first article is in the shard, near misses too.
      story_edges: STORY_EVIDENCE rows, likewise.
      run_id: of this run.
      keywords: names what a story is about.
      find_rewrites: finds who retells whom; None: nobody asks.
      follow_up: what makes a report a follow-up.
    """
    articles = in_story_order(articles)
    count = articles.num_rows
    keys, story_keys = (column(articles, name) for name in ("article_key", "story_key"))
    starts = np.flatnonzero(np.r_[count > 0, story_keys[1:] != story_keys[:-1]])
    story_of = np.repeat(np.arange(starts.size), np.diff(np.append(starts, count)))
    groups, group_starts = in_row_order(column(articles, "group_key"))
    members = copied(articles)
    edges = edges_between(copy_edges, keys, groups)
    speakers = group_speakers(members, groups, edges)
    canonical = speakers.rows[groups[starts]]
    reasons = [speakers.reasons[group] for group in groups[starts].tolist()]
    independent = np.ones(starts.size, np.int32)
    decided = copy_standings(members, speakers, edges)
    relation = np.array(decided["relation"].to_pylist(), object)
    matched = speakers.matched.copy()
    cosines, scores = (np.full(count, None, object) for _ in range(2))
    left, right, together = _story_rows_of(story_edges, keys, story_of)
    scored = _edges_by_story(story_edges, left, right, together, story_of)
    ends = np.append(starts[1:], count)
    several = np.flatnonzero(np.bincount(story_of[group_starts]) > 1).tolist()
    first_groups = np.append(groups[starts], group_starts.size)
    rewrites = _rewrites_of(
        articles,
        [speakers.rows[slice(*first_groups[story : story + 2])] for story in several],
        find_rewrites,
    )
    for story, retold in zip(several, rewrites, strict=True):
        start, end = int(starts[story]), int(ends[story])
        own, local = np.unique(groups[start:end], return_inverse=True)
        answer = resolve_story(
            articles.slice(start, end - start).select(_RESOLVED_COLUMNS).to_pylist(),
            local.tolist(),
            (speakers.rows[own] - start).tolist(),
            [
                StoryEdge(one - start, other - start, score, cosine)
                for one, other, score, cosine in scored[story]
            ],
            retold,
            follow_up=follow_up,
        )
        canonical[story] = start + answer.canonical
        reasons[story] = answer.reason
        independent[story] = answer.independent_count
        for i, standing in answer.standings.items():
            relation[start + i] = standing.relation
            if standing.matched is not None:
                matched[start + i] = start + standing.matched
            cosines[start + i] = standing.cosine
            scores[start + i] = standing.story_score
    ids = articles.column("article_id")
    story_names = given_names(articles, "story", starts)
    group_names = given_names(articles, "group", group_starts)
    decided |= {
        "story_id": story_names.take(pa.array(story_of)),
        "duplicate_group_id": group_names.take(pa.array(groups)),
        "relation": pa.array(relation, pa.string()),
        "matched_article_id": ids.take(pa.array(matched, mask=matched < 0)),
        "cosine": pa.array(cosines, pa.float32()),
        "story_score": pa.array(scores, pa.float32()),
    }
    return article_tables(articles, decided) | {
        "changes": change_rows(articles, decided, ids.take(pa.array(canonical)), run_id),
        "stories": story_rows(
            with_column(members, "relation", decided["relation"]),
            starts,
            names=story_names,
            canonical=canonical,
            reasons=reasons,
            independent=independent,
            run_id=run_id,
            keywords=keywords(
                articles.column("title"),
                articles.column("text"),
                articles.column("language").to_pylist(),
                starts,
            ),
        ),
        "matches": match_rows(copy_edges, story_edges, together, run_id),
    }


def _rewrites_of(
    articles: pa.RecordBatch,
    speakers: Sequence[npt.NDArray[np.int64]],
    find_rewrites: FindRewrites | None,
) -> list[Rewrites]:
    """Find who retells whom in stories.

    Args:
      articles: in story order.
      speakers: of each story, the row that speaks for each copy group.
      find_rewrites: as of `story_tables`.

    Returns:
      For each story, numbers of copy groups: of the rewrites and of what they retell.
    """
    if find_rewrites is None:
        return [{} for _ in speakers]
    # The rows of a story stand in the order of time, and so must its reports.
    orders = [np.argsort(rows) for rows in speakers]
    stories = [
        articles.select(_REPORT_COLUMNS).take(pa.array(rows[order])).to_pylist()
        for rows, order in zip(speakers, orders, strict=True)
    ]
    return [
        {int(order[later]): int(order[earlier]) for later, earlier in found.items()}
        for found, order in zip(find_rewrites(stories), orders, strict=True)
    ]


def in_row_order(
    keys: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number groups by their first rows.

    Args:
      keys: shape (n,). Key of each row's group.

    Returns:
      groups: shape (n,). The number of each row's group.
      starts: shape (g,), ascending. The first row of each group.
    """
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(first.size, np.int64)
    rank[order] = np.arange(first.size)
    return rank[inverse], first[order]


def copy_standings(
    members: pa.RecordBatch, speakers: Speakers, edges: CopyEdges
) -> dict[str, pa.Array]:
    """Say how articles stand among their copies, as columns of ARTICLES.

    Args:
      members: schema COPIED.
      speakers: of their copy groups.
      edges: the pairs within the groups.
    """
    alone = speakers.edges < 0
    taken = pa.array(speakers.edges, mask=alone)
    relations = pa.array([COPY_RELATIONS[code] for code in edges.relation], pa.string())
    return {
        "relation": pc.fill_null(relations.take(taken), "canonical"),
        "matched_article_id": members.column("article_id").take(
            pa.array(speakers.matched, mask=alone)
        ),
        "jaccard": pa.array(edges.jaccard, pa.float32()).take(taken),
        "containment": pa.array(edges.containment, pa.float32()).take(taken),
    }


def article_tables(
    articles: pa.RecordBatch, decided: Mapping[str, pa.Array]
) -> dict[str, pa.RecordBatch]:
    """Make the rows of `articles` and `index`.

    Args:
      articles: n rows of STORY_ARTICLE.
      decided: the other columns of ARTICLES and INDEX, by name.
    """
    given = {**dict(zip(articles.schema.names, articles.columns, strict=True)), **decided}
    tables = {
        table: pa.RecordBatch.from_arrays(
            [given[name] for name in schema.names], schema=schema
        )
        for table, schema in (("articles", ARTICLES), ("index", INDEX))
    }
    tables["index"] = tables["index"].filter(articles.column("is_indexed"))
    return tables


def story_rows(
    members: pa.RecordBatch,
    starts: npt.NDArray[np.int64],
    *,
    names: pa.Array,
    canonical: npt.NDArray[np.int64],
    reasons: Sequence[str],
    independent: npt.NDArray[np.int32],
    run_id: str,
    keywords: pa.Array | None = None,
) -> pa.RecordBatch:
    """Make the rows of `stories`.

    Args:
      members: n rows of COPIED with `relation`, in story order.
      starts: shape (s,), ascending. The first row of each story.
      names: the s ids.
      canonical: shape (s,). The row that speaks for each.
      reasons: s reasons for that.
      independent: shape (s,). Distinct origins of each.
      run_id: of this run.
      keywords: s lists of words; none by default.
    """
    count, rows = starts.size, members.num_rows
    sizes = np.diff(np.append(starts, rows))
    story_of = np.repeat(np.arange(count), sizes)
    leading = pa.array(canonical)
    ids, published = members.column("article_id"), members.column("published_at")
    sources = _distinct(members.column("source"), story_of, count)
    # Canonical first; the others are in time order already.
    order = np.lexsort((np.arange(rows), np.arange(rows) != canonical[story_of], story_of))
    listed = members.take(pa.array(order))
    columns = {
        "story_id": names,
        "canonical_article_id": ids.take(leading),
        "canonical_reason": pa.array(reasons, pa.string()),
        "title": members.column("headline").take(leading),
        "first_published_at": published.take(pa.array(starts)),
        "last_published_at": _latest(published, starts),
        "article_count": pa.array(sizes, pa.int32()),
        "source_count": pc.list_value_length(sources),
        "independent_count": pa.array(independent, pa.int32()),
        "sources": sources,
        "languages": _distinct(members.column("language"), story_of, count),
        "keywords": keywords
        if keywords is not None
        else pa.array([[]] * count, pa.list_(pa.string())),
        "members": pa.ListArray.from_arrays(
            pa.array(np.append(starts, rows), pa.int32()),
            pa.StructArray.from_arrays(
                [listed.column(field.name) for field in MEMBER], fields=list(MEMBER)
            ),
        ),
        "run_id": pa.repeat(run_id, count),
    }
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in STORIES.names], schema=STORIES
    )


def statistics_of(table: str, rows: pa.RecordBatch) -> dict[str, int]:
    """Count what the manifest tells of a file of a table.

    Numbers add up over the files, but of "largest_story" the largest is taken.
    """
    if table == "articles":
        notes = rows.column("notes").flatten()
        dropped = pc.is_in(notes, pa.array(["implausible_date", "unreadable_date"]))
        # A copy group stands in one file, as its story does.
        groups = rows.column("duplicate_group_id").value_counts().field("counts")
        return {
            "articles": rows.num_rows,
            "copy_groups": pc.sum(pc.greater(groups, 1)).as_py() or 0,
            "removed_words": pc.sum(rows.column("removed_word_count")).as_py() or 0,
            "thin_articles": pc.sum(rows.column("thin")).as_py() or 0,
            "undated_articles": rows.column("published_at").null_count,
            "dropped_dates": pc.sum(dropped).as_py() or 0,
        }
    if table == "stories":
        sizes = rows.column("article_count")
        return {
            "stories": len(sizes),
            "stories_of_several": pc.sum(pc.greater(sizes, 1)).as_py() or 0,
            "largest_story": pc.max(sizes).as_py() or 0,
        }
    if table == "index":
        vectors = rows.column("vector")
        return {"embedded_articles": len(vectors) - vectors.null_count}
    return {}


def _latest(published: pa.Array, starts: npt.NDArray[np.int64]) -> pa.Array:
    """Give the last time of each story, whose undated articles come last; null if none."""
    times = pc.fill_null(published.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
    latest = np.maximum.reduceat(times, starts) if starts.size else times
    undated = latest == np.iinfo(np.int64).min
    return pa.array(latest, pa.int64(), mask=undated).cast(published.type)


def _distinct(
    values: pa.Array, story_of: npt.NDArray[np.int64], count: int
) -> pa.ListArray:
    """List the distinct values of each story, ascending, without null and ""."""
    encoded = values.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    said = pc.fill_null(pc.greater(pc.binary_length(values), 0), False)
    codes = rank[encoded.indices.filter(said).to_numpy()]
    owners = story_of[said.to_numpy(zero_copy_only=False)]
    found = np.unique(owners * max(len(order), 1) + codes)
    owners, codes = np.divmod(found, max(len(order), 1))
    offsets = np.append(0, np.cumsum(np.bincount(owners, minlength=count)))
    listed = encoded.dictionary.take(order).take(pa.array(codes))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), listed)


def _story_rows_of(
    edges: pa.RecordBatch, keys: npt.NDArray[np.uint64], story_of: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give the rows of both ends of edges, -1 elsewhere, and who is in one story."""
    left, right = (
        rows_among(keys, column(edges, name)) for name in ("article_key", "matched_key")
    )
    together = (left >= 0) & (right >= 0)
    together[together] = story_of[left[together]] == story_of[right[together]]
    return left, right, together


def _edges_by_story(
    edges: pa.RecordBatch,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    together: npt.NDArray[np.bool_],
    story_of: npt.NDArray[np.int64],
) -> dict[int, list[tuple[int, int, float, float | None]]]:
    """Give the edges that stay within one story: rows, score and cosine."""
    inside: dict[int, list[tuple[int, int, float, float | None]]] = defaultdict(list)
    chosen = edges.filter(pa.array(together))
    for story, *edge in zip(
        story_of[left[together]].tolist(),
        left[together].tolist(),
        right[together].tolist(),
        chosen.column("story_score").to_pylist(),
        chosen.column("cosine").to_pylist(),
        strict=True,
    ):
        inside[story].append(tuple(edge))
    return inside
