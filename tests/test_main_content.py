"""Main content: pages are told from articles, and the article from its page."""

import itertools
import json
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.furniture import line_reason
from transforms.main_content import (
    chain_marginals,
    is_page,
    page_model,
    read_page_model,
    take_page_lines,
    write_page_model,
)

ARTICLE = [
    "The evening ferry to Holm Island ran aground on Tuesday with forty people on board, "
    "and all of them were brought ashore within three hours, the harbour master said.",
    "Nobody was hurt. The captain told the coast guard that the steering had failed as he "
    "passed the outer buoy, and that he had dropped both anchors at once.",
    "How did it happen?",
    "Divers will look at the rudder in the morning. Until then the ferry stays where it "
    "is, and the islanders have to take the mail boat, which leaves at nine.",
    "“We were lucky that the sea was calm,” said one of the passengers, who was on her way "
    "home from work and has taken that ferry for eleven years.",
]
ARTIKEL = [
    "Die Abendfähre zur Insel Holm ist am Dienstag mit vierzig Menschen an Bord auf Grund "
    "gelaufen, und alle wurden innerhalb von drei Stunden an Land gebracht.",
    "Verletzt wurde niemand. Der Kapitän sagte der Küstenwache, die Steuerung sei an der "
    "äußeren Boje ausgefallen, und er habe sofort beide Anker geworfen.",
    "Wie konnte das geschehen?",
    "Taucher sehen sich am Morgen das Ruder an. Bis dahin bleibt die Fähre, wo sie ist, "
    "und die Bewohner der Insel müssen mit dem Postboot fahren, das um neun ablegt.",
]
MENU = [
    *("Skip to content", "Home", "News", "Local", "Harbour", "Sports", "Weather", "Log in"),
    *("Subscribe", "Contact us"),
]
TEASERS = [
    *("Share this", "Facebook", "Twitter", "Related articles", "School roof gives way"),
    *("Council votes on parking", "Why the clocks went wrong", "A winter without snow"),
    *("Most read", "Mayor steps down", "Two win the harbour race", "New mail boat named"),
    *("About us", "Privacy policy", "Terms of use", "© 2024 Holm Gazette"),
]
MENUE = [
    *("Zum Inhalt springen", "Startseite", "Nachrichten", "Region", "Hafen", "Sport"),
    *("Wetter", "Anmelden", "Abonnieren", "Kontakt"),
]
FUSS = [
    *("Artikel teilen", "Facebook", "Twitter", "Das könnte Sie auch interessieren"),
    *("Schuldach eingestürzt", "Rat stimmt über Parkplätze ab", "Winter ohne Schnee"),
    *("Meistgelesen", "Bürgermeister tritt zurück", "Neues Postboot getauft"),
    *("Impressum", "Datenschutz", "AGB", "© 2024 Holmer Bote"),
]
TOWN_ENDS = ("heim", "dorf", "bach", "stein", "hausen", "berg", "feld", "au", "stadt")
PAGES = [[*MENU, *ARTICLE, *TEASERS], [*MENUE, *ARTIKEL, *FUSS]]


def stripped(lines: list[str], headline: str | None = None) -> list[str | None]:
    reasons = [line_reason(line) for line in lines]
    take_page_lines(lines, reasons, headline)
    return reasons


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_told_from_its_article(page):
    assert is_page(page, [line_reason(line) for line in page])
    for article in (ARTICLE, ARTIKEL):
        assert not is_page(article, [None] * len(article))


def test_a_list_in_an_article_makes_no_page():
    results = [f"{place}. Crew number {place}" for place in range(1, 30)]
    lines = [*ARTICLE, *results, "Share this"]
    assert not is_page(lines, [line_reason(line) for line in lines])


def test_a_long_table_makes_no_page():
    table = [f"Ward {place}: {place * 7} votes" for place in range(1, 400)]
    lines = ["Share this", *ARTICLE, *table, "Log in", "Home", "Search", "Menu"]
    reasons = [line_reason(line) for line in lines]
    assert not is_page(lines, reasons)


def test_rows_must_hold_as_many_lines_as_asked_for():
    reasons = [line_reason(line) for line in PAGES[0]]
    assert is_page(PAGES[0], reasons, menu_lines=26)
    assert not is_page(PAGES[0], reasons, menu_lines=27)


@pytest.mark.parametrize(("page", "article"), zip(PAGES, (ARTICLE, ARTIKEL), strict=True))
def test_the_article_stays_and_its_page_goes(page, article):
    reasons = stripped(page)
    assert [
        line for line, reason in zip(page, reasons, strict=True) if not reason
    ] == article
    assert "page" in reasons


def test_a_rule_s_reason_is_not_overwritten():
    page = PAGES[0]
    rules = [line_reason(line) for line in page]
    for rule, reason in zip(rules, stripped(page), strict=True):
        assert reason == rule or rule is None


def test_of_lines_that_are_the_headline_one_stays():
    title = "Ferry aground off Holm"
    page = [*MENU, title, *ARTICLE, *TEASERS[:-4], title, *TEASERS[-4:]]
    reasons = stripped(page, title.lower())
    found = [i for i, line in enumerate(page) if line == title]
    assert [reasons[i] for i in found] == [None, "page"]


def test_an_article_of_two_sentences_is_kept():
    brief = ["The mail boat to Holm sails again.", "It leaves at nine, said the harbour."]
    page = [*MENU, *brief, *TEASERS]
    reasons = stripped(page)
    assert [reasons[page.index(line)] for line in brief] == [None, None]


def test_the_likeliest_line_stays_where_none_is_likely():
    page = [*MENU, "Ferry aground", *TEASERS]
    assert None in stripped(page)


def test_a_long_menu_goes_though_each_of_its_lines_may_be_a_subhead():
    towns = [f"{first}{last}" for first in ("Nor", "Sud", "Ost") for last in TOWN_ENDS]
    page = [*MENU, *towns, "Log in", *ARTICLE, *TEASERS]
    reasons = stripped(page)
    assert None not in reasons[: page.index(ARTICLE[0])]
    assert [
        line for line, reason in zip(page, reasons, strict=True) if not reason
    ] == ARTICLE


def brute_force(scores, enter, leave, start):
    """Sum over all ways to divide one page, one by one."""
    total, inside, changes = 0.0, np.zeros(len(scores)), np.zeros(3)
    for way in itertools.product((0, 1), repeat=len(scores)):
        steps = list(itertools.pairwise(way))
        counts = np.array([steps.count((0, 1)), steps.count((1, 0)), way[0]])
        weight = np.exp(np.dot(way, scores) + counts @ [enter, leave, start])
        total += weight
        inside += weight * np.array(way)
        changes += weight * counts
    return inside / total, changes / total, np.log(total)


numbers = st.floats(-6, 6)


@given(st.lists(numbers, min_size=1, max_size=6), numbers, numbers, numbers)
def test_the_chain_sums_over_every_way(scores, enter, leave, start):
    found = chain_marginals(
        np.array(scores),
        np.array([0, len(scores)]),
        *(enter, leave, start),
        np.full(len(scores), -1),
    )
    for one, other in zip(found, brute_force(scores, enter, leave, start), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_known_line_is_certain_and_draws_its_neighbours():
    scores, bounds = np.zeros(4), np.array([0, 3, 4])
    labels = np.array([-1, 1, -1, 0])
    marginals, _, _ = chain_marginals(scores, bounds, -2.0, -2.0, 0.0, labels)
    assert marginals[[1, 3]].tolist() == [1, 0]
    assert (marginals[[0, 2]] > 0.8).all()


def test_a_page_says_nothing_of_the_next():
    scores = np.array([3.0, -1.0, 0.5, 2.0])
    free = np.full(4, -1)
    both, changes, total = chain_marginals(
        scores, np.array([0, 2, 4]), -1.0, -2.0, 0.5, free
    )
    parts = [
        chain_marginals(part, np.array([0, 2]), -1.0, -2.0, 0.5, free[:2])
        for part in (scores[:2], scores[2:])
    ]
    np.testing.assert_allclose(both, np.concatenate([part[0] for part in parts]))
    np.testing.assert_allclose(changes, sum(part[1] for part in parts))
    np.testing.assert_allclose(total, sum(part[2] for part in parts))


def test_a_model_is_read_as_it_was_written(tmp_path: pathlib.Path):
    write_page_model(page_model(), tmp_path / "model.json")
    again = read_page_model(tmp_path / "model.json")
    np.testing.assert_array_equal(again.weights, page_model().weights)
    write_page_model(again, tmp_path / "again.json")
    assert (tmp_path / "model.json").read_bytes() == (tmp_path / "again.json").read_bytes()


def test_a_model_of_other_features_or_version_is_refused(tmp_path: pathlib.Path):
    path = tmp_path / "model.json"
    write_page_model(page_model(), path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "version": 0}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"must hold newsdedup.page_model version 1"):
        read_page_model(path)
    stored["features"]["colour"] = stored["features"].pop("words")
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(ValueError, match="differing in colour, words"):
        read_page_model(path)
