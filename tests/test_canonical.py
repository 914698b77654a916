"""Who speaks for a story, how each member stands to that article, and why."""

import datetime
import doctest

import numpy as np
import pytest

from transforms import canonical
from transforms.canonical import CopyEdge, StoryEdge, copy_canonical, resolve_story
from transforms.relations import FollowUpRule, RewriteRule

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
        "group_key": hash_of(article_id),
        "terms": [1, 2, 3],
        "lead_terms": [1, 2],
    }
    return row | changes


def hash_of(article_id):
    return int.from_bytes(article_id.encode(), "big")


def resolved(articles, copy_edges=(), story_edges=(), encoder=None):
    return resolve_story(
        articles,
        copy_edges,
        story_edges,
        encoder=encoder,
        rewrite=RewriteRule(),
        follow_up=FollowUpRule(),
    )


def near(shorter, longer):
    return CopyEdge(shorter, longer, "near_copy", 0.8, 0.9)


def test_examples_in_docstrings_hold():
    assert doctest.testmod(canonical).failed == 0


def test_the_earliest_copy_speaks_for_a_group():
    best, reason = copy_canonical([article("a", 5), article("b", 1)], [near(0, 1)])
    assert best == 1
    assert reason == "earliest whole text of 2 copies"


def test_a_credited_origin_speaks_for_a_group_even_if_it_came_later():
    copies = [
        article("a", 1, credited_source="Meridian Wire"),
        article("b", 2, source="meridianwire.example"),
        article("c", 3, credited_source="Meridian Wire"),
    ]
    best, reason = copy_canonical(copies, [near(0, 1), near(2, 1)])
    assert best == 1
    assert reason == "origin, credited by 2 of 3 copies"


def test_a_credit_to_oneself_makes_no_origin():
    copies = [
        article("a", 0),
        article("reuters", 1, source="reuters.com", credited_source="Reuters"),
    ]
    assert copy_canonical(copies, [near(0, 1)]) == (0, "earliest whole text of 2 copies")


def test_who_came_first_is_not_claimed_where_it_is_not_known():
    told = [article("a", None), article("b", None)]
    answer = resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)])
    assert answer.reason == "one of two reports, by id"
    assert "known" in copy_canonical([article("a", 1), article("b", None)], [near(0, 1)])[1]


def test_an_outlet_and_the_credit_to_it_are_one_origin():
    told = [
        article("a", 0, source="gazette.example", credited_source="Deccan Pilot"),
        article("b", 1, source="deccanpilot.example"),
    ]
    assert resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)]).independent_count == 1


def test_an_outlet_does_not_rewrite_its_own_report():
    told = [{**report, "source": "x.example"} for report in reports(20)]
    answer = resolved(told, story_edges=[StoryEdge(0, 1, 0.9, None)], encoder=Counting())
    assert answer.standings[1].relation == "same_story"


def test_a_partial_reprint_never_speaks_for_the_whole_text():
    edges = [CopyEdge(0, 1, "partial_reprint", 0.3, 1.0)]
    best, _ = copy_canonical([article("a", 0), article("b", 9)], edges)
    assert best == 1


def test_copies_of_a_part_do_not_speak_for_the_whole_text_either():
    told = [
        article(name, hours, group_key=7) for name, hours in (("a", 0), ("b", 1), ("c", 9))
    ]
    answer = resolved(told, [near(0, 1), CopyEdge(1, 2, "partial_reprint", 0.1, 0.8)])
    assert answer.canonical == 2
    assert answer.standings[1].matched == 2
    assert answer.standings[0].matched == 1


def test_copies_without_dates_are_spoken_for_by_the_fullest():
    copies = [article("a", None, word_count=90), article("b", None, word_count=120)]
    assert copy_canonical(copies, [near(0, 1)])[0] == 1


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


def test_of_two_reports_the_earlier_speaks():
    answer = resolved(
        [article("a", 3), article("b", 1)], story_edges=[StoryEdge(0, 1, 0.9, None)]
    )
    assert answer.canonical == 1
    assert answer.reason == "earlier of two reports"


def test_a_copy_is_matched_with_its_groups_speaker_and_not_with_the_storys():
    told = [
        article("a", 0),
        article("b", 1),
        article("c", 2, group_key=hash_of("b")),
    ]
    answer = resolved(told, [near(2, 1)], [StoryEdge(0, 1, 0.9, 0.8)])
    assert answer.canonical == 0
    assert answer.standings[2].relation == "near_copy"
    assert answer.standings[2].matched == 1
    assert answer.standings[2].containment == 0.9
    assert answer.standings[1].relation == "same_story"


def test_a_copy_without_an_edge_to_the_speaker_shows_its_closest_copy():
    group = {"group_key": 7}
    told = [article("a", 0, **group), article("b", 1, **group), article("c", 2, **group)]
    answer = resolved(told, [near(1, 0), CopyEdge(2, 1, "partial_reprint", 0.2, 0.9)])
    assert answer.canonical == 0
    assert answer.standings[2].matched == 1
    assert answer.standings[2].relation == "partial_reprint"


def test_a_member_of_a_copy_group_without_any_edge_is_an_error():
    told = [article("a", 0, group_key=7), article("b", 1, group_key=7)]
    with pytest.raises(ValueError, match="must have an edge"):
        resolved(told)


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


class Counting:
    """Takes the n-th sentence of any text to mean the n-th thing; counts what it reads."""

    def __init__(self, glance=8):
        self.glances = glance
        self.texts_read = 0

    def glance(self, sentences):
        return np.eye(8, dtype=np.float32)[: min(self.glances, len(sentences))]

    def read(self, sentences):
        self.texts_read += 1
        return np.eye(8, dtype=np.float32)[: len(sentences)]


def reports(hours):
    left = "\n".join(
        f"Alpha bravo charlie {word} delta echo foxtrot." for word in "abcdefgh"
    )
    right = "\n".join(
        f"Uniform victor whiskey {word} xray yankee zulu." for word in "abcdefgh"
    )
    return [article("a", 0, text=left), article("b", hours, text=right)]


def test_sentences_that_mean_the_same_in_the_same_order_make_a_rewrite():
    answer = resolved(
        reports(1), story_edges=[StoryEdge(0, 1, 0.9, None)], encoder=Counting()
    )
    assert answer.standings[1].relation == "wire_rewrite"
    assert answer.standings[1].matched == 0
    assert answer.independent_count == 1


def test_the_origin_speaks_for_a_story_whose_medoid_is_a_rewrite_of_it():
    told = [*reports(2), article("c", 1)]
    edges = [
        StoryEdge(0, 1, 0.9, None),
        StoryEdge(1, 2, 0.9, None),
        StoryEdge(0, 2, 0.5, None),
    ]
    assert resolved(told, story_edges=edges).canonical == 1
    answer = resolved(told, story_edges=edges, encoder=Counting())
    assert answer.canonical == 0
    assert answer.reason == "origin, retold by 1 of the 2 other reports"
    assert answer.standings[1].relation == "wire_rewrite"
    assert answer.standings[2].relation == "same_story"
    assert answer.independent_count == 2


@pytest.mark.parametrize(("hours", "glance"), [(60, 8), (1, 2)])
def test_reports_far_apart_or_unlike_at_a_glance_are_not_read(hours, glance):
    encoder = Counting(glance)
    answer = resolved(
        reports(hours), story_edges=[StoryEdge(0, 1, 0.9, None)], encoder=encoder
    )
    assert answer.standings[1].relation == "same_story"
    assert encoder.texts_read == 0


def test_ten_sites_with_one_agency_text_count_as_one_source():
    sites = [
        article(f"site{i}", i, group_key=7, credited_source="Associated Press")
        for i in range(10)
    ]
    answer = resolved(sites, [near(i, 0) for i in range(1, 10)])
    assert answer.independent_count == 1


def test_an_outlets_own_report_counts_beside_the_agency_text_it_also_runs():
    told = [
        article("a", 0, source="harbor.example", credited_source="Associated Press"),
        article("b", 1, source="harbor.example"),
        article("c", 2, source="valley.example"),
    ]
    edges = [StoryEdge(0, 1, 0.9, None), StoryEdge(1, 2, 0.9, None)]
    assert resolved(told, story_edges=edges).independent_count == 3
