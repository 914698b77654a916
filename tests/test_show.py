"""What a run wrote, for a person at a terminal."""

import json

import pytest

from pipeline import batch
from pipeline.cli import main
from pipeline.config import Config
from pipeline.show import print_summary
from transforms.parquet import read_manifest

TEXT = (
    "The old grain mill on the Tarn burnt down on Monday night, and nobody was hurt. "
    "Firemen from three towns fought the flames until dawn. The owner, who had run it for "
    "forty years, said that he would not build it again."
)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    rows = [
        {"id": "a", "title": "Mill burns", "source": "tarn.example", "text": TEXT},
        {"id": "b", "title": "Mill on the Tarn burns", "source": "x.example", "text": TEXT},
        {"id": "c", "title": "[red]Bread[/red] is dear", "text": "Bread costs more."},
    ]
    (folder / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    batch.run([f"{folder}/in.jsonl"], f"{folder}/out", Config(embedding="none"), fields={})
    return f"{folder}/out"


def shown(capsys, *arguments):
    assert main(["show", *arguments]) == 0
    return capsys.readouterr().out


def test_stories_are_listed_the_largest_first(output, capsys):
    lines = [
        line for line in shown(capsys, output).splitlines() if ".." in line or "  " in line
    ]
    text = "\n".join(lines)
    assert text.index("Mill") < text.index("Bread")
    assert "2 of 2 stories" in shown(capsys, output)
    assert "1 of 2 stories" in shown(capsys, output, "--limit", "1")


def test_a_story_shows_its_canonical_article_and_its_members(output, capsys):
    text = shown(capsys, output, "--story", "a")
    assert "2 articles, 2 sources, 1 independent" in text
    assert "canonical: a of tarn.example" in text
    assert "exact copy" in text
    assert text == shown(capsys, output, "--story", "largest")


def test_an_article_shows_why_it_is_where_it_is(output, capsys):
    text = shown(capsys, output, "--article", "b")
    assert "exact copy of a" in text
    assert "equal words" in text
    assert "longest passage shared with a" in text
    assert "The old grain mill" in text


def test_markup_in_a_title_is_text(output, capsys):
    assert "[red]Bread[/red]" in shown(capsys, output, "--article", "c")


def test_an_article_without_company_says_so(output, capsys):
    assert "no other article came near" in shown(capsys, output, "--article", "c")


@pytest.mark.parametrize("kind", ["story", "article"])
def test_an_unknown_id_is_one_sentence(kind, output, capsys):
    assert main(["show", output, f"--{kind}", "nosuch"]) == 2
    assert f"holds no {kind} nosuch" in capsys.readouterr().err


def test_the_summary_counts_what_was_found(output, capsys):
    print_summary(output, read_manifest(output), seconds=1.25)
    found = dict(
        line.strip().rsplit(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
        if line.strip() and not line.startswith("newsdedup")
    )
    assert found["articles"] == "3"
    assert found["rejects"] == "0"
    assert found["copy groups"] == "1"
    assert found["stories"] == "2"
