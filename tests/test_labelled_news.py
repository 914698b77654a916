"""The whole run on labelled news that is not part of the project, where it is at hand."""

import gzip
import json
import pathlib

import pytest

from pipeline.batch import run
from pipeline.config import Config
from pipeline.show import read_table

GVA = pathlib.Path(__file__).parents[2] / "shared/data/gva/articles.jsonl.gz"


@pytest.mark.skipif(not GVA.is_file(), reason="needs ../shared/data/gva")
def test_a_page_of_furniture_alone_is_nobodys_copy(tmp_path):
    """Of 69 pages that hold the same bytes as pages under other titles."""
    with gzip.open(GVA, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    output = str(tmp_path / "out")
    run([str(GVA)], output, Config(stories=False), fields={})
    found = {
        row["article_id"]: row
        for row in read_table(
            output, "articles", ["article_id", "duplicate_group_id", "title"]
        ).to_pylist()
    }
    assert found.keys() == {row["id"] for row in rows}
    titles: dict[str, set[str]] = {}
    for row in found.values():
        titles.setdefault(row["duplicate_group_id"], set()).add(row["title"])
    junk = [row["id"] for row in rows if row.get("text_junk")]
    assert len(junk) == 69
    # The same page under the same title is the same page.
    assert not [name for name in junk if len(titles[found[name]["duplicate_group_id"]]) > 1]
