from pipeline.gold import Page
from pipeline.page_agreement import LEFT, LOST, page_mistakes, page_scores

PAGE = Page("p", "https://a.example/1", "", ["The dam broke.", "Nobody fell."], ["Log in"])


def test_segments_are_found_however_a_text_is_broken_into_lines():
    scores = page_scores([PAGE], {"p": "The\n dam broke.\nNobody fell."})
    assert (scores["kept"], scores["gone"], scores["balance"]) == (1, 1, 1)


def test_a_page_that_was_rejected_has_lost_everything():
    scores = page_scores([PAGE], {})
    assert (scores["lost"], scores["left"]) == (2, 0)
    assert scores["balance"] == 0


def test_what_nobody_judged_has_no_share():
    scores = page_scores([PAGE._replace(drop=[])], {"p": "The dam broke."})
    assert scores["kept"] == 0.5
    assert scores["gone"] is None
    assert scores["balance"] is None


def test_a_lost_segment_is_told_with_the_rule_that_removed_its_line():
    removed = {"a.example": [("ui", "Menu"), ("short", "Nobody  fell. (More)")]}
    found = page_mistakes(
        [PAGE], {"p": "The dam broke. Log in"}, removed, {"p": "a.example"}
    )
    assert [(one.kind, one.segment, one.reason) for one in found] == [
        (LOST, "Nobody fell.", "short"),
        (LEFT, "Log in", None),
    ]
