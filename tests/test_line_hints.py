"""Line hints: what is not hinted at is not there."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.credits import known_name, known_names, names_only
from transforms.furniture import line_reason
from transforms.line_hints import (
    LABEL,
    LINKS,
    NAME,
    NAMED,
    ORIGIN,
    SUSPECT,
    TITLED,
    line_hints,
)
from transforms.line_words import hash_words
from transforms.lines import read_lines
from transforms.phrases import phrases


def hints(line: str, title: str | None = None) -> int:
    lines = read_lines(pa.array([line]))
    titles = pa.array([title], pa.string())
    return int(line_hints(lines, hash_words(lines), titles)[0])


def rules() -> list[str]:
    """Give a line for many a rule, in the order of its words."""
    drawn = random.Random(0)
    written = []
    for place, rule in drawn.sample(phrases().rules, 3000):
        words = rule[::-1] if place == "ends" else rule
        written.append(
            " ".join(
                {"#": str(drawn.randrange(1, 60)), "...": "the river"}.get(word, word)
                for word in words
            )
        )
    return written


def test_every_rule_makes_its_line_a_suspect():
    for rule in rules():
        for line in (rule, f"{rule} of the valley", f"Then in the valley {rule}"):
            for written in (line, line.upper(), f"• {line}", f"{line} – it rained"):
                (folded,) = [" ".join(written.split())]
                if line_reason(folded):
                    assert hints(folded) & SUSPECT, folded


WORDS = sorted(
    {word for _, rule in phrases().rules for word in rule} | phrases().words["month"]
)
PIECES = st.sampled_from(
    [
        *("AP", "Reuters", "Getty Images", "Photo", "photo:", "By Jane Doe", "5pm", "(AP)"),
        *(
            "/",
            "|",
            "•",
            ">",
            "»",
            "@jane",
            "12",
            "3 min",
            "18:05",
            "May 2, 2021",
            "2minute",
        ),
        *(
            "https://a.example/b",
            "the river",
            "rose again.",
            "“No,”",
            "Home",
            "News",
            "log in",
        ),
    ]
) | st.sampled_from(WORDS)


@settings(max_examples=600)
@given(st.lists(PIECES, min_size=1, max_size=12), st.sampled_from([" ", "", ", ", ". "]))
def test_a_line_that_is_no_suspect_is_no_furniture(pieces, between):
    line = " ".join(between.join(pieces).split())
    if line_reason(line):
        assert hints(line) & SUSPECT


@given(st.text(max_size=200))
def test_no_text_hides_furniture(text):
    line = " ".join(text.replace("\u00ad", "").split())
    if line and line_reason(line):
        assert hints(line) & SUSPECT


def test_a_plain_sentence_is_no_suspect():
    for line in (
        "The river bridge in Ashford collapsed on Sunday and two drivers were hurt.",
        "“No one was hurt in the 1990s,” the mayor told the town of 3,500 people, and went "
        "on to say that the bridge had been looked after well in all the years since then.",
    ):
        assert not hints(line) & SUSPECT


@pytest.mark.parametrize("way", [" ".join(name) for name in known_names()])
def test_every_known_name_is_hinted_at(way):
    if names_only(way):
        assert hints(way) & NAME
    if known_name(way):
        assert hints(f"PORTO ({way}) - It rained.") & NAMED
        assert hints(f"It rained. ({way})") & NAMED


def test_other_hints():
    assert hints("Via Reuters") & NAME
    assert hints("Source: The Valley Post") & LABEL
    assert hints("This was originally published by the Post.") & ORIGIN
    assert hints("Related stories") & LINKS
    assert hints("The bridge fell.", "A bridge falls") & TITLED
    assert not hints("The river rose.", "A bridge falls") & TITLED


def test_lines_of_many_texts_are_told_by_their_own_titles():
    lines = read_lines(pa.array(["a bridge\na river", "a bridge"]))
    found = line_hints(lines, hash_words(lines), pa.array(["Bridge", None]))
    assert (found & TITLED).astype(bool).tolist() == [True, False, False]
    assert np.array_equal(line_hints(lines, hash_words(lines)) & TITLED, [0, 0, 0])
