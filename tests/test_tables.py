"""Story by story, texts and evidence together: the rows an analyst reads."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from schemas.article import CLEANED
from schemas.batch import with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from transforms.fingerprint import FingerprintArticles
from transforms.relations import FollowUpRule
from transforms.resolving import as_before, shard_count, story_shards
from transforms.story_articles import STORY_ARTICLE, as_new, vector_lists
from transforms.tables import in_story_order, statistics_of, story_tables

PASSAGE = {"start": 0, "end": 9, "matched_start": 2, "matched_end": 11}
TEXT = (
    "The old grain mill on the Tarn burnt down on Monday night and nobody was hurt while "
    "firemen from three towns fought the flames until dawn and the owner looked on."
)


def row(name, story, group=None, hours=0.0, text=TEXT, source=None, credited=None):
    published = None
    if hours is not None:
        published = datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC)
        published += datetime.timedelta(hours=hours)
    key = ord(name)
    return {
        "article_key": key,
        "article_id": name,
        "url": None,
        "source": source or f"{name}.example",
        "published_at": published,
        "title": f"Title {name}",
        "text": text,
        "language": "en",
        "content_key": key,
        "file": "made.jsonl",
        "position": key,
        "notes": [],
        "credited_source": credited,
        "word_count": len(text.split()),
        "removed_word_count": 3,
        "thin": False,
        "alien": False,
        "extra": None,
        "story_key": story,
        "group_key": group or key,
    }


def shard(*rows):
    places = [(value.pop("story_key"), value.pop("group_key")) for value in map(dict, rows)]
    cleaned = pa.RecordBatch.from_pylist(
        [{name: value[name] for name in CLEANED.names} for value in rows], schema=CLEANED
    )
    stories, groups = np.array(places, np.uint64).reshape(-1, 2).T
    return as_new(
        FingerprintArticles().fingerprint(cleaned),
        "one",
        groups=groups,
        stories=stories,
        representative=np.ones(len(places), np.bool_),
    )


def begun(articles, **before):
    """Make articles of a shard such as an earlier run wrote of."""
    for name, values in before.items():
        place = articles.schema.get_field_index(name)
        array = pa.array(values, articles.schema.field(name).type)
        articles = articles.set_column(place, articles.schema.field(name), array)
    return articles


def copy_evidence(*pairs):
    rows = [
        {
            "article_key": ord(a),
            "matched_key": ord(b),
            "relation": relation,
            "rule": "made up",
            "jaccard": 1.0,
            "containment": 1.0,
            "article_id": a,
            "matched_article_id": b,
            "gap_days": 0.5,
            "passages": [] if relation is None else [PASSAGE],
        }
        for a, b, relation in pairs
    ]
    return pa.RecordBatch.from_pylist(rows, schema=COPY_EVIDENCE)


def story_evidence(*pairs):
    rows = [
        {
            "article_key": ord(a),
            "matched_key": ord(b),
            "story_score": score,
            "cosine": None,
            "article_id": a,
            "matched_article_id": b,
            "gap_days": None,
        }
        for a, b, score in pairs
    ]
    return pa.RecordBatch.from_pylist(rows, schema=STORY_EVIDENCE)


def no_rewrites(stories):
    return [{} for _ in stories]


def tables(articles, copies=(), scored=(), find_rewrites=no_rewrites):
    return story_tables(
        articles,
        copy_evidence(*copies),
        story_evidence(*scored),
        run_id="one",
        keywords=lambda titles, texts, languages, starts: pa.array(
            [[languages[start]] for start in starts], pa.list_(pa.string())
        ),
        find_rewrites=find_rewrites,
        follow_up=FollowUpRule(),
    )


def test_stories_stand_in_the_order_of_their_first_articles_and_articles_in_time():
    batch = shard(row("a", 1, hours=5), row("b", 2, hours=3), row("c", 1, hours=1))
    assert in_story_order(batch).column("article_id").to_pylist() == ["c", "a", "b"]


def test_articles_without_a_date_come_last_and_by_id():
    batch = shard(row("b", 1, hours=None), row("a", 2, hours=None), row("c", 1))
    assert in_story_order(batch).column("article_id").to_pylist() == ["c", "b", "a"]


def test_a_story_and_its_copies_become_rows_of_every_table():
    made = tables(
        shard(row("a", 1, group=97), row("b", 1, group=97, hours=2), row("c", 1, hours=3)),
        [("b", "a", "exact_copy")],
        [("a", "c", 0.9)],
    )
    articles = made["articles"].to_pylist()
    assert [r["relation"] for r in articles] == ["canonical", "exact_copy", "same_story"]
    assert [r["duplicate_group_id"] for r in articles] == ["a", "a", "c"]
    assert {r["story_id"] for r in articles} == {"a"}
    (story,) = made["stories"].to_pylist()
    assert story["article_count"] == story["source_count"] == 3
    assert story["independent_count"] == 2
    assert story["keywords"] == ["en"]
    assert [m["article_id"] for m in story["members"]] == ["a", "b", "c"]
    assert made["index"].column("story_id").to_pylist() == ["a"] * 3
    assert made["changes"].column("change").to_pylist() == ["story_assigned"] * 3
    assert statistics_of("articles", made["articles"])["copy_groups"] == 1
    assert statistics_of("articles", made["articles"])["removed_words"] == 9
    assert statistics_of("stories", made["stories"])["largest_story"] == 3
    assert statistics_of("index", made["index"]) == {"embedded_articles": 0}
    assert statistics_of("matches", made["matches"]) == {}


def test_a_copy_shows_the_passage_it_shares_and_a_near_miss_shows_none():
    made = tables(
        shard(row("a", 1, group=97), row("b", 1, group=97), row("c", 3)),
        [("b", "a", "exact_copy"), ("c", "a", None)],
        [("a", "c", 0.2)],
    )
    copy, near, stranger = sorted(
        made["matches"].to_pylist(),
        key=lambda match: (match["question"], match["rule"]),
    )[:3]
    by_pair = {
        (m["question"], m["article_id"], m["matched_article_id"]): m
        for m in (copy, near, stranger)
    }
    assert by_pair["copy", "b", "a"]["passages"] == [PASSAGE]
    assert by_pair["copy", "b", "a"]["accepted"]
    assert by_pair["copy", "c", "a"]["passages"] == []
    assert not by_pair["copy", "c", "a"]["accepted"]
    assert by_pair["story", "a", "c"]["rule"] == "other story, story score 0.20"
    assert by_pair["story", "a", "c"]["relation"] is None


def test_a_shard_without_articles_gives_empty_tables():
    made = tables(shard())
    assert {name: rows.num_rows for name, rows in made.items()} == dict.fromkeys(
        ("articles", "stories", "matches", "changes", "index"), 0
    )


def test_a_pair_whose_other_article_is_elsewhere_is_a_near_miss():
    made = tables(shard(row("a", 1)), scored=[("a", "z", 0.4)])
    (match,) = made["matches"].to_pylist()
    assert not match["accepted"]
    assert match["matched_article_id"] == "z"


def test_a_story_of_groups_is_told_by_their_speakers():
    made = tables(
        shard(
            row("a", 1),
            row("b", 1, group=98, hours=1),
            row("c", 1, group=98, hours=2),
            row("d", 2, hours=None) | {"source": ""},
        ),
        [("c", "b", "near_copy")],
        [("a", "b", 0.9)],
    )
    rows = {r["article_id"]: r for r in made["articles"].to_pylist()}
    stands = {
        name: (r["relation"], r["matched_article_id"], r["story_score"])
        for name, r in rows.items()
    }
    assert stands == {
        "a": ("canonical", None, None),
        "b": ("same_story", "a", pytest.approx(0.9)),
        "c": ("near_copy", "b", None),
        "d": ("canonical", None, None),
    }
    told, alone = made["stories"].to_pylist()
    assert told["canonical_reason"] == "earlier of two reports"
    assert told["sources"] == ["a.example", "b.example", "c.example"]
    assert told["last_published_at"] == rows["c"]["published_at"]
    assert (alone["sources"], alone["source_count"]) == ([], 0)
    assert alone["canonical_reason"] == "the only report"
    assert alone["first_published_at"] is alone["last_published_at"] is None


def test_a_long_first_line_is_cut_at_a_word_for_a_title():
    body = "word " * 60
    article = row("a", 1, text=body.strip()) | {"title": None}
    (story,) = tables(shard(article))["stories"].to_pylist()
    assert story["title"].endswith("word…")
    assert len(story["title"]) <= 121


@pytest.mark.parametrize(("articles", "shards"), [(0, 1), (20_000, 1), (20_001, 2)])
def test_there_is_always_a_shard_and_no_more_than_needed(articles, shards):
    assert shard_count(articles, 20_000) == shards
    assert set(story_shards(np.arange(9, dtype=np.uint64), shards)) <= set(range(shards))


def test_an_article_that_was_not_embedded_has_no_vector():
    batch = pa.RecordBatch.from_pydict({"article_key": [1, 2]})
    matrix = np.array([[0.6, 0.8], [0, 0]], np.float16)
    found = vector_lists(with_column(batch, "vector", matrix)).to_pylist()
    assert found[1] is None
    assert found[0] == pytest.approx([0.6, 0.8], abs=1e-3)
    assert vector_lists(batch).null_count == 2


def test_a_story_that_goes_on_keeps_its_id_when_an_earlier_article_joins():
    articles = begun(
        shard(row("a", ord("b")), row("b", ord("b"), hours=2), row("c", ord("b"), hours=3)),
        previous_story_id=[None, "b", "b"],
        previous_group_id=[None, "b", "c"],
        previous_relation=[None, "canonical", "same_story"],
        run_id=["one", "old", "old"],
    )
    made = tables(articles, scored=[("a", "b", 0.9), ("a", "c", 0.9), ("b", "c", 0.4)])
    assert set(made["articles"].column("story_id").to_pylist()) == {"b"}
    assert made["articles"].column("run_id").to_pylist() == ["one", "old", "old"]
    changes = {row["change"]: row for row in made["changes"].to_pylist()}
    assert changes["story_assigned"]["article_id"] == "a"
    speaks = changes["canonical_changed"]
    assert (speaks["article_id"], speaks["previous_id"]) == ("a", "b")
    assert len(made["changes"]) == 2


def test_two_stories_that_become_one_and_a_copy_that_joins_a_group_are_told():
    articles = begun(
        shard(
            row("a", ord("a"), group=97),
            row("b", ord("a"), group=97, hours=2),
            row("c", ord("a"), hours=3),
        ),
        previous_story_id=["a", "b", "c"],
        previous_group_id=["a", "b", "c"],
        previous_relation=["canonical"] * 3,
        run_id=["old"] * 3,
    )
    made = tables(articles, [("b", "a", "exact_copy")], [("a", "c", 0.9)])
    changes = made["changes"].to_pylist()
    merged = {r["previous_id"] for r in changes if r["change"] == "story_merged"}
    assert merged == {"b", "c"}
    assert [
        (r["article_id"], r["previous_id"])
        for r in changes
        if r["change"] == "copy_group_changed"
    ] == [("b", "b")]
    assert {r["story_id"] for r in changes} == {"a"}


def test_an_article_of_long_ago_is_written_again_without_a_fingerprint():
    new = shard(row("a", 1), row("b", 1, hours=1))
    old = tables(new)
    earlier = old["articles"]
    for name, values in {
        "article_key": [97, 98],
        "group_key": [97, 98],
        "representative_key": [0, 0],
        "story_key": [97, 97],
    }.items():
        earlier = with_column(earlier, name, np.array(values, np.uint64))
    index = old["index"].slice(1)
    names = {"article_key", "vector", "is_representative"}
    kept = [n for n in index.schema.names if n in names or n not in earlier.schema.names]
    vectors = pa.RecordBatch.from_pydict(
        {
            "article_key": pa.array([98], pa.uint64()),
            "vector": pa.array([[0.5]], pa.list_(pa.float16())),
        }
    )
    again = as_before(earlier, index.select(kept), vectors)
    assert again.schema == STORY_ARTICLE
    assert again.column("is_indexed").to_pylist() == [False, True]
    assert again.column("vector").to_pylist() == [None, [0.5]]
    assert again.column("terms").to_pylist()[0] == []
    assert tables(again)["index"].column("article_id").to_pylist() == ["b"]


def test_rewrites_are_asked_of_speakers_in_the_order_of_time():
    asked = []

    def second_retells_first(stories):
        asked.extend([report["source"] for report in reports] for reports in stories)
        return [{1: 0} for _ in stories]

    # The first group's speaker came last: its copy, which credits it, was first.
    made = tables(
        shard(
            row("a", 1, group=97, credited="Deccan Pilot"),
            row("b", 1, hours=2),
            row("c", 1, group=97, hours=4, source="deccanpilot.example"),
            row("d", 2),
        ),
        [("c", "a", "exact_copy")],
        [("b", "c", 0.9)],
        find_rewrites=second_retells_first,
    )
    assert asked == [["b.example", "deccanpilot.example"]]
    relations = dict(
        zip(
            made["articles"].column("article_id").to_pylist(),
            made["articles"].column("relation").to_pylist(),
            strict=True,
        )
    )
    assert relations == {
        "a": "exact_copy",
        "b": "canonical",
        "c": "wire_rewrite",
        "d": "canonical",
    }
