"""What the first screen of the report says."""

import pyarrow as pa
import pytest

import made_run
from pipeline.overview import fastest_stories, furniture_by_source, overview
from schemas.article import REJECT
from schemas.story import ARTICLES, STORIES


@pytest.fixture
def tables():
    def make(rows, rejects=()):
        stories = made_run.stories_of(rows)
        return [
            pa.table(
                {
                    f.name: pa.array([row.get(f.name) for row in given], f.type)
                    for f in schema
                }
            )
            for schema, given in (
                *((ARTICLES, [{"removed_word_count": 0, **row} for row in rows]),),
                *((STORIES, stories), (REJECT, list(rejects))),
            )
        ]

    return make


def test_counts_are_those_of_the_tables(tables):
    article = made_run.article
    rows = [
        article("a", 60, source="wire.example", credited_source="Wire"),
        *(
            article(
                name,
                90,
                story_id="a",
                relation=relation,
                matched_article_id="a",
                source=source,
                credited_source=credited,
            )
            for name, relation, source, credited in (
                ("b", "exact_copy", "one.example", None),
                ("c", "near_copy", "one.example", None),
                ("d", "wire_rewrite", "two.example", None),
                ("e", "same_story", "three.example", "Wire"),
                ("f", "same_story", "four.example", None),
                ("g", "exact_copy", None, None),
                ("h", "exact_copy", "wire.example", None),
            )
        ),
        article("z", source="four.example"),
    ]
    found = overview(*tables(rows), min_words=25)
    counts = found["counts"]
    assert (counts["articles"], counts["copies"], counts["rewrites"]) == (9, 4, 1)
    assert (counts["stories"], counts["stories_of_several"]) == (2, 1)
    # One and two only copy, three credits another: wire and four have texts of their own.
    assert (counts["sources"], counts["independent_sources"]) == (5, 2)
    assert counts["undated"] == 1
    assert counts["last"] - counts["first"] == 30
    pairs = {
        (pair["copier"], pair["original"]): pair["relations"] for pair in found["copies"]
    }
    assert pairs == {
        ("one.example", "wire.example"): {"exact_copy": 1, "near_copy": 1},
        ("two.example", "wire.example"): {"wire_rewrite": 1},
        (None, "wire.example"): {"exact_copy": 1},
        ("wire.example", "wire.example"): {"exact_copy": 1},
    }
    assert found["copies"][0]["copier"] == "one.example"
    assert found["credits"] == [{"name": "Wire", "articles": 1}]
    assert found["largest"] == [0]


def test_a_story_is_fast_by_its_third_source(tables):
    def story(name, *times):
        return [
            made_run.article(
                f"{name}{place}",
                minute,
                story_id=name,
                relation="same_story" if place else "canonical",
                source=source,
            )
            for place, (source, minute) in enumerate(times)
        ]

    rows = [
        *story("slow", ("a", 10), ("b", 20), ("c", 600)),
        *story("fast", ("a", 100), ("a", 101), ("b", 105), ("c", 130), ("d", 900)),
        *story("two", ("a", 10), ("b", 11), ("b", 12)),
        # Dated to the day alone.
        *story("days", ("a", 0), ("b", 0), ("c", 1440)),
        *story("unknown", ("a", 10), ("b", 11), (None, 12)),
    ]
    articles, stories, _ = tables(rows)
    assert fastest_stories(articles, stories) == [
        {"story": 1, "minutes": 30},
        {"story": 0, "minutes": 590},
    ]


@pytest.mark.parametrize(
    ("words", "alarm"),
    [
        # Of each article: words that stayed, and words that went.
        ([(100, 20), (100, 30)], False),
        ([(100, 100)], True),
        ([(100, 99)], False),
        ([(10, 40)], False),
        ([(20, 60), (400, 0), (400, 0), (400, 0)], True),
        ([(20, 60), (400, 0), (400, 0), (400, 0), (400, 0)], False),
        ([(0, 0)], False),
    ],
)
def test_a_wipe_out_is_an_alarm(words, alarm, tables):
    rows = [
        made_run.article(str(place), word_count=kept, removed_word_count=lost)
        for place, (kept, lost) in enumerate(words)
    ]
    (row,) = furniture_by_source(tables(rows)[0], min_words=25)
    assert row["alarm"] is alarm
    assert row["words"] == sum(kept for kept, _ in words)
    assert row["removed"] == sum(lost for _, lost in words)


def test_rejects_are_counted_by_reason_with_examples(tables):
    rejects = [
        {"file": "f", "position": n, "article_id": None, "reason": reason, "detail": "d"}
        for n, reason in enumerate(["no_text"] * 7 + ["broken_json"] * 2)
    ]
    found = overview(*tables([], rejects), min_words=25)["rejects"]
    assert [(row["reason"], row["count"]) for row in found] == [
        ("no_text", 7),
        ("broken_json", 2),
    ]
    assert [row["position"] for row in found[0]["examples"]] == [0, 1, 2, 3, 4]
