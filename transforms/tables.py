"""Story by story, texts and evidence together: the rows an analyst reads.

Every story stands in one shard with the texts of all its members. What the earlier stages
decided from fingerprints is written down here with its evidence: the canonical article
and why, how each member stands to it, and the passages that copies share, as offsets into
both cleaned texts.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column
from schemas.story import ARTICLES, CHANGES, INDEX, MEMBER, STORIES
from transforms.canonical import (
    CopyEdge,
    Resolved,
    SentenceEncoder,
    StoryEdge,
    resolve_story,
)
from transforms.evidence import match_rows
from transforms.relations import FollowUpRule, RewriteRule

# Names what a story is about: texts of its members and their languages -> words.
Keywords = Callable[[Sequence[str], Sequence[str]], list[str]]
_TITLE_CHARACTERS = 120
_MEMBER_COLUMNS = tuple(field.name for field in MEMBER)
_RESOLVED_COLUMNS = (
    "article_id",
    "source",
    "credited_source",
    "published_at",
    "title",
    "text",
    "word_count",
    "removed_word_count",
    "group_key",
    "terms",
    "lead_terms",
)


@dataclasses.dataclass(frozen=True)
class Tables:
    """The rows of one shard, by table."""

    rows: dict[str, pa.RecordBatch]
    statistics: dict[str, int]


def in_story_order(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Sort articles: stories by their first article, a story's articles by time.

    Articles without a date come last; ties go by id.
    """
    in_time = articles.take(
        pc.sort_indices(
            articles,
            sort_keys=[
                ("published_at", "ascending", "at_end"),
                ("article_id", "ascending", "at_end"),
            ],
        )
    )
    _, first, inverse = np.unique(
        column(in_time, "story_key"), return_index=True, return_inverse=True
    )
    return in_time.take(pa.array(np.argsort(first[inverse], kind="stable")))


def story_tables(
    articles: pa.RecordBatch,
    copy_edges: pa.RecordBatch,
    story_edges: pa.RecordBatch,
    *,
    run_id: str,
    encoder: SentenceEncoder | None,
    keywords: Keywords,
    rewrite: RewriteRule,
    follow_up: FollowUpRule,
) -> Tables:
    """Make the rows of the tables from the stories of one shard.

    Args:
      articles: all members of the stories, with the columns of CLEANED, `group_key`,
        `story_key`, `terms` and `lead_terms`.
      copy_edges: COPY_EVIDENCE rows whose first article is in the shard, near misses too.
      story_edges: STORY_EVIDENCE rows, likewise.
      run_id: of this run.
      encoder: embeds sentences, where a model takes part.
      keywords: names what a story is about.
      rewrite: what makes two reports rewrites of one.
      follow_up: what makes a report a follow-up.
    """
    articles = in_story_order(articles)
    count = articles.num_rows
    story_keys = column(articles, "story_key")
    starts = np.flatnonzero(np.r_[count > 0, story_keys[1:] != story_keys[:-1]])
    ends = np.r_[starts[1:], count] if count else starts
    place = {key: i for i, key in enumerate(column(articles, "article_key").tolist())}
    story_of = np.repeat(np.arange(len(starts)), ends - starts)
    copies = _edges_by_story(copy_edges, place, story_of)
    scored = _edges_by_story(story_edges, place, story_of)
    relation = np.full(count, "canonical", dtype=object)
    matched: list[int | None] = [None] * count
    numbers: dict[str, list[float | None]] = {
        name: [None] * count for name in ("jaccard", "containment", "cosine", "story_score")
    }
    resolved: list[Resolved | None] = []
    for story, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if end - start == 1:
            resolved.append(None)
            continue
        answer = resolve_story(
            articles.slice(start, end - start).select(_RESOLVED_COLUMNS).to_pylist(),
            [_copy_edge(edge, place, start) for edge in copies[story] if edge["relation"]],
            [_story_edge(edge, place, start) for edge in scored[story]],
            encoder=encoder,
            rewrite=rewrite,
            follow_up=follow_up,
        )
        resolved.append(answer)
        for i, standing in answer.standings.items():
            relation[start + i] = standing.relation
            if standing.matched is not None:
                matched[start + i] = start + standing.matched
            for name, values in numbers.items():
                values[start + i] = getattr(standing, name)
    group_first, groups = _first_of_groups(articles)
    ids = articles.column("article_id")
    story_ids = ids.take(pa.array(starts[story_of]))
    decided = {
        "story_id": story_ids,
        "duplicate_group_id": ids.take(pa.array(group_first)),
        "relation": pa.array(relation, pa.string()),
        "matched_article_id": ids.take(pa.array(matched, pa.int64())),
        **{name: pa.array(values, pa.float32()) for name, values in numbers.items()},
        "run_id": pa.array([run_id] * count, pa.string()),
    }
    rows, index = (
        pa.RecordBatch.from_arrays(
            [
                decided[field.name]
                if field.name in decided
                else articles.column(field.name)
                for field in schema
            ],
            schema=schema,
        )
        for schema in (ARTICLES, INDEX)
    )
    stories = [
        _story_row(rows.slice(start, end - start), answer, run_id, keywords)
        for start, end, answer in zip(starts, ends, resolved, strict=True)
    ]
    return Tables(
        {
            "articles": rows,
            "stories": pa.RecordBatch.from_pylist(stories, schema=STORIES),
            "matches": match_rows(
                articles, copy_edges, story_edges, place, story_of, run_id
            ),
            "changes": _change_rows(rows),
            "index": index,
        },
        {
            "articles": count,
            "copy_groups": groups,
            "stories": len(stories),
            "stories_of_several": sum(answer is not None for answer in resolved),
            "largest_story": max((row["article_count"] for row in stories), default=0),
            "removed_words": int(pc.sum(rows.column("removed_word_count")).as_py() or 0),
            "thin_articles": int(pc.sum(rows.column("thin")).as_py() or 0),
            "undated_articles": rows.column("published_at").null_count,
            "dropped_dates": sum(
                note in ("implausible_date", "unreadable_date")
                for note in rows.column("notes").flatten().to_pylist()
            ),
        },
    )


def _edges_by_story(
    edges: pa.RecordBatch, place: dict[int, int], story_of: npt.NDArray[np.int64]
) -> dict[int, list[dict[str, Any]]]:
    """Give the edges that stay within one story, by its number in the shard."""
    inside: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for edge in edges.to_pylist():
        left, right = place.get(edge["article_key"]), place.get(edge["matched_key"])
        if left is not None and right is not None and story_of[left] == story_of[right]:
            inside[int(story_of[left])].append(edge)
    return inside


def _copy_edge(edge: dict[str, Any], place: dict[int, int], start: int) -> CopyEdge:
    return CopyEdge(
        place[edge["article_key"]] - start,
        place[edge["matched_key"]] - start,
        edge["relation"],
        edge["jaccard"],
        edge["containment"],
    )


def _story_edge(edge: dict[str, Any], place: dict[int, int], start: int) -> StoryEdge:
    return StoryEdge(
        place[edge["article_key"]] - start,
        place[edge["matched_key"]] - start,
        edge["story_score"],
        edge["cosine"],
    )


def _first_of_groups(articles: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], int]:
    """Give the first row of every row's copy group, and the number of groups of several."""
    _, first, inverse, sizes = np.unique(
        column(articles, "group_key"),
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    return first[inverse].astype(np.int64), int((sizes > 1).sum())


def _story_row(
    rows: pa.RecordBatch, resolved: Resolved | None, run_id: str, keywords: Keywords
) -> dict[str, Any]:
    members = rows.select(
        ["article_id", "source", "published_at", "relation", "title", "language"]
    ).to_pylist()
    texts = [
        f"{row['title'] or ''}\n{text}"
        for row, text in zip(members, rows.column("text").to_pylist(), strict=True)
    ]
    canonical = resolved.canonical if resolved else 0
    dates = [row["published_at"] for row in members if row["published_at"]]
    sources = sorted({row["source"] for row in members if row["source"]})
    return {
        "story_id": rows.column("story_id")[0].as_py(),
        "canonical_article_id": members[canonical]["article_id"],
        "canonical_reason": resolved.reason if resolved else "the only report",
        "title": members[canonical]["title"] or _first_words(texts[canonical]),
        "first_published_at": min(dates, default=None),
        "last_published_at": max(dates, default=None),
        "article_count": len(members),
        "source_count": len(sources),
        "independent_count": resolved.independent_count if resolved else 1,
        "sources": sources,
        "languages": sorted({row["language"] for row in members}),
        "keywords": keywords(texts, [row["language"] for row in members]),
        "members": sorted(
            ({name: row[name] for name in _MEMBER_COLUMNS} for row in members),
            # Rows are in time order already, and the sort is stable.
            key=lambda row: row["article_id"] != members[canonical]["article_id"],
        ),
        "run_id": run_id,
    }


def _first_words(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    if len(line) <= _TITLE_CHARACTERS:
        return line
    return line[:_TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"


def _change_rows(rows: pa.RecordBatch) -> pa.RecordBatch:
    count = rows.num_rows
    return pa.RecordBatch.from_arrays(
        [
            pa.array(["story_assigned"] * count, pa.string()),
            rows.column("article_id"),
            rows.column("story_id"),
            pa.nulls(count, pa.string()),
            rows.column("run_id"),
        ],
        schema=CHANGES,
    )
