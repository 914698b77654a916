"""The command line: help that teaches, mistakes told in one sentence, exit status 2."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from pipeline.cli import main

ARTICLE = (
    '{"id": "a", "title": "Dam breaks", "text": "The dam broke.", "source": "x.example"}\n'
)


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(ARTICLE)
    return str(path)


def refused(capsys, *arguments):
    """Run a command that must be refused; give the sentence."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (sentence,) = captured.err.strip().splitlines()
    assert sentence.startswith("newsdedup: error: ")
    return sentence.removeprefix("newsdedup: error: ")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["curve", "-h"]])
def test_help_teaches_with_an_example(arguments, capsys):
    assert main(arguments) == 0
    assert "newsdedup " in capsys.readouterr().out


def test_every_setting_is_a_flag_with_its_default(capsys):
    main(["run", "--help"])
    text = capsys.readouterr().out
    assert "--min-containment FLOAT" in text
    assert "[default: 0.7]" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--output", "out"], "Missing option '--input'"),
        (["run", "--outptu", "x", "--input", "a"], "unknown option --outptu, did you mean"),
        (["run", "--bands", "many"], "Invalid value for '--bands': 'many' is not a valid"),
        (["curve", "--bands", "43"], "bands * band_rows must be at most 128"),
        (["nosuch"], "No such command 'nosuch'"),
        (["show", "nowhere"], "nowhere holds no finished run"),
    ],
)
def test_a_wrong_command_is_one_sentence(arguments, sentence, capsys):
    assert sentence in refused(capsys, *arguments)


def test_a_misspelt_flag_of_ours_is_not_taken_for_one_of_beam(article, tmp_path, capsys):
    out = tmp_path / "out"
    sentence = refused(
        capsys, "run", "--input", article, "--output", str(out), "--min-jacard=0.9"
    )
    assert sentence == "unknown option --min-jacard, did you mean --min-jaccard?"
    assert not out.exists()


def test_a_glob_that_matches_nothing_is_refused(tmp_path, capsys):
    out = tmp_path / "out"
    sentence = refused(
        capsys, "run", "--input", str(tmp_path / "*.x"), "--output", str(out)
    )
    assert "matches" in sentence
    assert not out.exists()


def test_a_field_we_do_not_have_is_refused(article, tmp_path, capsys):
    arguments = ["run", "--input", article, "--output", str(tmp_path / "out")]
    assert "OUR_FIELD=YOUR_FIELD" in refused(capsys, *arguments, "--field", "body")
    assert "colour" in refused(capsys, *arguments, "--field", "colour=body")


def test_an_output_folder_that_holds_something_else_is_refused_and_left_alone(
    article, tmp_path, capsys
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.doc").write_text("years of work")
    for flags in ([], ["--overwrite"]):
        sentence = refused(capsys, "run", "--input", article, "--output", str(out), *flags)
        assert "found thesis.doc" in sentence
    assert (out / "thesis.doc").read_text() == "years of work"


def test_a_parquet_file_of_the_callers_is_refused_and_left_alone(article, tmp_path, capsys):
    mine = tmp_path / "out" / "articles" / "mine.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    sentence = refused(capsys, "run", "--input", article, "--output", str(tmp_path / "out"))
    assert "found articles/mine.parquet" in sentence
    assert mine.read_bytes() == b"mine"


def test_input_inside_the_output_folder_is_refused(article, tmp_path, capsys):
    sentence = refused(capsys, "run", "--input", article, "--output", str(tmp_path))
    assert "in.jsonl" in sentence


@pytest.mark.parametrize("output", ["", "out[1]", "out*", "in.jsonl", "in.jsonl/below"])
def test_an_output_that_cannot_be_a_folder_is_refused(
    output, article, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    sentence = refused(
        capsys, "run", "--input", article, "--output", output, "--embedding", "none"
    )
    assert "output" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_the_second_of_two_runs_at_once_is_refused(article, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "_staging-12345678").mkdir(parents=True)
    owner = {"host": socket.gethostname(), "process": os.getpid()}
    (out / "_staging-12345678" / "owner.json").write_text(json.dumps(owner))
    sentence = refused(capsys, "run", "--input", article, "--output", str(out))
    assert sentence.startswith(f"another run is at work in {out}, process {os.getpid()}")


@pytest.mark.parametrize("model", ["./no-such-folder", "empty"])
def test_a_model_that_cannot_be_loaded_is_refused_before_anything_is_written(
    model, article, tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    name = str(tmp_path / model) if model == "empty" else model
    out = tmp_path / "out"
    sentence = refused(
        capsys, "run", "--input", article, "--output", str(out), "--embedding-model", name
    )
    assert sentence == f"embedding model {name} holds no config.json and no modules.json"
    assert not out.exists()


def test_a_story_model_that_is_not_there_is_refused(article, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = [
        "run",
        "--input",
        article,
        "--output",
        str(out),
        "--story-model",
        "nowhere",
    ]
    assert "story model nowhere must be a folder" in refused(capsys, *arguments)
    assert not out.exists()


def test_a_pattern_that_the_shell_has_expanded_is_told_how_to_quote(article, capsys):
    sentence = refused(capsys, "run", "--input", article, article, "--output", "out")
    assert sentence.endswith("a pattern for --input needs quotes")


def test_curve_prints_the_chance_at_every_similarity(capsys):
    assert main(["curve", "--bands", "14", "--band-rows", "9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["jaccard", "proposed"]
    assert "   0.70     0.438" in lines
    assert len(lines) == 22


@pytest.mark.parametrize("stage", ["read and parse", "strip furniture, fingerprint"])
def test_an_interrupted_run_leaves_no_tables(stage, tmp_path):
    source = tmp_path / "in.jsonl"
    line = '{{"id": "{0}", "title": "Dam {0}", "text": "The dam {0} broke at noon. {1}"}}\n'
    source.write_text("".join(line.format(i, f"word{i} " * 300) for i in range(10_000)))
    out = tmp_path / "out"
    command = f"-m pipeline run --input {source} --output {out} --embedding none"
    process = subprocess.Popen(
        [sys.executable, *command.split()],
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, interrupts are ignored from birth.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # A stage is told once the next has begun.
    while not process.stderr.readline().startswith(stage):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "newsdedup: interrupted"
    assert not out.exists() or not [path for path in out.rglob("*") if path.is_file()]
