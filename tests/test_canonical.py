"""Who speaks for a story, how each member stands to that article, and why."""

import datetime

import pytest

from transforms.canonical import StoryEdge, resolve_story
from transforms.relations import FollowUpRule

MORNING = datetime.datetime(2026, 5, 4, 6, tzinfo=datetime.UTC)


def article(article_id="a", hours=0.0, **changes):
    row = {
        "article_id": article_id,
        "source": f"{article_id}.example",
        "credited_source": None,
        "published_at": None
        if hours is None
        else MORNING + datetime.timedelta(hours=hours),
        "title": f"Title of {article_id}",
        "text": f"Text of {article_id}.",
        "word_count": 100,
        "removed_word_count": 0,
        "terms": [1, 2, 3],
        "lead_terms": [1, 2],
    }
    return row | changes


def resolved(articles, story_edges, groups=None, rewrites=()):
    """Resolve a story; each group is given as its members, the speaker first."""
    groups = groups or [[i] for i in range(len(articles))]
    group_of = {i: number for number, group in enumerate(groups) for i in group}
    return resolve_story(
        articles,
        [group_of[i] for i in range(len(articles))],
        [group[0] for group in groups],
        story_edges,
        dict(rewrites),
        follow_up=FollowUpRule(),
    )


def test_who_came_first_is_not_claimed_where_it_is_not_known():
    told = [article("a", None), article("b", None)]
    answer = resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)])
    assert answer.reason == "one of two reports, by id"


def test_an_outlet_and_the_credit_to_it_are_one_origin():
    told = [
        article("a", 0, source="gazette.example", credited_source="Deccan Pilot"),
        article("b", 1, source="deccanpilot.example"),
    ]
    assert resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)]).independent_count == 1


def test_the_medoid_speaks_for_a_story():
    told = [article("a", 0), article("b", 1), article("c", 2)]
    edges = [
        StoryEdge(0, 1, 0.8, 0.7),
        StoryEdge(1, 2, 0.8, 0.7),
        StoryEdge(0, 2, 0.2, 0.5),
    ]
    answer = resolved(told, story_edges=edges)
    assert answer.canonical == 1
    assert answer.reason == "closest to the 2 other reports, mean score 0.80"
    assert answer.standings[1].relation == "canonical"
    assert answer.standings[0].relation == "same_story"
    assert answer.standings[0].matched == 1
    assert answer.standings[0].story_score == 0.8
    assert answer.standings[0].cosine == 0.7


def test_a_text_counts_as_often_as_it_was_printed():
    told = [article(name, hour) for hour, name in enumerate("abcde")]
    edges = [
        StoryEdge(0, 3, 0.8, None),
        StoryEdge(3, 4, 0.9, None),
        StoryEdge(0, 4, 0.6, None),
    ]
    answer = resolved(told, groups=[[0, 1, 2], [3], [4]], story_edges=edges)
    assert answer.canonical == 0
    assert answer.reason == "closest to the 4 other articles, mean score 0.85"


def test_of_two_reports_the_earlier_speaks():
    answer = resolved(
        [article("a", 3), article("b", 1)], story_edges=[StoryEdge(0, 1, 0.9, None)]
    )
    assert answer.canonical == 1
    assert answer.reason == "earlier of two reports"


def test_speakers_alone_stand_in_a_story():
    told = [article("a", 0), article("b", 1), article("c", 2)]
    answer = resolved(told, [StoryEdge(0, 1, 0.9, 0.8)], groups=[[0], [1, 2]])
    assert answer.canonical == 0
    assert answer.standings.keys() == {0, 1}
    assert answer.standings[1].relation == "same_story"


def test_a_late_report_with_a_new_lead_is_a_follow_up():
    told = [article("a", 0), article("b", 31, lead_terms=[8, 9])]
    answer = resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)])
    assert answer.standings[1].relation == "follow_up"


@pytest.mark.parametrize(
    "late", [{"hours": 31}, {"hours": 2, "lead_terms": [8, 9]}, {"hours": None}]
)
def test_without_news_or_without_delay_a_report_is_no_follow_up(late):
    told = [article("a", 0), article("b", **late)]
    answer = resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)])
    assert answer.standings[1].relation == "same_story"


def test_a_rewrite_stands_to_what_it_retells_and_is_no_origin_of_its_own():
    answer = resolved(
        [article("a", 0), article("b", 1)], [StoryEdge(0, 1, 0.9, None)], rewrites={1: 0}
    )
    assert answer.standings[1].relation == "wire_rewrite"
    assert answer.standings[1].matched == 0
    assert answer.independent_count == 1


def test_the_origin_speaks_for_a_story_whose_medoid_is_a_rewrite_of_it():
    told = [article("a", 0), article("b", 2), article("c", 1)]
    edges = [
        StoryEdge(0, 1, 0.9, None),
        StoryEdge(1, 2, 0.9, None),
        StoryEdge(0, 2, 0.5, None),
    ]
    assert resolved(told, story_edges=edges).canonical == 1
    answer = resolved(told, story_edges=edges, rewrites={1: 0})
    assert answer.canonical == 0
    assert answer.reason == "origin, retold by 1 of the 2 other reports"
    assert answer.standings[1].relation == "wire_rewrite"
    assert answer.standings[2].relation == "same_story"
    assert answer.independent_count == 2


def test_an_outlets_own_report_counts_beside_the_agency_text_it_also_runs():
    told = [
        article("a", 0, source="harbor.example", credited_source="Associated Press"),
        article("b", 1, source="harbor.example"),
        article("c", 2, source="valley.example"),
    ]
    edges = [StoryEdge(0, 1, 0.9, None), StoryEdge(1, 2, 0.9, None)]
    assert resolved(told, story_edges=edges).independent_count == 3


def test_copies_of_one_agency_text_are_one_origin_beside_another_report():
    sites = [article(f"site{i}", i, credited_source="Associated Press") for i in range(10)]
    told = [*sites, article("other", 11)]
    edges = [StoryEdge(0, 10, 0.9, None)]
    assert resolved(told, edges, groups=[[*range(10)], [10]]).independent_count == 2
