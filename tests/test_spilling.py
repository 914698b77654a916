"""Articles wait on disk while fingerprints decide what becomes of them."""

import pathlib

import numpy as np
import pyarrow as pa
import pytest

from transforms.spilling import (
    SpillArticles,
    Spilled,
    parts,
    read_back,
    read_slice,
    spill,
    spill_shards,
)


def batch(file, *positions):
    return pa.RecordBatch.from_pydict(
        {
            "file": [file] * len(positions),
            "position": pa.array(positions, pa.int64()),
            "text": [f"text {position}" for position in positions],
        }
    )


def test_a_batch_comes_back_as_it_was_or_in_part(tmp_path):
    articles = batch("a.jsonl", 3, 1, 2)
    spilled = spill(articles, str(tmp_path))
    assert read_back(spilled).equals(articles)
    assert read_back(spilled, ["text"]).equals(articles.select(["text"]))


def test_a_batch_is_placed_by_the_first_row_of_its_first_file(tmp_path):
    mixed = pa.Table.from_batches([batch("b", 1), batch("a", 9, 7)]).combine_chunks()
    spilled = spill(mixed.to_batches()[0], str(tmp_path))
    assert (spilled.file, spilled.position, spilled.rows) == ("a", 7, 3)


def test_no_batch_lies_over_another(tmp_path):
    one, other = (spill(batch("a", 1), str(tmp_path)) for _ in range(2))
    assert one.path != other.path
    assert {one.path, other.path} == {str(path) for path in tmp_path.iterdir()}


def test_the_rows_of_a_shard_come_back_in_their_order(tmp_path):
    articles = batch("a", 1, 2, 3, 4)
    slices = spill_shards(articles, np.array([7, 3, 7, 3]), str(tmp_path))
    found = {
        shard: read_slice(part).column("position").to_pylist() for shard, part in slices
    }
    assert found == {3: [2, 4], 7: [1, 3]}
    assert len(list(tmp_path.iterdir())) == 1


def test_an_empty_batch_has_no_slice(tmp_path):
    assert spill_shards(batch("a"), np.zeros(0, int), str(tmp_path)) == []


def test_parts_follow_the_input_whatever_the_order_of_the_batches():
    batches = [Spilled("a", place, f"{place}", 400) for place in range(5)]
    expected = [(0, batches[:2]), (1, batches[2:4]), (2, batches[4:])]
    assert list(parts(batches, articles_per_part=1_000)) == expected
    assert list(parts(batches[::-1], articles_per_part=1_000)) == expected
    assert list(parts([], articles_per_part=1_000)) == []


@pytest.mark.parametrize("rows", [10, 11])
def test_a_batch_too_large_for_a_part_is_a_part(rows):
    batches = [Spilled("a", place, f"{place}", rows) for place in range(2)]
    assert [len(part) for _, part in parts(batches, articles_per_part=10)] == [1, 1]


def test_transform_agrees_with_function(apply, tmp_path):
    folder = tmp_path / "staging"
    folder.mkdir()
    articles = batch("a.jsonl", 1, 2)
    (spilled,) = apply(SpillArticles(str(folder)), [articles])
    assert pathlib.Path(spilled.path).parent == folder
    assert read_back(Spilled(*spilled)).equals(articles)
