import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agreement import bcubed
from pipeline.mistakes import MERGED, SPLIT, Evidence, described_mistake, story_mistakes

groupings = (
    st.integers(1, 12)
    .flatmap(
        lambda size: st.tuples(
            st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=size, max_size=size),
            st.lists(st.integers(0, 3), min_size=size, max_size=size),
        )
    )
    .filter(lambda both: any(story is not None for story in both[0]))
)


def match(a, b, **given):
    row = {
        "article_id": a,
        "matched_article_id": b,
        "question": "story",
        "accepted": False,
        "relation": None,
        "rule": "other story",
        "jaccard": None,
        "containment": None,
        "cosine": None,
        "story_score": None,
    }
    return {**row, **given}


@given(groupings)
def test_mistakes_cost_what_is_missing_from_bcubed_precision_and_recall(both):
    gold, predicted = both
    scored = sum(story is not None for story in gold)
    scores = bcubed(gold, predicted)
    cost = {MERGED: 0.0, SPLIT: 0.0}
    for mistake in story_mistakes(gold, predicted):
        cost[mistake.kind] += mistake.cost / scored
    assert cost[MERGED] == pytest.approx(1 - scores.precision)
    assert cost[SPLIT] == pytest.approx(1 - scores.recall)


def test_the_dearest_mistake_comes_first():
    gold = ["a"] * 4 + ["b"] * 2 + ["c"]
    mistakes = story_mistakes(gold, [1, 1, 1, 1, 1, 1, 1])
    assert [(one.left, one.right) for one in mistakes] == [
        ([0, 1, 2, 3], [4, 5]),
        ([0, 1, 2, 3], [6]),
        ([4, 5], [6]),
    ]
    assert mistakes[0].cost == pytest.approx(2 * 4 * 2 / 7)
    assert len(story_mistakes(gold, [1] * 7, most=2)) == 2


def test_right_groups_hold_no_mistake():
    assert story_mistakes(["a", "a", "b", None], [1, 1, 2, 2]) == []


def test_the_closest_pair_between_two_sides_is_found_whichever_way_it_is_written():
    evidence = Evidence(
        [match("a1", "b1", story_score=0.2), match("b2", "a2", story_score=0.6)]
    )
    for left, right in ((["a1", "a2"], ["b1", "b2"]), (["a2"], ["b1", "b2"])):
        a, b, row = evidence.between(left, right)
        assert (a, b, row["story_score"]) == ("a2", "b2", 0.6)
    assert evidence.between(["a1"], ["b2"]) is None


def test_an_accepted_copy_says_more_than_a_story_score():
    copy = match("a", "b", question="copy", accepted=True, relation="near_copy")
    evidence = Evidence([match("a", "b", story_score=1.0), copy])
    assert evidence.between(["b"], ["a"]) == ("b", "a", copy)


def test_a_mistake_is_told_by_the_articles_that_came_closest():
    found = {
        one: {
            "story_id": "x",
            "title": None,
            "text": "The first\nline",
            "published_at": None,
            "source": None,
        }
        for one in "abc"
    }
    (mistake,) = story_mistakes(["s", "s", "t"], [1, 1, 1])
    told = described_mistake(
        mistake, "abc", ["s", "s", "t"], found, Evidence([match("c", "b", story_score=0.5)])
    )
    assert [article["id"] for article in told["articles"]] == ["b", "c"]
    assert told["articles"][0]["title"] == "The first line"
    assert told["gold_stories"] == ["s", "t"]
    assert told["our_stories"] == ["x"]
    assert told["evidence"]["story_score"] == 0.5
