"""What the report holds of articles and stories, packed."""

import base64
import gzip
import itertools
import json

import pyarrow as pa
import pytest

import made_run
from pipeline.story_columns import (
    COMPARISONS,
    article_columns,
    in_story_order,
    pack,
    story_parts,
)
from schemas.match import MATCH
from schemas.story import ARTICLES, STORIES


def unpacked(part):
    return json.loads(gzip.decompress(base64.b64decode(part)))


def table(rows, schema):
    return pa.table(
        {f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}
    )


@pytest.fixture
def tables():
    def make(rows, matches=()):
        stories = table(made_run.stories_of(rows), STORIES)
        ordered = in_story_order(stories, table(rows, ARTICLES))
        matches = [
            {"question": "story", "accepted": True, "passages": [], **m} for m in matches
        ]
        return *ordered, table(matches, MATCH)

    return make


def test_packed_is_the_same_again_and_holds_no_markup():
    value = {"<script>": ["中", None, 1, "😀"]}
    assert unpacked(pack(value)) == value
    assert pack(value) == pack(value)
    assert pack(value).replace("+", "").replace("/", "").rstrip("=").isalnum()


def test_stories_come_by_size_and_articles_by_story(tables):
    article = made_run.article
    rows = [
        article("z", 5),
        article("b2", 9, story_id="b1", relation="same_story"),
        article("c", 1),
        article("b1", 10, story_id="b1"),
        article("u"),
    ]
    stories, articles, _ = tables(rows)
    assert stories["story_id"].to_pylist() == ["b1", "c", "z", "u"]
    assert articles["article_id"].to_pylist() == ["b1", "b2", "c", "z", "u"]


def test_an_article_without_a_title_is_called_by_its_first_words(tables):
    rows = [
        made_run.article("a", 1, title=None, text="The mill\nburnt down."),
        made_run.article("b", 2, title=None, text="word " * 50),
    ]
    _, articles, _ = tables(
        [{**row, "removed_word_count": 0, "alien": False} for row in rows]
    )
    short, long = article_columns(articles, ["tarn.example"])["title"]
    assert short == "The mill burnt down."
    assert long == "word " * 19 + "word…"


def test_members_that_are_no_articles_are_refused():
    rows = [made_run.article("a"), made_run.article("b")]
    stories = table(made_run.stories_of(rows), STORIES)
    with pytest.raises(
        ValueError, match="got 2 members, 1 of them unknown, and 1 articles"
    ):
        in_story_order(stories, table(rows[:1], ARTICLES))


def test_of_many_comparisons_the_closest_of_each_article_are_held(tables):
    names = [f"a{number:02}" for number in range(40)]
    rows = [
        made_run.article(
            name,
            number,
            story_id="a00",
            relation="same_story" if number else "canonical",
            matched_article_id="a00" if number else None,
        )
        for number, name in enumerate(names)
    ]
    matches = [
        {
            "article_id": one,
            "matched_article_id": other,
            # The further apart, the less alike.
            "story_score": 1 - (names.index(other) - names.index(one)) / 40,
        }
        for one, other in itertools.combinations(names, 2)
    ]
    found = story_parts(*tables(rows, matches), characters=10**6)
    assert found.comparisons < COMPARISONS * len(names)
    (entry,) = unpacked(found.parts[0]).values()
    held = set(zip(entry["matches"]["a"], entry["matches"]["b"], strict=True))
    # By what each article stands where it is, and its neighbours; not what lies far off.
    assert {(0, number) for number in range(1, 40)} <= held
    assert {(number, number + 1) for number in range(39)} <= held
    assert (1, 39) not in held


def test_texts_of_stories_with_copies_come_first(tables):
    article = made_run.article
    rows = [
        article("alone"),
        article("peer", story_id="peer"),
        article("peer2", story_id="peer", relation="same_story"),
        article("first", story_id="first"),
        article(
            "copy", story_id="first", relation="exact_copy", matched_article_id="first"
        ),
    ]
    stories, articles, matches = tables(rows)
    found = story_parts(stories, articles, matches, characters=10**6)
    ids = stories["story_id"].to_pylist()
    order = [ids[int(story)] for story in unpacked(found.parts[0])]
    assert order == ["first", "peer", "alone"]
    assert found.texts == 5
