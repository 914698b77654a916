"""The command line: help that teaches, mistakes told in one sentence, exit status 2."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.io.localfilesystem import LocalFileSystem

from pipeline.cli import main

ARTICLE = (
    '{"id": "a", "title": "Dam breaks", "text": "The dam broke.", "source": "x.example"}\n'
)

# What pip writes as the command.
SCRIPT = "from pipeline.cli import command_line; command_line()"
INTERRUPTED_IMPORT = """
import importlib.abc, os, signal, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


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
        (
            ["curve", "--bands", "43"],
            "--bands * --band-rows must be at most 128, the values of a signature, got "
            "--bands=43 and --band-rows=3",
        ),
        (["curve", "--bands", "0"], "--bands must be at least 1, got 0"),
        (
            ["curve", "--min-containment", "1.5"],
            "--min-containment must be above 0 and at most 1, got 1.5",
        ),
        (
            ["run", "--input", "a", "--output", "out", "--seed", "-1"],
            "--seed must be at least 0 and below 2^32, got -1",
        ),
        (["nosuch"], "No such command 'nosuch'"),
        (["show", "nowhere"], "nowhere holds no finished run"),
        (["show", "out", "--limit", "-3"], "'--limit': -3 is not in the range x>=1"),
        (["show", "out", "--limit", "0"], "'--limit': 0 is not in the range x>=1"),
        (
            ["show", "out", "--story", "a", "--article", "b"],
            "--story and --article exclude each other, got both",
        ),
    ],
)
def test_a_wrong_command_is_one_sentence(arguments, sentence, capsys):
    assert sentence in refused(capsys, *arguments)


def test_no_command_at_all_is_told_what_there_is(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: newsdedup [OPTIONS] COMMAND")


def test_a_number_below_zero_is_no_flag(article, tmp_path, capsys):
    out = str(tmp_path / "out")
    arguments = ["run", "--input", article, "--output", out, "--story-model", "-gone"]
    assert "story model -gone must be a folder" in refused(capsys, *arguments)
    sentence = refused(capsys, *arguments, "--num_workers", "-1", "--num-worker=2")
    assert sentence == "unknown option --num-worker, did you mean --num_workers?"


def test_what_the_system_refuses_is_one_sentence(tmp_path, capsys):
    (tmp_path / "manifest.json").mkdir()
    assert "Is a directory" in refused(capsys, "show", str(tmp_path))


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


@pytest.mark.parametrize("output", ["{0}", "{0}/", ".", "../link"])
def test_input_inside_the_output_folder_is_refused_by_whatever_name(
    output, tmp_path, monkeypatch, capsys
):
    part = tmp_path / "out" / "articles" / "part-00000-12345678.parquet"
    part.parent.mkdir(parents=True)
    part.touch()
    (tmp_path / "link").symlink_to("out")
    monkeypatch.chdir(tmp_path / "out")
    output = output.format(tmp_path / "out")
    sentence = refused(capsys, "run", "--input", str(part), "--output", output)
    assert sentence == f"input must not lie inside the output folder, {part} does"


@pytest.mark.parametrize(
    "output",
    [
        *("", "out[1]", "out*", "in.jsonl", "in.jsonl/below", "in.jsonl/far/below"),
        *("loop", "loop/below", "gs://", "s3://bucket/out", "x" * 300, "/dev/null"),
    ],
)
def test_an_output_that_cannot_be_a_folder_is_refused(
    output, article, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    sentence = refused(
        capsys, "run", "--input", article, "--output", output, "--embedding", "none"
    )
    assert "output" in sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "loop"]


def test_an_output_that_may_not_be_written_is_refused(
    article, tmp_path, monkeypatch, capsys
):
    def refuse(path, *_):
        # The tests may run as a user who may write anything.
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(LocalFileSystem, "create", refuse)
    out = str(tmp_path / "out")
    sentence = refused(
        capsys, "run", "--input", article, "--output", out, "--embedding", "none"
    )
    assert sentence.startswith(f"output folder {out} cannot be written: ")
    assert "Permission denied" in sentence


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


@pytest.mark.parametrize(
    ("entry", "module"),
    [
        (["-c", SCRIPT], "click"),
        (["-m", "pipeline"], "apache_beam"),
        (["-c", SCRIPT], "pipeline.show"),
    ],
)
def test_an_interrupt_during_an_import_is_told_as_any_other(entry, module, tmp_path):
    """The module that is imported sends it, so that it cannot come too early or late."""
    path = tmp_path / "sitecustomize.py"
    path.write_text(f"MODULE = {module!r}\n{INTERRUPTED_IMPORT}")
    process = subprocess.run(
        [sys.executable, *entry, "show", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (process.returncode, process.stdout) == (130, "")
    assert process.stderr.strip() == "newsdedup: interrupted"


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


def test_evaluate_prints_scores_and_writes_them(tmp_path, capsys):
    page = {
        "url": "https://tidewater.example/boats",
        "text": "Log In\nNine boats went out before sunrise; eight of them came back, the "
        "harbour master said, adding that the search for the ninth would go on all night.",
        "keep": ["eight of them came back"],
        "drop": ["Log In"],
    }
    (tmp_path / "pages.jsonl").write_text(json.dumps(page))
    scores = tmp_path / "scores.json"
    given = ["--pages", str(tmp_path / "pages.jsonl"), "--json", str(scores), "--quiet"]
    assert main(["evaluate", *given]) == 0
    assert "kept of keep" in capsys.readouterr().out
    assert json.loads(scores.read_text())["pages"]["gone"] == 1


def test_evaluate_without_anything_to_score_is_one_sentence(capsys):
    assert main(["evaluate"]) == 2
    assert capsys.readouterr().err == (
        "newsdedup: error: gold or pages must be given, got neither\n"
    )


def test_tune_fits_pages_alone(tmp_path, capsys):
    menu = "Home|News|Harbour|Sports|Weather|Log in|Subscribe|Contact us|Search|Menu"
    rows = [
        {
            "url": f"https://site{number}.example/a",
            "text": "\n".join(
                [*menu.split("|"), f"Ferry {number} was late again, and nobody knew why."]
            ),
            "keep": [f"Ferry {number} was late again"],
            "drop": ["Harbour"],
        }
        for number in range(12)
    ]
    (tmp_path / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    model = tmp_path / "model"
    given = ["--pages", str(tmp_path / "pages.jsonl"), "--output", str(model)]
    assert main(["tune", *given]) == 0
    assert "1.000 of what must stay stays" in capsys.readouterr().out
    articles = ["--input", str(tmp_path / "pages.jsonl"), "--output", str(tmp_path / "out")]
    assert main(["run", "--page-model", str(tmp_path), *articles]) == 2
    assert "page model" in capsys.readouterr().err


def test_tune_without_anything_to_fit_to_is_one_sentence(capsys):
    assert main(["tune", "--output", "model"]) == 2
    assert "--gold with --background, or --pages, must be given" in capsys.readouterr().err
