"""SQL over the tables in force: what it sees, and what it cannot do."""

import io
import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.querying import answer, connected
from transforms import storage
from transforms.parquet import read_manifest


def asked(output, statement):
    return list(answer(connected(output), statement).rows)


def test_every_table_of_the_manifest_is_a_view(examples_output):
    manifest = read_manifest(examples_output)
    views = {name for (name,) in asked(examples_output, "SHOW TABLES")}
    assert views == {*manifest["tables"], "runs"}
    for table, parts in manifest["tables"].items():
        ((rows,),) = asked(examples_output, f"SELECT count(*) FROM {table}")
        assert rows == sum(part["rows"] for part in parts)


def test_files_that_the_manifest_does_not_name_are_not_seen(examples_output, tmp_path):
    output = shutil.copytree(examples_output, tmp_path / "out")
    (path,) = (output / "stories").iterdir()
    shutil.copy(path, path.with_name("left-over.parquet"))
    count = "SELECT count(*) FROM stories"
    assert asked(str(output), count) == asked(examples_output, count)


def test_runs_are_numbered_in_their_order(grown):
    output, states = grown
    rows = asked(output, "SELECT run_id, articles FROM runs ORDER BY number")
    runs = states[-1][0]["runs"]
    assert rows == [(run["run_id"], run["articles"]) for run in runs]


def test_a_folder_of_a_bucket_is_asked_as_one_of_this_machine(examples_output, store):
    for path in Path(examples_output).rglob("*"):
        if path.is_file():
            name = path.relative_to(examples_output).as_posix()
            storage.write(f"gs://news/out/{name}", path.read_bytes())
    statement = """
        SELECT count(*), max(a.published_at)
        FROM articles AS a JOIN articles AS b USING (story_id)
    """
    found = asked("gs://news/out", statement)
    assert found == asked(examples_output, statement)
    assert found[0][0] > 90


@pytest.mark.parametrize(
    "statement",
    [
        "COPY stories TO '{there}'",
        "COPY (SELECT 1) TO '{there}' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY stories TO '{there}'",
        "EXPORT DATABASE '{there}'",
        "ATTACH '{there}'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '{output}/stories/*.parquet'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SELECT * FROM secret_of_this_program",
    ],
)
def test_nothing_is_written_loaded_or_read_beside_the_tables(
    statement, examples_output, tmp_path
):
    secret_of_this_program = [1]
    there = tmp_path / "there"
    with pytest.raises(ValueError, match=r"Error: "):
        asked(examples_output, statement.format(there=there, output=examples_output))
    assert not there.exists()
    assert secret_of_this_program


def test_a_mistake_is_one_sentence(examples_output, capsys):
    assert main(["sql", examples_output, "SELECT tilte\nFROM stories"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith('newsdedup: error: Binder Error: Referenced column "tilte"')


def test_a_file_that_is_gone_is_named(examples_output, tmp_path, capsys):
    output = shutil.copytree(examples_output, tmp_path / "out")
    (path,) = (output / "stories").iterdir()
    path.unlink()
    assert main(["sql", str(output), "SELECT 1"]) == 2
    assert f"{path} must be a file of the run" in capsys.readouterr().err


@pytest.mark.parametrize("statement", ["SELECT 1 AS x", "-- One.\nSELECT 1 AS x;"])
def test_sql_comes_as_an_argument_or_from_standard_input(
    statement, examples_output, monkeypatch, capsys
):
    assert main(["sql", examples_output, statement, "--format", "jsonl"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(statement))
    assert main(["sql", examples_output, "--format", "jsonl"]) == 0
    assert capsys.readouterr().out == '{"x": 1}\n' * 2


def test_at_a_terminal_one_statement_after_another_is_answered(
    examples_output, monkeypatch, capsys
):
    typed = iter(["SELECT 1 AS x", ";", "SELCT;", "SELECT 2 AS x;"])
    prompts = []

    def type_line(prompt):
        prompts.append(prompt)
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", type_line)
    assert main(["sql", examples_output, "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ['{"x": 1}', '{"x": 2}', ""]
    assert "Parser Error" in captured.err
    assert prompts == ["sql> ", "...> ", "sql> ", "sql> ", "sql> "]


def test_times_are_in_utc(examples_output, monkeypatch, capsys):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    statement = "SELECT published_at AS at FROM articles WHERE article_id = 'gd-40318'"
    assert main(["sql", examples_output, statement, "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out) == {"at": "2026-05-13T10:05:00+00:00"}
