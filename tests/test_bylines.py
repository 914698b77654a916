"""Bylines: names beside a date are no part of the article, names in lists are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.bylines import is_desk, is_name, names_outlet, take_bylines

PROSE = "The storm reached the coast on Sunday and two drivers were hurt, the mayor said."


def taken(
    *page: tuple[str, str | None], title: str | None = "Bridge falls", source: str = ""
) -> list[str]:
    """Give the lines that go, of a page of lines and their reasons."""
    lines = [line for line, _ in page]
    reasons = [reason for _, reason in page]
    before = list(reasons)
    take_bylines(lines, reasons, title, source)
    rows = zip(lines, before, reasons, strict=True)
    return [line for line, old, new in rows if new and not old]


DATE = ("May 12, 2026", "date")
TEXT = (PROSE, None)


@pytest.mark.parametrize(
    "line",
    ["Priya Hallworth", "Jean-Luc de la Tour", "Ann O'Neil and Bo Li", "ÉLISE NOËL"],
)
def test_names_have_a_shape(line):
    assert is_name(line)


@pytest.mark.parametrize(
    "line",
    ["Background", "What happened next", "Jane Doe, 27", "He Said No.", "A b", ""],
)
def test_what_has_another_shape_is_no_name(line):
    assert not is_name(line)


def test_a_desk_and_an_outlet_are_known():
    assert is_desk("Markets Desk")
    assert not is_desk("the markets desk")
    assert names_outlet("Northquay Times, Scotland", "northquaytimes.example")
    assert names_outlet("The Valley Herald", "Valley Herald")
    assert not names_outlet("Northquay harbour", "northquaytimes.example")
    assert not names_outlet("Fox hunt", "fox.example")
    assert not names_outlet("Valley Herald", None)


def test_a_name_beside_a_date_goes_above_and_below_the_text():
    assert taken(("Bridge falls", None), ("Priya Hallworth", None), DATE, TEXT)
    assert taken(TEXT, ("Priya Hallworth", None), ("jdoe@valley.example", "byline"))


def test_the_outlet_goes_beside_the_name_that_stands_beside_the_date():
    page = (DATE, ("Bo Li", None), ("Valley Herald, Long Read", None), TEXT)
    gone = taken(*page, source="valleyherald.example")
    assert gone == ["Bo Li", "Valley Herald, Long Read"]


def test_a_name_without_a_date_beside_it_stays():
    assert not taken(("Bo Li", None), TEXT, DATE)


def test_a_name_between_paragraphs_stays():
    assert not taken(TEXT, ("Bo Li", None), DATE, TEXT)


def test_a_list_of_names_at_the_end_stays():
    assert not taken(TEXT, ("Bo Li", None), ("Byron Devore", None), DATE)


def test_a_headline_is_no_name():
    assert not taken(("Storm Reached Coast", None), DATE, TEXT)
    assert not taken(("Bridge Down", None), DATE, TEXT)


def test_without_a_title_the_first_line_is_taken_for_it():
    assert not taken(("Bo Li", None), DATE, TEXT, title=None)
    assert taken(("A fall", None), ("Bo Li", None), DATE, TEXT, title=None) == ["Bo Li"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([PROSE, "Bo Li", "Markets Desk", "May 12", "A b c"]),
            st.sampled_from([None, "date", "ui"]),
        )
    )
)
def test_reasons_that_stand_are_never_changed(page):
    lines, reasons = [line for line, _ in page], [reason for _, reason in page]
    before = list(reasons)
    take_bylines(lines, reasons, None, None)
    assert all(
        new == old or (old is None and new == "byline")
        for old, new in zip(before, reasons, strict=True)
    )
