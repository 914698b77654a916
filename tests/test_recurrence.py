"""Recurrence: what a source repeats, however often a report was published."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.article import ARTICLE
from schemas.batch import concatenate
from transforms.line_contexts import NO_DAY
from transforms.line_rules import ruled_lines
from transforms.line_words import line_key
from transforms.recurrence import (
    AGENCY,
    ANY_SOURCE,
    LINE,
    PROPER,
    RECURRING,
    among,
    article_days,
    article_keys,
    article_lines,
    is_recurring,
    observe_lines,
    observe_sources,
    recurring_lines,
    repeated_keys,
    source_keys,
    text_keys,
)

WORDS = np.array([f"word{number:x}" for number in range(5000)])
FURNITURE = "You are reading the valley edition"


def prose(seed: int, words: int = 60) -> str:
    drawn = np.random.default_rng(seed).choice(WORDS, words)
    return "\n".join(" ".join(part) for part in np.array_split(drawn, 3))


def articles(rows: list[tuple[str | None, int | None, str]]) -> pa.RecordBatch:
    """Give articles of (source, day of March 2020, text)."""
    values = [
        {
            **{"article_key": key, "article_id": str(key), "url": None, "source": source},
            **{"title": None, "text": text, "language": "en", "content_key": key},
            **{"file": "made", "position": key, "notes": []},
            "published_at": day
            and datetime.datetime(2020, 3, day, 12, tzinfo=datetime.UTC),
        }
        for key, (source, day, text) in enumerate(rows, 1)
    ]
    return pa.RecordBatch.from_pylist(values, schema=ARTICLE)


def observed(batch: pa.RecordBatch) -> pa.RecordBatch:
    ruled = ruled_lines(batch)
    known = article_lines(batch, ruled)
    lines = observe_lines(known, repeated_keys(article_keys(known)))
    return concatenate([lines, observe_sources(batch)], LINE)


def recurs(rows: list[tuple[str | None, int | None, str]], line: str) -> bool:
    batch = articles(rows)
    table = recurring_lines(observed(batch))
    keys = np.array([line_key(line)], dtype=np.uint64)
    sources = source_keys(batch.column("source"))[:1]
    anywhere = np.full(1, ANY_SOURCE, dtype=np.uint64)
    return bool(is_recurring(table, sources, keys)[0]) or bool(
        is_recurring(table, anywhere, keys)[0]
    )


def test_a_short_line_in_three_contexts_is_furniture():
    rows = [("valley", 1, f"{prose(seed)}\n{FURNITURE}") for seed in range(3)]
    assert recurs(rows, FURNITURE)
    assert not recurs(rows[:2], FURNITURE)


def test_versions_of_one_report_are_one_context():
    report = prose(0)
    rows = [
        ("valley", 1, f"{report}\n{FURNITURE}\nUpdate {prose(seed, 9)}")
        for seed in range(1, 9)
    ]
    assert not recurs(rows, FURNITURE)
    assert not recurs(rows, report.split("\n")[0])


def test_a_long_line_needs_days():
    line = (
        "This long paragraph of fourteen words stands in three articles of one single day"
    )
    rows = [("valley", 1, f"{prose(seed)}\n{line}") for seed in range(3)]
    assert not recurs(rows, line)
    rows = [(source, 1 + 2 * at, text) for at, (source, _, text) in enumerate(rows)]
    assert recurs(rows, line)


def test_two_contexts_are_enough_over_a_week():
    rows = [("valley", day, f"{prose(day)}\n{FURNITURE}") for day in (1, 8)]
    assert recurs(rows, FURNITURE)
    assert not recurs(
        [("valley", day, text) for day, (_, _, text) in zip((1, 7), rows, strict=True)],
        FURNITURE,
    )


def test_where_no_date_is_known_contexts_alone_decide():
    line = "This paragraph of twelve words stands in several articles of one source"
    rows = [("valley", None, f"{prose(seed)}\n{line}") for seed in range(5)]
    assert recurs(rows, line)
    assert not recurs(rows[:4], line)
    rows = [("valley", None, f"{prose(seed)}\n{FURNITURE}") for seed in range(3)]
    assert recurs(rows, FURNITURE)


def test_a_paragraph_that_outlets_share_is_no_furniture():
    report = prose(0)
    shared = report.split("\n")[1]
    rows = [(f"outlet {n}", 1, f"{report}\n{prose(n, 6)}") for n in range(1, 9)]
    assert not recurs(rows, shared)


def test_a_very_short_line_on_many_sites_is_furniture_everywhere():
    rows = [(f"outlet {n}", 1, f"{prose(n)}\n{FURNITURE}") for n in range(5)]
    assert recurs(rows, FURNITURE)
    assert not recurs(rows[:4], FURNITURE)


def test_articles_without_a_source_are_no_source():
    rows = [(None, day, f"{prose(day)}\n{FURNITURE}") for day in (1, 9, 20)]
    assert not recurs(rows, FURNITURE)


def test_a_text_of_one_line_is_no_context():
    rows = [("valley", 1, FURNITURE)] * 5
    assert not recurs(rows, FURNITURE)


def test_days_are_counted_from_1970():
    days = article_days(articles([("a", 1, ""), ("a", None, "")]))
    assert days.tolist() == [18322, NO_DAY]


@settings(max_examples=30)
@given(st.permutations(range(12)))
def test_the_order_of_articles_does_not_matter(order):
    rows = [
        (f"outlet {n % 2}", 1 + n, f"{prose(n // 3)}\n{FURNITURE}\nLine {n % 4} of it")
        for n in range(12)
    ]
    batch = articles(rows)
    expected = recurring_lines(observed(batch))
    assert recurring_lines(observed(batch.take(pa.array(order)))).equals(expected)


def test_no_lines_give_an_empty_table():
    empty = recurring_lines(pa.RecordBatch.from_pylist([], schema=LINE))
    assert empty.schema.equals(RECURRING)
    assert not is_recurring(empty, np.ones(2, np.uint64), np.ones(2, np.uint64)).any()


def test_a_text_key_ignores_lines_that_a_rule_takes():
    lines = np.array([line_key(x) for x in ("Log in", "The river rose.")], np.uint64)
    ruled = np.array([True, False, False, True])
    keys = text_keys(np.array([0, 2, 3, 4]), lines[[0, 1, 1, 0]], ruled)
    assert keys[0] == keys[1] != 0
    assert keys[2] == 0


@pytest.mark.parametrize("source", [None, ""])
def test_no_source_has_the_key_of_any_source(source):
    assert source_keys(pa.array([source, "valley"], pa.string()))[0] == ANY_SOURCE


def proper(rows: list[tuple[str | None, int | None, str]], line: str, **settings) -> bool:
    batch = articles(rows)
    table = recurring_lines(observed(batch), **settings)
    keys = np.array([line_key(line)], dtype=np.uint64)
    return bool(is_recurring(table, source_keys(pa.array(["valley"])) + PROPER, keys)[0])


def pages(line: str, at: int = 3) -> list[tuple[str | None, int | None, str]]:
    """Give three articles of one source with a line at a place, and one of three others."""
    rows = []
    for seed in range(3):
        lines = prose(seed).replace("\n", "\nshort\n").split("\n")
        rows.append(("valley", 1, "\n".join((*lines[:at], line, *lines[at:]))))
    return rows + [(name, 1, prose(9)) for name in ("hills", "lake", "moor")]


def test_a_line_at_the_edge_that_one_of_many_sources_has_is_proper_to_it():
    line = "Legal notices must be here by noon or a little later when the mail has gone out"
    assert proper(pages(line), line)
    assert not proper(pages(line)[:3], line)
    assert not proper(pages(line)[1:], line)


def test_a_line_that_two_sources_have_is_proper_to_none():
    line = "The investigation is ongoing"
    rows = [*pages(line), ("hills", 2, f"{prose(5)}\n{line}")]
    assert not proper(rows, line)
    unknown = [*pages(line), (None, 2, f"{prose(5)}\n{line}")]
    assert proper(unknown, line)


def test_a_line_amid_the_text_is_proper_to_none():
    line = "Nobody was hurt"
    rows = [
        (source, day, f"{prose(40 + n, 9)}\n{text}\n{prose(50 + n, 9)}")
        for n, (source, day, text) in enumerate(pages(line))
    ]
    assert not proper(rows, line)
    assert proper(rows, line, edge_share=0.0)


def test_a_name_in_two_datelines_is_an_agency():
    text = "PORTO, May 17 (Valley Wire) - It rained."
    agency = np.full(1, AGENCY, dtype=np.uint64)
    key = np.array([line_key("VALLEY WIRE")], dtype=np.uint64)
    for times, known in ((1, False), (2, True)):
        rows = [("wire", day + 1, text) for day in range(times)]
        table = recurring_lines(observed(articles(rows)))
        assert is_recurring(table, agency, key)[0] == known


def test_a_key_is_repeated_if_it_is_met_twice():
    keys = np.array([5, 3, 5, 9, 3, 5], dtype=np.uint64)
    assert repeated_keys(keys).tolist() == [3, 5]
    assert among(keys, repeated_keys(keys)).tolist() == [
        True,
        True,
        True,
        False,
        True,
        True,
    ]
    assert not among(keys, repeated_keys(keys[:2])).any()


def test_what_is_met_once_is_not_noted():
    batch = articles([("valley", 1, f"{prose(seed)}\n{FURNITURE}") for seed in range(2)])
    ruled = ruled_lines(batch)
    known = article_lines(batch, ruled)
    noted = observe_lines(known, repeated_keys(article_keys(known)))
    assert set(noted.column("line_key").to_pylist()) == {line_key(FURNITURE)}
