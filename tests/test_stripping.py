"""Stripping: the text that is left of an article, what went and why."""

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.line_words import line_key
from transforms.stripping import split_lines, strip
from transforms.surroundings import IS_AGENCY, IS_HEADLINE, IS_PROPER, RECURS

SEEDS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "seeds"
PARAGRAPH = (
    "The river bridge in Ashford collapsed on Sunday and two drivers were hurt when "
    "their cars went down with it, the mayor of the small market town said in a short "
    "statement that was read aloud in front of the town hall in the evening."
)


def test_furniture_goes_and_paragraphs_stay_lines():
    text = (
        f"Log In\n\nBridge falls\n\nBy Jane Doe\n{PARAGRAPH}\nA river.\n\nFollow us on:\n"
    )
    stripped = strip(text)
    assert stripped.text == f"Bridge falls\n{PARAGRAPH}\nA river."
    assert stripped.removed == [
        *(("Log In", "ui"), ("By Jane Doe", "byline"), ("Follow us on:", "share"))
    ]


def test_what_the_source_repeats_goes():
    text = f"Valley edition\n{PARAGRAPH}"
    assert strip(text, None, [True, False]).removed == [("Valley edition", "recurs")]


def test_what_repeats_but_belongs_to_the_article_stays():
    for line in ("The investigation is ongoing.", "WASHINGTON -", "Age: 27", "Type – Fire"):
        assert line in strip(f"{line}\n{PARAGRAPH}", None, [True, False]).text


def test_a_line_said_twice_is_said_once():
    text = f"The bridge at Ashford yesterday\n{PARAGRAPH}\nThe bridge at Ashford yesterday"
    stripped = strip(text)
    assert stripped.removed == [("The bridge at Ashford yesterday", "repeat")]
    assert stripped.text.startswith("The bridge at Ashford yesterday")


def test_a_name_between_two_buttons_is_furniture():
    text = f"{PARAGRAPH}\nOrigin:\npublisher logo\nValley News\nLoading..."
    assert strip(text).text == PARAGRAPH
    assert strip(text).credited_source == "Valley News"


def test_a_subhead_between_paragraphs_stays():
    text = f"{PARAGRAPH}\nValley News\n{PARAGRAPH} Again."
    assert "Valley News" in strip(text).text


def test_the_title_is_never_furniture():
    text = f"{PARAGRAPH}\nRelated: a love story"
    assert strip(text).removed
    assert strip(text, "Related: A Love Story").text == text


@pytest.mark.parametrize(
    "title",
    [
        "Bridge falls in Ashford",
        "Bridge  Falls in Ashford.",
        "Bridge falls in Ashford - Valley News",
        "Bridge falls in Ashford | News | Valley",
    ],
)
def test_a_text_does_not_begin_with_its_title(title):
    line = "Bridge falls in Ashford" + " | News" * title.endswith("Valley")
    stripped = strip(f"Log In\n{line}\n{PARAGRAPH}\n{line}", title)
    assert stripped.text == PARAGRAPH
    assert stripped.removed == [("Log In", "ui"), (line, "repeat")]
    assert stripped.titled


@pytest.mark.parametrize(
    "title", ["Bridge falls in Ashford today", "Ashford", "Bridge falls", "", None]
)
def test_a_line_that_says_more_or_less_than_the_title_stays(title):
    stripped = strip(f"Bridge falls in Ashford\n{PARAGRAPH}", title)
    assert stripped.text == f"Bridge falls in Ashford\n{PARAGRAPH}"
    assert not stripped.titled


def test_a_text_that_is_its_title_and_nothing_else_stays():
    title = "Bridge falls in Ashford"
    for text in (title, f"Log In\n{title}\nShare this"):
        stripped = strip(text, title)
        assert stripped.text == title
        assert not stripped.titled


def test_the_title_below_the_first_paragraph_stays():
    text = f"{PARAGRAPH}\nBridge falls in Ashford"
    assert strip(text, "Bridge falls in Ashford").text == text


def test_a_page_that_is_a_caption_is_that_caption():
    caption = "Rescuers search the bridge in Ashford on Sunday. (Photo: Jane Doe/AP)"
    assert strip(f"Log In\n{caption}").text == caption
    assert caption not in strip(f"{caption}\n{PARAGRAPH}").text


def test_an_agency_at_the_end_of_the_last_paragraph_is_a_credit():
    stripped = strip(f"{PARAGRAPH}\nThe river fell again on Monday. (AFP)\nShare this")
    assert stripped.text.endswith("Monday. (AFP)")
    assert stripped.credited_source == "AFP"


def test_the_credit_outlives_its_line():
    stripped = strip(f"The Associated Press\n{PARAGRAPH}")
    assert stripped.text == PARAGRAPH
    assert stripped.credited_source == "Associated Press"


@given(st.lists(st.sampled_from(["Log In", "", PARAGRAPH, "A river.", "Share this"])))
def test_every_line_is_kept_or_removed(lines):
    stripped = strip("\n".join(lines))
    gone = [line for line, _ in stripped.removed]
    assert sorted(stripped.text.split("\n") * bool(stripped.text) + gone) == sorted(
        line for line in lines if line
    )


@given(st.text())
def test_no_text_breaks_it(text):
    stripped = strip(text)
    assert all(reason for _, reason in stripped.removed)
    assert split_lines(stripped.text) == stripped.text.split("\n")


def test_what_is_known_must_tell_of_every_line():
    with pytest.raises(ValueError, match=r"known must tell of each of 2 lines, got 1"):
        strip("a\nb", None, [True])


@pytest.mark.parametrize(
    ("line", "goes"),
    [
        ("Legal notices must reach us by noon.", True),
        ("Letters desk: send us the line and the source, please.", True),
        ("Wir lesen alle Briefe bis Montag.", True),
        ("No one was in custody.", False),
        ("Age: 27", False),
        ("“You can tell us by now,” the mayor of the town said.", False),
    ],
)
def test_what_is_proper_to_a_source_and_speaks_to_the_reader_goes(line, goes):
    text = f"{PARAGRAPH}\n{line}"
    assert (line not in strip(text, None, [0, RECURS | IS_PROPER]).text) == goes
    assert line in strip(text, None, [0, RECURS]).text


def test_the_headline_of_another_article_is_a_link():
    line = "Ferry sinks off the northern coast"
    text = f"{PARAGRAPH}\n{line}"
    stripped = strip(text, "Bridge falls in Ashford", [0, IS_HEADLINE])
    assert stripped.removed == [(line, "related")]


@pytest.mark.parametrize("title", ["Ferry sinks off the coast", None, "Ferry!"])
def test_what_may_be_the_own_headline_is_no_link(title):
    line = "Ferry sinks off the northern coast"
    assert line in strip(f"{PARAGRAPH}\n{line}", title, [0, IS_HEADLINE]).text


def test_headlines_below_their_header_go_to_the_end_of_the_page():
    links = "More on this story\nFerry sinks\nLog In\nWhy the noon whistle blows at two"
    assert strip(f"{PARAGRAPH}\n{links}").text == PARAGRAPH
    assert "noon whistle" in strip(f"{links}\n{PARAGRAPH}").text


def test_one_headline_below_its_header_goes_between_paragraphs():
    text = f"{PARAGRAPH}\nRecommended\nWhy insurers like bad weather\nThe river fell."
    assert strip(text).text == f"{PARAGRAPH}\nThe river fell."
    two = text.replace("weather", "weather\nAn open door")
    assert "Why insurers" in strip(two).text


def test_a_statement_below_its_note_stays():
    text = f"{PARAGRAPH}\nRead more about the team\nHow did they get there?\nBy boat."
    assert "How did they get there?" in strip(text).text


def test_a_name_in_datelines_of_other_articles_is_a_credit():
    text = f"Valley Wire\n{PARAGRAPH}"
    stripped = strip(text, None, [IS_AGENCY, 0])
    assert stripped.text == PARAGRAPH
    assert stripped.credited_source == "Valley Wire"


def test_a_caption_may_end_with_such_a_name():
    line = "The quay at Ashford / Valley Wire"
    text = f"{PARAGRAPH}\n{line}"
    assert line in strip(text).text
    agencies = {line_key("valley wire")}
    assert strip(text, agencies=agencies).removed == [(line, "caption")]


def test_a_name_below_the_headline_goes_with_its_date():
    text = f"Bridge falls\nPriya Hallworth\nMay 12, 2026\n{PARAGRAPH}"
    stripped = strip(text, "Bridge falls")
    assert stripped.text == PARAGRAPH
    assert stripped.removed[0] == ("Priya Hallworth", "byline")


def test_a_passage_is_cut_out_of_the_line_it_was_run_into():
    credit = "(Reporting by Jane Doe; Editing by John Roe)"
    stripped = strip(f"Log In\n{PARAGRAPH} {credit}\n{credit}\nIt rained.")
    assert stripped.text == f"{PARAGRAPH}\nIt rained."
    assert stripped.removed == [("Log In", "ui"), (credit, "credit"), (credit, "credit")]


def test_a_short_text_keeps_what_was_run_into_it():
    text = "The river fell. (Reporting by Jane Doe; Editing by John Roe)"
    assert strip(text).text == text


MENU = (
    "Home\nNews\nValley\nHarbour\nSports\nWeather\nOpinion\nLog In\nSubscribe\nContact us\n"
    "Search\nMenu"
)


def test_the_menus_of_a_whole_page_go():
    text = f"{MENU}\n{PARAGRAPH}\nShare this\nMost read\nFerry sinks\nMayor resigns"
    stripped = strip(text)
    assert stripped.text == PARAGRAPH
    assert ("Valley", "page") in stripped.removed
    assert "Valley" in strip(text, menu_lines=100).text


def test_a_caption_outside_the_article_is_not_taken_back():
    caption = "Rescuers search the bridge in Ashford on Sunday. (Photo: Jane Doe/AP)"
    text = f"{MENU}\nThe river bridge in Ashford fell on Sunday.\n{MENU}\n{caption}"
    assert strip(text).text == "The river bridge in Ashford fell on Sunday."


@pytest.mark.skipif(not SEEDS.is_dir(), reason="needs ../shared/data/seeds")
def test_the_seeds_lose_their_furniture_and_nothing_else():
    kept, credits = [], []
    removed: list[tuple[str, str]] = []
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        stripped = strip(text)
        removed += stripped.removed
        credits.append(stripped.credited_source)
        kept.append(len(stripped.text.split()) / len(text.split()))
    assert credits == [None, "The Washington Post", None, None, "Arise News"]
    assert [reason for _, reason in removed] == [
        *("related", "credit", "credit", "credit", "ui"),
        *("ui", "date", "share", "ui", "ui", "ui", "ui", "ui", "ui", "related"),
    ]
    assert min(kept) > 0.92
