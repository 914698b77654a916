import gzip
import json

import pytest

from pipeline.gold import (
    Pair,
    half_of_articles,
    is_fitted_page,
    read_articles,
    read_pages,
    read_pairs,
    write_articles,
)


def written(path, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def file(tmp_path):
    return lambda *rows: written(tmp_path / "mine.jsonl", *rows)


def test_articles_are_read_plain_and_compressed(tmp_path):
    rows = [{"id": "a", "story": 7, "lang": "en"}, {"id": 3, "story": None}]
    for name in ("x.jsonl", "x.jsonl.gz"):
        found = read_articles(written(tmp_path / name, *rows))
        assert [row["id"] for row in found] == ["a", "3"]
        assert [row["story"] for row in found] == ["7", None]
        assert [row["language"] for row in found] == ["en", None]


def test_an_article_without_id_is_named_after_its_line(file):
    rows = read_articles(file({"text": "one"}, "", {"text": "two"}))
    assert [row["id"] for row in rows] == ["mine-1", "mine-3"]


def test_what_a_run_reads_holds_no_gold_story(file, tmp_path):
    rows = read_articles(file({"id": "a", "text": "Text", "story": "s", "dup_group": "d"}))
    write_articles(rows, tmp_path / "run.jsonl")
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    assert json.loads(line) == {"id": "a", "text": "Text", "language": None}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "must hold articles, it holds none"),
        ([{"id": "a"}, {"id": "a "}], "give each id once, a stands on lines 1 and 2"),
        ([{"id": "a"}, "{"], "a JSON object on every line, line 2: "),
        (["[1]"], "a JSON object on every line, line 1: it holds a list"),
    ],
)
def test_articles_that_cannot_be_scored_are_refused(file, rows, message):
    with pytest.raises(ValueError, match=message):
        read_articles(file(*rows))


def test_a_file_that_breaks_off_is_refused(tmp_path):
    path = written(tmp_path / "x.jsonl.gz", *({"id": str(i)} for i in range(99)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"x\.jsonl\.gz cannot be read: "):
        read_articles(path)


def test_pairs_that_nobody_could_score_are_counted_apart(file):
    pairs, unscored = read_pairs(
        file(
            {"a": "x", "b": "y", "label": "dup", "r": 0.9},
            {"a": "y", "b": 3, "label": "contained"},
            {"a": "x", "b": "3", "label": "unclear"},
        ),
        {"x", "y", "3"},
    )
    assert pairs == [Pair("x", "y", "dup"), Pair("y", "3", "contained")]
    assert unscored == 1


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"a": "x", "b": "y", "label": "same"}, "line 1: label must be one of dup, .*same"),
        ({"a": "x", "b": "z", "label": "dup"}, "line 1: b must be the id .* got z"),
        ({"b": "y", "label": "dup"}, "line 1: a must be the id .* got None"),
        ({"a": "x", "b": "x", "label": "dup"}, "line 1: a and b must differ, got x"),
        ({"a": "x", "b": "y", "label": "partial"}, "must hold pairs labelled dup"),
    ],
)
def test_pairs_that_mean_nothing_are_refused(file, pair, message):
    with pytest.raises(ValueError, match=message):
        read_pairs(file(pair), {"x", "y"})


def test_pages_are_read_with_their_segments(file):
    (page,) = read_pages(
        file(
            {
                "url": "https://a.example/1",
                "text": "Menu\nA long  day",
                "keep": ["long day"],
            }
        )
    )
    assert (page.page_id, page.keep, page.drop) == ("mine-1", ["long day"], [])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"keep": ["a"]}], "line 1: a page must have a text, got None"),
        ([{"text": "a", "keep": [3]}], "line 1: keep must hold pieces of text, got 3"),
        ([{"text": "a", "drop": ["b"]}], "line 1: drop must hold .* 'b' does not stand"),
        ([{"text": "a"}], "must hold pages with keep or drop"),
        ([{"id": 1, "text": "a", "keep": ["a"]}] * 2, "each id once, 1 stands there twice"),
    ],
)
def test_pages_that_cannot_be_scored_are_refused(file, rows, message):
    with pytest.raises(ValueError, match=message):
        read_pages(file(*rows))


def test_a_segment_stands_on_a_page_whatever_hyphens_may_break_it(file):
    (page,) = read_pages(
        file({"text": "Alt­pa­pier &amp; Glas", "keep": ["Altpapier & Glas"]})
    )
    assert page.keep == ["Altpapier & Glas"]


def test_a_set_is_halved_by_day_as_tune_does(tmp_path):
    rows = [
        {
            "id": f"{story}-{number}",
            "published_at": f"2020-01-{story + 1:02}",
            "title": f"The harbour of town number {story} is open again",
            "text": f"Ships came back to the harbour on day {story}, said pilot {number}.",
        }
        for story in range(6)
        for number in range(2)
    ]
    write_articles(rows, tmp_path / "whole.jsonl")
    stories = [row["id"].split("-")[0] for row in rows]
    halves = [
        half_of_articles(tmp_path / "whole.jsonl", stories, half).tolist()
        for half in ("first", "second")
    ]
    assert halves == [list(range(6)), list(range(6, 12))]


def test_pages_of_one_site_are_in_one_half():
    urls = [
        f"https://{host}.example.{top}/{page}"
        for host in "ab"
        for top in ("de", "org")
        for page in range(3)
    ]
    for top in ("de", "org"):
        own = {is_fitted_page(url, "") for url in urls if f".{top}/" in url}
        assert len(own) == 1
    sites = {is_fitted_page(f"https://site{number}.example/", "") for number in range(9)}
    assert sites == {True, False}
    assert is_fitted_page(None, "a") == is_fitted_page(None, "a")
