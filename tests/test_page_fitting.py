"""The fit to marked pages: what a mark says, and that the weights follow the marks."""

import json
import pathlib

import numpy as np
import pytest

from pipeline.gold import Page, read_pages
from pipeline.page_fitting import (
    fit_page_model,
    fit_pages,
    halves,
    mark_lines,
    score_pages,
)
from transforms.main_content import page_model, read_page_model

PAGES = pathlib.Path(__file__).parents[2] / "shared/data/extraction/pages.jsonl.gz"
MENU = "Home\nNews\nHarbour\nSports\nWeather\nLog in\nSubscribe\nContact us\nSearch\nMenu"


def made_page(number: int) -> Page:
    story = (
        f"The ferry number {number} was late again on Monday, and nobody could say why.\n"
        f"It will be late on Tuesday, too, said the master of harbour {number}, and left."
    )
    foot = f"Mayor {number} steps down\nRoof of school {number} gives way"
    return Page(
        f"page-{number}",
        f"https://site{number}.example/a",
        f"{MENU}\n{story}\n{foot}",
        [f"The ferry number {number} was late", "and left"],
        ["Harbour", f"Mayor {number} steps"],
    )


MADE = [made_page(number) for number in range(30)]


def written(path: pathlib.Path) -> pathlib.Path:
    rows = [
        {
            "id": page.page_id,
            "url": page.url,
            "text": page.text,
            "keep": page.keep,
            "drop": page.drop,
        }
        for page in MADE
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_segment_marks_its_lines():
    page = Page("a", None, "", ["twice", "once"], ["menu"])
    lines = ["menu", "said twice", "twice", "once", "a menu", "rest"]
    assert mark_lines(page, lines).tolist() == [0, -1, -1, 1, 0, -1]


def test_weights_follow_the_marks():
    model = fit_pages(MADE[:20], iterations=30)
    scores = score_pages(MADE[20:], model)
    assert scores == (10, 1.0, 1.0, 0)
    again = fit_pages(MADE[:20], iterations=30)
    np.testing.assert_array_equal(model.weights, again.weights)


def test_a_site_is_in_one_half():
    pages = [*MADE, *MADE]
    first, second = halves(pages)
    assert len(first) + len(second) == 60
    assert {page.url for page in first}.isdisjoint(page.url for page in second)


def test_pages_are_read_and_the_model_is_written(tmp_path: pathlib.Path):
    path = written(tmp_path / "pages.jsonl")
    assert read_pages(path) == MADE
    made_from = fit_page_model(path, tmp_path / "out")
    model = read_page_model(tmp_path / "out" / "page_model.json")
    assert model.made_from == made_from
    assert made_from["of_pages"] == 30


def test_pages_whose_segments_are_nowhere_are_refused():
    with pytest.raises(ValueError, match="must have segments that stand in their lines"):
        fit_pages([Page("a", None, "Home\nNews", ["gone"], [])])


@pytest.mark.skipif(not PAGES.is_file(), reason="needs ../shared/data/extraction")
def test_the_model_scores_what_it_says_on_pages_it_was_not_fitted_to():
    _, kept_out = halves(read_pages(PAGES))
    stored = page_model().made_from["kept_out"]
    assert score_pages(kept_out)._asdict() == pytest.approx(stored, abs=0.003)
    assert stored["kept"] > 0.93
    assert stored["removed"] > 0.84
