"""The whole evaluation on example articles, with what a person decided of them."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest
from rich.text import Text

from pipeline.config import Config
from pipeline.evaluate import RESULT, evaluate, write_result
from pipeline.scorecard import print_evaluation
from pipeline.show import read_table

EXAMPLES = Path(__file__).parent.parent / "examples"
WITHOUT_MODEL = Config(embedding="none")
NAMES = ("articles-1.jsonl", "articles-2.jsonl.gz")

PAIRS = [
    {"a": "mw-20260513-0102", "b": "gd-40318", "label": "dup"},
    {"a": "nqt-88147", "b": "gd-40318", "label": "dup"},
    {"a": "mw-20260514-0077", "b": "mw-20260513-0102", "label": "not"},
    {"a": "vc-2026-0512-calder", "b": "cb-9021", "label": "contained"},
    {"a": "co-2026-05-14-close", "b": "co-2026-05-15-close", "label": "unclear"},
]
PAGE = {
    "id": "page",
    "url": "https://tidewater.example/boats",
    "text": "Log In\nSign up for our newsletter\n"
    "Nine boats went out before sunrise on Tuesday and eight of them came back, the "
    "harbour master said, adding that the search for the ninth would go on.\n"
    "Share on Facebook\nThe crew of four had radioed at noon that the engine was failing.",
    "keep": ["eight of them came back", "radioed at noon"],
    "drop": ["Log In", "Share on Facebook"],
}


def articles():
    """Give the rows of two example files with their gold stories, each id once."""
    lines = (EXAMPLES / "gold.jsonl").read_text("utf-8").splitlines()
    gold = [row for row in map(json.loads, lines) if "rejected" not in row]
    stories = {row["id"]: row["story"] for row in gold}
    rows = {}
    for name in NAMES:
        content = (EXAMPLES / "articles" / name).read_bytes()
        content = gzip.decompress(content) if name.endswith(".gz") else content
        for line in content.decode().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if row.get("id") in stories:
                rows.setdefault(row["id"], {**row, "story": stories[row["id"]]})
    return list(rows.values())


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    rows = articles()
    return {
        "gold": written(folder / "gold.jsonl", rows[5:]),
        "background": [written(folder / "background.jsonl", rows[:5] + rows[7:9])],
        "pairs": written(folder / "pairs.jsonl", PAIRS),
        "pages": written(folder / "pages.jsonl", [PAGE]),
    }


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluated") / "out"


@pytest.fixture(scope="module")
def result(files, output):
    return evaluate(
        **files,
        baselines=True,
        planted=2,
        config=WITHOUT_MODEL,
        output=str(output),
        quiet=True,
    )


def test_every_article_is_run_and_those_with_a_story_are_scored(result, output):
    counts = result["articles"]
    assert counts["background"] == 5, "what is labelled is no background"
    assert counts["scored"] <= counts["labelled"] == len(articles()) - 5
    assert counts["rejected"] == 0
    run = read_table(str(output / "articles"), "articles")
    assert run.num_rows == counts["labelled"] + counts["background"]


def test_stories_are_scored_and_their_mistakes_told(result):
    stories = result["stories"]
    assert stories["bcubed"]["f1"] > 0.9
    assert stories["found"]["largest"] >= 2
    missing = 1 - stories["bcubed"]["recall"]
    cost = sum(one["cost"] for one in stories["mistakes"] if one["kind"] == "split")
    assert cost / result["articles"]["scored"] == pytest.approx(missing, abs=1e-3)
    for mistake in stories["mistakes"]:
        assert all(article["title"] for article in mistake["articles"])


def test_pairs_are_scored(result):
    pairs = result["pairs"]
    assert pairs["pairs"] == {"contained": 1, "dup": 2, "not": 1}
    assert pairs["after_grouping"]["precision"] == pairs["after_grouping"]["recall"] == 1
    assert pairs["contained"]["partial_reprint"] == 1
    assert pairs["mistakes"] == []
    assert result["articles"]["pairs_unscored"] == 1


def test_planted_copies_are_found_and_notices_are_none(result):
    assert result["planted"]["copies"]["exact"]["found"] == 1
    assert result["planted"]["notices"]["pairs_taken_for_copies"] == 0


def test_pages_lose_their_furniture(result):
    assert (result["pages"]["kept"], result["pages"]["gone"]) == (1, 1)


def test_simple_methods_are_scored_beside(result):
    methods = result["baselines"]
    assert len(methods) == 2, "without a model there is no MiniLM"
    for scores in methods.values():
        assert 0 < scores["stories"]["bcubed"]["f1"] <= 1
        assert scores["pairs"]["right"] + scores["pairs"]["missed"] == 2


def test_the_result_is_kept_beside_the_tables(result, output):
    assert json.loads((output / RESULT).read_text()) == result
    assert result["config"] == dataclasses.asdict(WITHOUT_MODEL)


@pytest.mark.parametrize("columns", [80, 200])
def test_what_is_printed_is_no_wider_than_the_terminal(
    result, columns, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_evaluation(result)
    shown = capsys.readouterr().out
    assert max(Text.from_ansi(line).cell_len for line in shown.splitlines()) <= columns
    assert "newsdedup" in shown
    assert "of 240 notices" in shown


def test_an_evaluation_is_replaced_only_if_told_to(result, files, output):
    with pytest.raises(ValueError, match="holds an earlier run already"):
        evaluate(gold=files["gold"], config=WITHOUT_MODEL, output=str(output))


def test_a_title_cannot_take_over_the_terminal(capsys):
    article = {
        "id": "a",
        "title": "A\x1b[2J title\n of two lines",
        "day": None,
        "source": None,
    }
    mistake = {
        "kind": "missed copy",
        "articles": [article, article],
        "evidence": None,
    }
    scores = {"precision": None, "recall": 0.0, "right": 0, "false": 0, "missed": 1}
    names = ("after_grouping", "compared", "copy_groups")
    pairs = {"pairs": {"dup": 1}, "mistakes": [mistake], **dict.fromkeys(names, scores)}
    print_evaluation({"half": "all", "pairs": pairs})
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "  —           —  A[2J title of two lines  a\n" in shown
    assert "missed copy: never compared" in shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "gold or pages must be given, got neither"),
        ({"pages": Path("x"), "planted": 3}, "planted and baselines need gold articles"),
        ({"pages": Path("x"), "half": "third"}, "half must be one of all, .* got third"),
    ],
)
def test_what_cannot_be_scored_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        evaluate(config=WITHOUT_MODEL, **given)


def test_articles_without_any_story_are_refused_before_anything_runs(tmp_path):
    gold = written(tmp_path / "gold.jsonl", [{"id": "a", "text": "Text"}])
    with pytest.raises(
        ValueError, match=r"gold\.jsonl must hold articles with a field story"
    ):
        evaluate(gold=gold, config=WITHOUT_MODEL)


def test_of_a_half_only_its_articles_are_run_and_its_pairs_scored(files):
    settings = {
        "gold": files["gold"],
        "background": files["background"],
        "config": dataclasses.replace(WITHOUT_MODEL, stories=False),
        "quiet": True,
    }
    first = evaluate(pairs=files["pairs"], half="first", **settings)
    second = evaluate(half="second", **settings)
    sizes = [one["articles"]["labelled"] for one in (first, second)]
    assert min(sizes) > 0
    assert sum(sizes) == len(articles()) - 5
    scored = sum(first["pairs"]["pairs"].values())
    assert scored + first["articles"]["pairs_outside_half"] == len(PAIRS) - 1
    with pytest.raises(ValueError, match="must hold pairs of the second half"):
        evaluate(pairs=files["pairs"], half="second", **settings)


def test_a_half_without_pages_is_refused(files):
    halves = []
    for half in ("first", "second"):
        try:
            evaluate(pages=files["pages"], half=half, config=WITHOUT_MODEL, quiet=True)
        except ValueError as error:
            halves.append(str(error))
    assert len(halves) == 1, "the one page is in one half"
    assert "must hold pages, it holds none" in halves[0]


def test_a_result_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ValueError, match="cannot be written"):
        write_result({}, tmp_path / "missing" / "result.json")
