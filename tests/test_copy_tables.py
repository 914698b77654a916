"""The tables of a run without stories: every copy group is a story of its own."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.article import CLEANED
from schemas.batch import with_column
from schemas.match import COPY_EVIDENCE
from schemas.story import INDEX
from transforms.copy_tables import (
    STANDING,
    WriteCopies,
    copy_statistics,
    part_tables,
    standings,
)
from transforms.fingerprint import fingerprint_articles
from transforms.membership import MEMBERSHIP
from transforms.speakers import copied
from transforms.spilling import spill

TEXT = "The old grain mill on the Tarn burnt down on Monday night and nobody was hurt."


def row(name, hours=0.0, **changes):
    published = None
    if hours is not None:
        published = datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC)
        published += datetime.timedelta(hours=hours)
    return {
        "article_key": ord(name),
        "article_id": name,
        "url": None,
        "source": f"{name}.example",
        "published_at": published,
        "title": f"Title {name}",
        "text": TEXT,
        "language": "en",
        "content_key": ord(name),
        "file": "made.jsonl",
        "position": ord(name),
        "notes": [],
        "credited_source": None,
        "word_count": 15,
        "removed_word_count": 3,
        "thin": False,
        "alien": False,
    } | changes


def cleaned(*rows):
    return pa.RecordBatch.from_pylist(list(rows), schema=CLEANED)


def articles(*rows):
    batch = cleaned(*rows)
    prints = fingerprint_articles(batch, stories=False)
    for field in prints.schema:
        if field.name not in batch.schema.names:
            batch = with_column(batch, field.name, prints.column(field.name))
    return batch


def edges(*pairs):
    rows = [
        {
            "article_key": ord(a),
            "matched_key": ord(b),
            "relation": relation,
            "rule": "made up",
            "jaccard": 0.5,
            "containment": 1.0,
            "article_id": a,
            "matched_article_id": b,
            "gap_days": 0.5,
            "passages": [],
        }
        for a, b, relation in pairs
    ]
    return pa.RecordBatch.from_pylist(rows, schema=COPY_EVIDENCE)


def members(rows, groups):
    keys = np.array([ord(group) for group in groups], np.uint64)
    return with_column(copied(cleaned(*rows)), "story_key", keys)


def company():
    """Two groups, "b" with its copies "a" and "d", "c" with "e"; "a" is given twice."""
    rows = [row("d", 3), row("a", 2), row("e", 9), row("b", 1), row("c", 0), row("a", 2)]
    pairs = [("a", "b", "near_copy"), ("d", "a", "exact_copy"), ("e", "c", "exact_copy")]
    return standings(members(rows, "bbcbcb"), edges(*pairs, ("d", "b", None)), "one")


def test_every_member_stands_to_the_speaker_of_its_group_or_to_a_copy_of_it():
    standing, stories = company()
    assert standing.schema.equals(STANDING, check_metadata=True)
    told = {
        r["article_key"]: (r["story_id"], r["relation"], r["matched_article_id"])
        for r in standing.to_pylist()
    }
    assert told == {
        ord("b"): ("b", "canonical", None),
        ord("a"): ("b", "near_copy", "b"),
        ord("d"): ("b", "exact_copy", "a"),
        ord("c"): ("c", "canonical", None),
        ord("e"): ("c", "exact_copy", "c"),
    }
    first, second = stories.to_pylist()
    assert (first["first_key"], first["article_count"]) == (ord("c"), 2)
    assert [member["article_id"] for member in second["members"]] == ["b", "a", "d"]
    assert second["independent_count"] == 1
    assert second["canonical_reason"] == "earliest whole text of 3 copies"


def test_articles_of_a_part_stand_story_by_story_and_in_time():
    hours = (1.5, 9, 3, 0, 1, 2)
    part = articles(*map(row, "fedcba", hours))
    part = pa.concat_batches([part, articles(row("g", None))])
    tables = part_tables(part, *company(), "one")
    rows = tables["articles"].to_pylist()
    assert [r["article_id"] for r in rows] == ["c", "e", "b", "a", "d", "f", "g"]
    stories = tables["stories"].to_pylist()
    assert [r["story_id"] for r in stories] == ["c", "b", "f", "g"]


def test_an_article_alone_is_a_story():
    tables = part_tables(articles(row("z", title=None)), *company(), "one")
    (article,) = tables["articles"].to_pylist()
    assert article["relation"] == "canonical"
    assert article["story_id"] == article["duplicate_group_id"] == "z"
    (story,) = tables["stories"].to_pylist()
    assert story["canonical_reason"] == "the only report"
    assert story["title"] == TEXT
    assert story["keywords"] == []
    assert story["sources"] == ["z.example"]
    assert [member["article_id"] for member in story["members"]] == ["z"]
    assert tables["index"].column("story_id").to_pylist() == ["z"]
    assert tables["changes"].column("change").to_pylist() == ["story_assigned"]
    counts = copy_statistics("stories", tables["stories"])
    assert counts["stories"] == counts["largest_story"] == 1
    assert counts["copy_groups"] == counts["stories_of_several"] == 0
    assert copy_statistics("articles", tables["articles"])["articles"] == 1


def test_a_group_is_told_of_in_the_part_where_it_begins():
    standing, stories = company()
    begun = part_tables(articles(row("b", 1)), standing, stories, "one")
    assert begun["stories"].column("article_count").to_pylist() == [3]
    counts = copy_statistics("stories", begun["stories"])
    assert (counts["copy_groups"], counts["largest_story"]) == (1, 3)
    later = part_tables(articles(row("d", 3)), standing, stories, "one")
    assert copy_statistics("stories", later["stories"])["copy_groups"] == 0
    assert copy_statistics("articles", later["articles"])["copy_groups"] == 0
    assert later["articles"].column("story_id").to_pylist() == ["b"]


@pytest.mark.parametrize("articles_per_part", [2, 20_000])
def test_transform_writes_every_table(apply, tmp_path, articles_per_part):
    staging = str(tmp_path / "_staging-12345678")
    batches = [
        articles(row("b", 1), row("a", 2)),
        articles(row("c", 0), row("d", 3)),
        articles(row("e", 4)),
    ]
    (tmp_path / "_staging-12345678").mkdir()
    keys = {name: ord(name) for name in "abd"}
    membership = pa.RecordBatch.from_pylist(
        [
            {
                "article_key": key,
                "group_key": keys["b"],
                "representative_key": keys["b"],
                "story_key": keys["b"],
            }
            for key in keys.values()
        ],
        schema=MEMBERSHIP,
    )
    found = apply(
        WriteCopies(staging, "one", INDEX, articles_per_part),
        {
            "articles": [spill(batch, staging) for batch in batches],
            # "c" has an accepted edge to a text whose group it is not in.
            "copied": [copied(cleaned(row("b", 1), row("a", 2), row("c", 0), row("d", 3)))],
            "edges": [
                edges(
                    ("a", "b", "near_copy"),
                    ("d", "b", "exact_copy"),
                    ("c", "b", "partial_reprint"),
                )
            ],
            "membership": [membership],
            "article_count": [5],
        },
    )
    tables = {}
    for part in sorted(found, key=lambda part: part.name):
        tables.setdefault(part.table, []).extend(pq.read_table(part.staged).to_pylist())
    groups = {r["article_id"]: r["duplicate_group_id"] for r in tables["articles"]}
    assert groups == {"a": "b", "b": "b", "c": "c", "d": "b", "e": "e"}
    assert sorted(r["story_id"] for r in tables["stories"]) == ["b", "c", "e"]
    assert len(tables["matches"]) == 3
    assert len(tables["index"]) == len(tables["changes"]) == 5
    statistics = [part.statistics for part in found]
    assert sum(own.get("copy_groups", 0) for own in statistics) == 1
