"""A batch run: its name, that of its input and settings, and what is left of it."""

import pytest

from pipeline import batch
from pipeline.batch import file_contents, model_contents, run_identifier
from pipeline.config import Config

ROW = '{{"id": "{0}", "text": "The dam broke."}}\n'


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "in" / name for name in ("a.jsonl", "b.jsonl")]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text(ROW.format(path.stem))
    return [str(path) for path in paths]


def name_of(files, config, fields):
    contents = file_contents(files).values()
    return run_identifier(contents, model_contents(config), config, fields)


def test_the_same_content_elsewhere_and_in_another_order_is_the_same_run(files, tmp_path):
    (tmp_path / "in").rename(tmp_path / "moved")
    moved = [file.replace("/in/", "/moved/") for file in reversed(files)]
    name = name_of(moved, Config(), {})
    (tmp_path / "moved").rename(tmp_path / "in")
    assert name == name_of(files, Config(), {})
    assert len(name) == 12


def test_content_of_equal_size_is_another_run(files):
    before = name_of(files, Config(), {})
    with open(files[0], "w") as file:
        file.write(ROW.format("x"))
    assert name_of(files, Config(), {}) != before


def test_every_setting_counts(files, tmp_path):
    (tmp_path / "model").mkdir()
    model = tmp_path / "model" / "story_model.json"
    tuned = Config(story_model=str(tmp_path / "model"))
    names = [
        name_of(files, Config(), {}),
        name_of(files, Config(seed=2), {}),
        name_of(files, Config(stories=False), {}),
        name_of(files, Config(), {"text": "body"}),
        name_of(files, tuned, {}),
    ]
    model.write_text("{}")
    names.append(name_of(files, tuned, {}))
    assert len(set(names)) == len(names)


def test_what_a_worker_writes_while_a_run_is_withdrawn_goes_too(tmp_path, monkeypatch):
    staging = tmp_path / "_staging-12345678"
    written = iter(["a", "b"])
    remove = batch.remove_leftovers

    def remove_while_written(output):
        remove(output)
        for name in written:
            staging.mkdir()
            (staging / name).touch()
            raise OSError("directory not empty")

    monkeypatch.setattr(batch, "remove_leftovers", remove_while_written)
    batch._withdraw(str(tmp_path), str(staging))
    assert not staging.exists()
    assert list(written) == []
