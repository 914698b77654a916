"""A folder is watched: what arrives is added, once, when it is whole."""

import itertools
import json
import os

import pytest

from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from pipeline.watch import settled_files, watch

COPIES = Config(stories=False)


def write(path, *ids):
    rows = [
        {"id": article_id, "text": f"The dam of {article_id} broke."} for article_id in ids
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class WatchedEnoughError(Exception):
    """Ends a watch."""


def watched(folder, output, *happens):
    """Watch while each of some things happens between two looks, then two looks more."""
    waiting = itertools.chain(happens, [lambda: None, lambda: None])

    def sleep(_):
        happen = next(waiting, None)
        if happen is None:
            raise WatchedEnoughError
        happen()

    given = {"fields": {}, "additions": Additions(), "seconds": 1, "sleep": sleep}
    with pytest.raises(WatchedEnoughError):
        list(watch(str(folder), str(output), COPIES, **given))


def test_a_file_is_whole_when_it_did_not_change_between_two_looks(tmp_path):
    assert settled_files(str(tmp_path), {}) == ([], {})
    write(tmp_path / "a.jsonl", "one")
    path = str(tmp_path / "a.jsonl")
    files, seen = settled_files(str(tmp_path), {})
    assert files == []
    assert settled_files(str(tmp_path), seen) == ([path], seen)
    write(tmp_path / "a.jsonl", "one", "two")
    os.utime(path, (0, 0))
    files, again = settled_files(str(tmp_path), seen)
    assert files == []
    assert again != seen


def test_what_arrives_is_added_once(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    arrive = [
        lambda: write(folder / "a.jsonl", "one", "two"),
        lambda: None,
        lambda: write(folder / "b.jsonl", "three"),
    ]
    watched(folder, output, *arrive)
    ids = read_table(str(output), "articles").column("article_id").to_pylist()
    assert sorted(ids) == ["one", "three", "two"]
    before = (output / "manifest.json").read_bytes()
    watched(folder, output)
    assert (output / "manifest.json").read_bytes() == before


def test_only_a_folder_is_watched(tmp_path):
    gone = str(tmp_path / "gone")
    given = {"fields": {}, "additions": Additions(), "seconds": 1}
    with pytest.raises(ValueError, match="a folder must be given to be watched"):
        next(watch(gone, str(tmp_path / "out"), COPIES, **given))
