"""The corpus as one file."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from pipeline import exporting
from pipeline.cli import main
from pipeline.show import read_table


def articles(output):
    return read_table(output, "articles").to_pylist()


def test_without_copies_one_article_of_each_copy_group_is_left(examples_output, capsys):
    assert main(["export", examples_output, "--canonical-only"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    groups = [row["duplicate_group_id"] for row in rows]
    assert sorted(groups) == sorted(
        {row["duplicate_group_id"] for row in articles(examples_output)}
    )


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_columns_are_those_chosen_in_their_order(kind, examples_output, tmp_path):
    file = tmp_path / f"corpus.{kind}"
    given = ["--columns", "title, article_id,text", "--format", kind, "--to", str(file)]
    assert main(["export", examples_output, *given]) == 0
    if kind == "jsonl":
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    elif kind == "csv":
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [
                {name: cell or None for name, cell in row.items()}
                for row in csv.DictReader(stream)
            ]
    else:
        rows = pq.read_table(file).to_pylist()
    assert list(rows[0]) == ["title", "article_id", "text"]
    expected = articles(examples_output)
    if kind == "csv":
        for row in expected:
            row["text"] = row["text"] or None
    assert rows == [{name: row[name] for name in rows[0]} for row in expected]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_parquet_keeps_types_in_groups_of_rows(examples_output, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_ROWS_AT_ONCE", 10)
    monkeypatch.setattr(exporting, "_ROWS_OF_A_GROUP", 20)
    file = tmp_path / "all.parquet"
    assert main(["export", examples_output, "--format", "parquet", "--to", str(file)]) == 0
    table = read_table(examples_output, "articles")
    assert pq.read_table(file).equals(table)
    assert pq.read_metadata(file).num_row_groups == -(-table.num_rows // 20)


def test_batches_are_small(examples_output, monkeypatch):
    monkeypatch.setattr(exporting, "_ROWS_AT_ONCE", 7)
    _, batches = exporting.exported(examples_output)
    assert max(batch.num_rows for batch in batches) <= 7


def test_what_breaks_off_leaves_the_earlier_file(examples_output, tmp_path, monkeypatch):
    file = tmp_path / "corpus.jsonl"
    file.write_text("earlier")

    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr(exporting, "write_text", broken)
    assert main(["export", examples_output, "--to", str(file)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "earlier"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--format", "parquet"], "--format parquet needs a file: --to FILE"),
        (["--columns", "body"], "columns must be of article_id, story_id, "),
        (["--columns", "url,url"], "a column must be named once, got url several times"),
    ],
)
def test_a_mistake_is_one_sentence(given, sentence, examples_output, capsys):
    assert main(["export", examples_output, *given]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert sentence in line
