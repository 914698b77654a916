"""Hostile output folders: what lies in one names nothing, and no memory, but its own."""

import ast
import json
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.coders import TupleCoder, VarIntCoder

from pipeline import terminal
from pipeline.batch import check_output
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import Additions, differing_settings, earlier_runs
from pipeline.streaming import SETTINGS, check_settings
from schemas.batch import RecordBatchCoder
from schemas.story import LINES
from transforms import streams
from transforms.embedding_model import DEFAULT_MODEL, DEFAULT_MODEL_SHA256, model_digest
from transforms.line_contexts import SKETCH_SIZE
from transforms.line_memory import kept_lines
from transforms.owners import living_owner, own_staging
from transforms.parquet import (
    MANIFEST,
    OWNER,
    read_manifest,
    write_part,
)
from transforms.past import read_part

ROOT = Path(__file__).parent.parent
PART = {"name": "articles/part-00000-0123abcd.parquet", "rows": 1, "statistics": {}}


def manifest(**changed):
    return {
        "schema": "newsdedup.manifest",
        "version": 2,
        "commit": "0123abcd",
        "runs": [{"run_id": "one", "files": []}],
        "tables": {"articles": [PART]},
        **changed,
    }


def written(folder, content):
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / MANIFEST).write_text(text)
    return str(folder)


def test_a_manifest_of_ours_is_read(tmp_path):
    assert read_manifest(written(tmp_path, manifest()))["tables"]["articles"] == [PART]


@pytest.mark.parametrize(
    "name",
    [
        "../victim/part-00000-0123abcd.parquet",
        "/etc/passwd",
        "articles/../../victim.parquet",
        "articles/*",
        "articles/part-00000-0123abcd.parquet\n",
        "stories/part-00000-0123abcd.parquet",
        "",
        None,
        7,
    ],
)
def test_a_manifest_names_files_of_its_own_tables_alone(tmp_path, name):
    output = written(tmp_path, manifest(tables={"articles": [{**PART, "name": name}]}))
    with pytest.raises(ValueError, match=r"must name files of its own"):
        read_manifest(output)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "[]",
        manifest(tables=[]),
        manifest(tables={"articles": 7}),
        manifest(tables={"articles": [{**PART, "rows": "1"}]}),
        manifest(tables={"articles": [{**PART, "statistics": 1}]}),
        manifest(runs=["one"]),
        manifest(commit=None),
        manifest(config=[]),
        {name: value for name, value in manifest().items() if name != "runs"},
    ],
)
def test_what_is_no_manifest_is_said_to_be_none(tmp_path, content):
    with pytest.raises(ValueError, match=r"is not a manifest of newsdedup"):
        read_manifest(written(tmp_path, content))


def test_a_run_deletes_nothing_that_a_manifest_names_elsewhere(tmp_path, capsys):
    victim = tmp_path / "victim" / "part-00000-0123abcd.parquet"
    victim.parent.mkdir()
    victim.write_text("mine")
    (tmp_path / "in.jsonl").write_text('{"text": "It rains."}')
    name = "../victim/part-00000-0123abcd.parquet"
    output = written(tmp_path / "out", manifest(tables={"..": [{**PART, "name": name}]}))
    inputs = ["run", "--input", f"{tmp_path}/in.jsonl", "--output", output]
    assert main([*inputs, "--overwrite", "--embedding", "none"]) == 2
    assert "must name files of its own" in capsys.readouterr().err
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    "link", ["stories", "_staging-1", "articles/part-00000-0123abcd.parquet"]
)
def test_an_output_folder_with_links_is_refused(tmp_path, link):
    away = tmp_path / "away"
    away.mkdir()
    (away / "part-00000-0123abcd.parquet").write_text("mine")
    path = tmp_path / "out" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(away)
    with pytest.raises(ValueError, match=f"must hold no links, .*{link} is one"):
        check_output(str(tmp_path / "out"), overwrite=True)
    assert (away / "part-00000-0123abcd.parquet").read_text() == "mine"


def test_an_output_folder_may_be_a_link_itself(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    check_output(str(tmp_path / "out"), overwrite=False)


@pytest.mark.parametrize("process", [10**30, -(10**30), "x", None, [1]])
def test_an_owner_that_can_be_no_process_is_dead(tmp_path, process):
    own_staging(str(tmp_path / "_staging-1"))
    path = tmp_path / "_staging-1" / OWNER
    path.write_text(json.dumps({**json.loads(path.read_text()), "process": process}))
    assert living_owner(str(path)) is None


@pytest.mark.parametrize("content", ["[" * 100_000, "7", "[1]", "{"])
def test_settings_that_are_none_are_one_sentence(tmp_path, content):
    (tmp_path / SETTINGS).write_text(content)
    with pytest.raises(ValueError, match=r"is no settings of a stream"):
        check_settings(str(tmp_path), Config(embedding="none"))


def lines_row(**changed):
    row = {
        "article_key": 1,
        "agency_key": 0,
        "line_keys": [1, 2],
        "line_words": [3, 3],
        "sketch": [5],
        "sketch_lines": [1],
    }
    return pa.RecordBatch.from_pylist([{**row, **changed}], schema=LINES)


def test_no_more_is_taken_of_a_sketch_than_there_is_room_for():
    assert kept_lines(lines_row()).owners[0, 0] == 1
    long = list(range(SKETCH_SIZE + 1))
    with pytest.raises(ValueError, match=r"a sketch must hold at most"):
        kept_lines(lines_row(sketch=long, sketch_lines=[0] * len(long)))
    with pytest.raises(ValueError, match=r"of lines of its article"):
        kept_lines(lines_row(sketch_lines=[2]))


def test_lists_of_an_article_that_belong_together_are_equally_long(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_batches([lines_row(line_words=[3])]), path)
    with pytest.raises(ValueError, match=r"other lengths in line_keys and line_words"):
        read_part(path)


def test_texts_of_an_earlier_run_are_utf8(tmp_path):
    path = str(tmp_path / "a.parquet")
    broken = pa.Array.from_buffers(
        pa.string(), 1, pa.array([b"a\xf0"], pa.binary()).buffers()
    )
    pq.write_table(pa.table({"text": broken}), path)
    with pytest.raises(ValueError, match=r"must be a file of an earlier run"):
        read_part(path)


def test_files_are_for_whom_the_umask_says(tmp_path):
    before = os.umask(0o077)
    try:
        own_staging(str(tmp_path / "_staging-1"))
        schema = pa.schema([pa.field("id", pa.string())])
        write_part("articles", 0, [], schema, staging=str(tmp_path / "_staging-1"))
    finally:
        os.umask(before)
    found = list(tmp_path.rglob("*"))
    assert len(found) == 3
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found)


def test_a_model_is_known_by_its_content_and_another_one_is_refused(tmp_path):
    for name in ("one", "same", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_text("w" * (2 + (name == "other")))
    one, same, other = (
        model_digest(str(tmp_path / name)) for name in ("one", "same", "other")
    )
    assert one == same != other
    assert DEFAULT_MODEL_SHA256.startswith(model_digest(DEFAULT_MODEL))
    key = "embedding model"
    assert differing_settings({key: one}, {key: other}) == {key: (one, other)}
    # Runs of before it was noted.
    assert differing_settings({}, {key: other}) == {}
    before = manifest(config={}, models={key: one})
    with pytest.raises(ValueError, match=f"embedding model was {one} and is {other}"):
        earlier_runs("out", before, Config(), {key: other}, Additions())


def sources():
    for folder in ("pipeline", "schemas", "transforms"):
        for path in sorted((ROOT / folder).glob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


PROGRAMS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}


def test_nothing_that_is_read_is_run():
    """No pickle, no code of a model, no eval."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or ""
                names = {module, *(alias.name for alias in node.names)}
                assert not {name.split(".")[0] for name in names} & PROGRAMS, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "os.system", "torch.load"), path
                assert not called.startswith("subprocess."), path
                for given in node.keywords:
                    if given.arg in ("allow_pickle", "trust_remote_code", "shell"):
                        assert ast.unparse(given.value) == "False", path


def test_the_state_of_a_stream_is_no_pickle():
    specs = [
        value.state_spec for value in vars(streams).values() if hasattr(value, "state_spec")
    ]
    assert len(specs) == 6
    for spec in specs:
        coders = [spec.coder]
        while coders:
            coder = coders.pop()
            if isinstance(coder, TupleCoder):
                coders += coder.coders()
            else:
                assert isinstance(coder, RecordBatchCoder | VarIntCoder), spec.name


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("red\x1b[31m\x07", "red\\x1b[31m\\x07"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("a\u2028b\x9bc\udc80", "a\\u2028b\\x9bc\\udc80"),
        (
            "\U0001f468\u200d\U0001f469 café 東京\xa0x",
            "\U0001f468\u200d\U0001f469 café 東京\xa0x",
        ),
    ],
)
def test_what_has_no_shape_is_printed_as_escapes(text, seen):
    assert terminal.visible(text) == seen


def test_a_file_name_is_printed_without_what_a_terminal_obeys(tmp_path, capsys):
    path = tmp_path / "\x1b]0;owned\x07\u202e.doc"
    path.write_text("x")
    assert main(["run", "--input", str(path), "--output", f"{tmp_path}/out"]) == 2
    told = capsys.readouterr().err
    assert "\\x1b]0;owned\\x07\\u202e.doc" in told
    assert told.rstrip("\n").isprintable()


def test_a_crash_is_printed_without_what_a_terminal_obeys(capsys):
    try:
        raise RuntimeError("title \x1b[2J of https://me:hunter2@x.example/")
    except RuntimeError as error:
        terminal.tell_crash(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert "RuntimeError: title \\x1b[2J of https://…@x.example/" in told
    assert "Traceback" in told


SIGNED = "https://me:hunter2@x.example/a.jsonl?X-Goog-Signature=hunter2&x=1&token=hunter2"


@pytest.mark.parametrize(
    "flags",
    [
        ["--input", SIGNED],
        ["--output", SIGNED],
        ["--known-furniture", SIGNED],
        ["--embedding-model", SIGNED],
        ["--page-model", SIGNED],
        ["--story-model", SIGNED],
        ["--keep-ids", SIGNED],
    ],
)
def test_a_password_in_an_address_is_neither_printed_nor_kept(tmp_path, capsys, flags):
    (tmp_path / "in.jsonl").write_text('{"text": "It rains."}')
    usual = {"--input": f"{tmp_path}/in.jsonl", "--output": f"{tmp_path}/out"}
    arguments = [part for flag in usual.items() if flag[0] not in flags for part in flag]
    assert main(["run", *arguments, *flags]) == 2
    told = "".join(capsys.readouterr())
    assert "hunter2" not in told
    assert "x.example" in told
    assert not (tmp_path / "out" / MANIFEST).exists()
