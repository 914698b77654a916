"""Close reading: a text that is not picked has nothing that reading would change."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.close_reading import repeats, texts_to_read, texts_with_credit
from transforms.credits import credited_source
from transforms.line_rules import DECODED, read_rules
from transforms.line_words import line_key
from transforms.lines import read_lines
from transforms.main_content import is_page
from transforms.surroundings import line_reasons

LINES = (
    *("Log In", "Share this", "May 12, 2026", "By Jane Doe", "Related", "Markets Desk"),
    *(
        "Priya Hallworth",
        "Valley News",
        "Origin:",
        "Reuters",
        "Why the whistle blows",
        "Menu",
    ),
    *("The quay at Ashford / Valley Wire", "It rained.", "The river fell on Monday. (AFP)"),
    *("PARIS (AFP) - It rained.", "(CNN) — It rained.", "PORTO (Valley Wire) - It rained."),
    *("© 2019 The Associated Press. All rights reserved.", "Photo: Jane Doe/AP", "News"),
    *("This was first published by the Hill Post.", "He went, she said -- AP", "Sports"),
    "The river bridge in Ashford collapsed on Sunday and two drivers were hurt when it "
    "fell into the water, the mayor of the small town said.",
)
AGENCIES = {line_key("valley wire")}


@settings(max_examples=400)
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=14, unique=True))
def test_what_is_not_picked_stays_as_its_lines_say(chosen):
    texts, titles = pa.array(["\n".join(chosen)]), pa.array([None], pa.string())
    lines, ruled = read_lines(texts), read_rules(texts, titles)
    nothing = np.zeros(len(chosen), np.bool_)
    rules = [DECODED[code] for code in ruled.rules]
    reasons = line_reasons(chosen, rules, agencies=AGENCIES)
    picked = texts_to_read(
        *(lines, ruled.rules, ruled.hints, nothing, nothing),
        knows_agencies=True,
        menu_lines=10,
    )[0]
    if reasons != rules or is_page(chosen, reasons):
        assert picked
    elif credited_source(chosen, reasons):
        assert texts_with_credit(lines, ruled.rules, ruled.hints, nothing)[0]


def test_plain_texts_are_not_picked():
    texts, titles = (
        pa.array([f"Log In\n{LINES[-1]}", ""]),
        pa.array([None, None], pa.string()),
    )
    lines, ruled = read_lines(texts), read_rules(texts, titles)
    nothing = np.zeros(3, np.bool_)
    arguments = (lines, ruled.rules, ruled.hints, nothing)
    picked = texts_to_read(*arguments, nothing, knows_agencies=True, menu_lines=10)
    assert not picked.any()
    assert not texts_with_credit(*arguments).any()


def test_a_line_repeats_what_its_own_text_said():
    texts = pa.array(["one two\nOne two\none two\n\n", "one two\none two"])
    lines, ruled = read_lines(texts), read_rules(texts, pa.array([None, None], pa.string()))
    again = repeats(
        *(lines.offsets, lines.data, lines.starts, lines.ends, ruled.keys),
        np.zeros(7, np.uint8),
    )
    assert again.tolist() == [False, False, True, False, False, False, True]
