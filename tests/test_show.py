"""What a run wrote, for a person at a terminal."""

import json
import re
import shutil

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


LONG_ID = "tarn-example-2025-05-16-the-old-grain-mill-burns-to-the-ground-nobody-hurt"


@pytest.fixture(autouse=True)
def piped(monkeypatch):
    """Whoever runs the tests may have set a width."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    rows = [
        {"id": "a", "title": "Mill burns", "source": "tarn.example", "text": TEXT},
        {"id": "b", "title": "Mill on the Tarn burns", "source": "x.example", "text": TEXT},
        {"id": "c", "title": "[red]Bread[/red] is dear", "text": "Bread costs more."},
        {"id": LONG_ID, "title": "Mill gone", "source": "y.example", "text": TEXT},
        {"id": "d\ne\033[31m", "title": "Bells\007 ring", "text": "Bells rang at noon."},
        {"id": "f", "body": "Not mapped."},
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
    assert "3 of 3 stories" in shown(capsys, output)
    assert "1 of 3 stories" in shown(capsys, output, "--limit", "1")


def test_more_than_there_are_is_all(output, capsys):
    assert "3 of 3 stories" in shown(capsys, output, "--limit", "9" * 30)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
@pytest.mark.parametrize("look", [[], ["--story", "largest"], ["--article", "b"]])
def test_no_id_is_cut_or_broken_however_narrow_the_terminal(
    look, width, output, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", str(width))
    text = shown(capsys, output, *look)
    ids = {"--article": ["a", LONG_ID], "--story": ["a", "b", LONG_ID]}
    for wanted in ids.get(look[0] if look else "", ["a", "c"]):
        assert re.search(rf"(^|\s){wanted}(\s|$)", text, re.MULTILINE)


def test_a_narrow_terminal_gets_a_block_a_story(output, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    text = shown(capsys, output, "--limit", "1")
    assert text.splitlines() == [
        "",
        "articles 3, independent 1, first —",
        "Mill burns",
        "a",
        "",
        "1 of 3 stories",
    ]


def test_a_story_shows_its_canonical_article_and_its_members(output, capsys):
    text = shown(capsys, output, "--story", "a")
    assert "3 articles, 3 sources, 1 independent" in text
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
    assert found["articles"] == "5"
    assert found["rejects"] == "1"
    assert found["copy groups"] == "1"
    assert found["stories"] == "3"


def test_the_summary_says_why_rows_were_rejected(output, capsys):
    print_summary(output, read_manifest(output), seconds=1.25)
    text = capsys.readouterr().out
    assert f"rejected: 1 no_text; the details are in {output}/rejects\n" in text


def test_a_run_without_articles_has_a_summary(tmp_path, capsys):
    (tmp_path / "in.jsonl").touch()
    out = str(tmp_path / "out")
    arguments = ["run", "--input", str(tmp_path), "--output", out, "--embedding", "none"]
    assert main(arguments) == 0
    assert re.search(r"^ articles +0 $", capsys.readouterr().out, re.MULTILINE)
    assert "0 of 0 stories" in shown(capsys, out)
    assert main(["show", out, "--story", "largest"]) == 2
    assert "holds no story largest" in capsys.readouterr().err


def test_control_characters_are_shown_and_not_sent_to_the_terminal(output, capsys):
    for arguments in ([], ["--article", "d\ne\033[31m"], ["--story", "d\ne\033[31m"]):
        text = shown(capsys, output, *arguments)
        assert "\033" not in text
        assert "Bells\\x07 ring" in text
        assert "d\\ne\\x1b[31m" in text


def test_a_table_that_is_gone_or_broken_is_one_sentence(output, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(output, copy)
    (part,) = (copy / "stories").iterdir()
    part.write_bytes(b"broken")
    for _ in range(2):
        assert main(["show", str(copy)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"newsdedup: error: {part} must be a file of the run, got ")
        assert len(error.splitlines()) == 1
        part.unlink(missing_ok=True)
