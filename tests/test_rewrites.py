"""Which reports of a story retell another one."""

import datetime

import numpy as np
import pytest

from transforms.relations import RewriteRule
from transforms.rewrites import find_rewrites, origin

SUBJECTS = ("mayor", "harbour", "crane", "union", "insurer", "museum", "ferry", "school")
VERBS = ("rejected", "announced", "delayed", "inspected", "sold", "repaired", "closed")


def line(number):
    subject = SUBJECTS[number % len(SUBJECTS)]
    return (
        f"The {subject} {VERBS[number % len(VERBS)]} item{number} near place{number} then."
    )


WIRE = " ".join(line(number) for number in range(12))
BACKWARDS = " ".join(line(number) for number in reversed(range(12)))
ELSEWHERE = " ".join(line(number) for number in range(40, 52))


def report(text, source, hour=0, language="en"):
    published = None
    if hour is not None:
        published = datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC)
        published += datetime.timedelta(hours=hour)
    return {
        "text": text,
        "source": source,
        "published_at": published,
        "language": language,
    }


class Reader:
    """Gives equal sentences equal vectors and others none in common."""

    def __init__(self):
        self.calls = []

    def __call__(self, sentences):
        self.calls.append(list(sentences))
        numbers = {line(number): number for number in range(60)}
        vectors = np.zeros((len(sentences), 60), np.float32)
        for row, sentence in enumerate(sentences):
            vectors[row, numbers[sentence]] = 1
        return vectors


def found(*stories, reader=None, **rule):
    return find_rewrites(
        stories,
        reader=reader or Reader(),
        rarity=lambda terms, language: np.ones(len(terms), np.float32),
        rule=RewriteRule(**rule),
    )


def test_the_later_of_two_texts_in_one_order_retells_the_earlier():
    assert found([report(WIRE, "a.example"), report(WIRE, "b.example", 2)]) == [{1: 0}]


def test_a_text_told_backwards_or_of_other_things_is_not_even_read():
    reader = Reader()
    story = [report(text, name) for text, name in ((WIRE, "a"), (BACKWARDS, "b"))]
    assert found(story, [*story[:1], report(ELSEWHERE, "c")], reader=reader) == [{}, {}]
    assert reader.calls == []


def test_all_stories_are_read_in_one_go():
    reader = Reader()
    story = [report(WIRE, "a.example"), report(WIRE, "b.example")]
    assert found(story, story, reader=reader) == [{1: 0}, {1: 0}]
    assert [len(call) for call in reader.calls] == [48]


def test_nobody_rewrites_his_own_report():
    assert found([report(WIRE, "a.example"), report(WIRE, "a.example", 2)]) == [{}]
    assert found([report(WIRE, None), report(WIRE, None, 2)]) == [{1: 0}]


@pytest.mark.parametrize(("hours", "expected"), [(48, {1: 0}), (49, {}), (None, {1: 0})])
def test_reports_two_days_apart_are_not_compared(hours, expected):
    assert found([report(WIRE, "a"), report(WIRE, "b", hours)]) == [expected]


def test_a_rewrite_retells_the_origin_rather_than_another_rewrite():
    names = ("a.example", "b.example", "c.example")
    reports = [report(WIRE, name, hour) for hour, name in enumerate(names)]
    assert found(reports) == [{1: 0, 2: 0}]


def test_a_report_is_compared_with_the_first_reports_only():
    reports = [report(ELSEWHERE, "a"), report(WIRE, "b", 1), report(WIRE, "c", 2)]
    assert found(reports, max_reports=1) == [{}]


def test_stories_without_text_have_no_rewrites():
    assert found([report("", "a"), report("", "b")], [report(WIRE, "a")], []) == [
        {},
        {},
        {},
    ]
    assert found() == []


def test_the_origin_of_a_chain_of_rewrites_is_its_first_report():
    assert origin(2, {2: 1, 1: 0}) == 0
    assert origin(0, {2: 1, 1: 0}) == 0
