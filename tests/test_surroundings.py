"""Surroundings: what stays though it looks like furniture, and what goes beside it."""

import numpy as np
import pytest

from transforms.surroundings import (
    is_guarded,
    is_title,
    line_reasons,
    speaks_to_reader,
    take_back,
)


def test_what_repeats_but_belongs_to_the_article_is_guarded():
    for line in ("The investigation is ongoing.", "WASHINGTON -", "Age: 27", "Type – Fire"):
        assert is_guarded(line)
    assert not is_guarded("You are reading the valley edition")


def test_a_line_speaks_to_the_reader_in_any_language():
    for line in (
        "Escríbanos a usted le toca",
        "Écrivez-nous",
        "Напишите нам",
        "请联系我们",
    ):
        assert speaks_to_reader(line)
    assert not speaks_to_reader("The bus to Ashford is late.")


@pytest.mark.parametrize(
    ("line", "title", "same"),
    [
        ("Bridge falls", "Bridge Falls", True),
        ("Bridge falls.", "Bridge falls", True),
        ("Bridge falls", "Bridge falls - Valley News", True),
        ("Bridge", "Bridge - falls - Valley News", False),
        ("Bridge falls", "Bridge falls again", False),
        ("Bridge falls", None, False),
    ],
)
def test_a_title_is_the_line_but_for_the_site(line, title, same):
    assert is_title(line, title) == same


def test_a_word_between_two_buttons_goes():
    lines = ["The river fell.", "Log In", "Valley", "Share this", "It rained."]
    rules = [None, "ui", None, "share", None]
    assert line_reasons(lines, rules)[2] == "ui"


def test_captions_come_back_once_and_in_the_article_alone():
    lines = ["A bridge.", "A bridge.", "A river.", "Log In"]
    reasons = ["caption", "caption", "caption", "ui"]
    take_back(lines, reasons, np.array([True, True, False, True]))
    assert reasons == [None, "caption", "caption", "ui"]
