"""Hostile input: what a stranger puts into an article costs that article, and no more."""

import datetime
import gzip
import itertools
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline import batch
from pipeline.config import Config
from schemas.article import RAW
from schemas.batch import concatenate
from transforms import formats
from transforms.close_reading import repeats
from transforms.decoding import FREE_BYTES, MOST_EXPANSION
from transforms.formats import Reject, Row, json_row, parquet_rows
from transforms.furniture import cut_segments, is_caption
from transforms.line_rules import read_rules
from transforms.lines import read_lines
from transforms.pages import MAX_TAGS, page_excess
from transforms.parquet import MANIFEST, PART_NAME
from transforms.parsing import parse_articles
from transforms.reading import MAX_ROW_BYTES, read_files, row_batches
from transforms.sentences import content_sentences, sentences, without_quotations
from transforms.streams import language_keys

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
GOOD = {"id": "good", "title": "Dam breaks", "text": "The dam broke on Monday."}


def read(*paths):
    """Give raw rows and rejects."""
    found = {"raw": [], "rejects": [], "rows_read": []}
    files = [str(path) for path in paths]
    for name, rows in read_files(files, {}, batch_size=100, max_row_bytes=MAX_ROW_BYTES):
        found[name] += [rows] if name == "rows_read" else rows.to_pylist()
    return found["raw"], found["rejects"]


def parsed(*rows):
    """Give articles and rejects of rows, as they would be read."""
    given_rows = [("file", Row(place, row, False)) for place, row in enumerate(rows, 1)]
    found = {"raw": [], "rejects": []}
    for name, rows_found in row_batches(
        given_rows, {}, batch_size=100, max_row_bytes=MAX_ROW_BYTES
    ):
        if name in found:
            found[name].append(rows_found)
    articles, rejects = parse_articles(concatenate(found["raw"], RAW), latest=NOW)
    unread = [reject for part in found["rejects"] for reject in part.to_pylist()]
    return articles.to_pylist(), [*unread, *rejects.to_pylist()]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.txt.gz", "a.json.zst"])
def test_a_compressed_file_that_becomes_too_large_is_not_read_on(tmp_path: Path, name):
    zeros = b"x" * (8 * FREE_BYTES)
    pack = gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress
    (tmp_path / name).write_bytes(pack(zeros))
    (tmp_path / "b.jsonl").write_text(json.dumps(GOOD))
    raw, (reject,) = read(tmp_path / name, tmp_path / "b.jsonl")
    assert [row["id"] for row in raw] == ["good"]
    assert reject["reason"] == "too_long"
    # It says how far it was read: one piece beyond what is free.
    seen = int(re.search("got ([0-9,]+) bytes", reject["detail"])[1].replace(",", ""))
    assert FREE_BYTES < seen <= FREE_BYTES + (1 << 20)
    assert f"{MOST_EXPANSION} times" in reject["detail"]


def test_a_value_that_a_parquet_file_stores_once_is_held_once(tmp_path: Path):
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0] * 500), pa.array(["rain " * 99_999])
    )
    table = pa.table({"id": [str(number) for number in range(500)], "text": texts})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    rows = list(parquet_rows(str(tmp_path / "a.parquet"), {}, 500))
    assert len(rows) == 500
    assert len({id(row.values["text"]) for row in rows}) == 1
    assert rows[7].values["id"] == "7"


def test_a_parquet_column_that_becomes_too_large_is_not_read(tmp_path: Path):
    table = pa.table({"text": ["rain " * (1 << 20)] * 8})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    raw, (reject,) = read(path)
    assert not raw
    assert reject["reason"] == "too_long"
    assert "a column of a Parquet file, got 41," in reject["detail"]


def test_a_parquet_file_whose_footer_lies_is_one_reject(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["rain"] * 9}), path)
    content = path.read_bytes()
    for wrong in (0xFFFFFFFF, len(content) * 9, 5):
        path.write_bytes(content[:-8] + wrong.to_bytes(4, "little") + b"PAR1")
        raw, (reject,) = read(path)
        assert (raw, reject["reason"]) == ([], "unreadable_file")


def test_json_of_any_depth_is_a_row_or_a_reject():
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        for depth in (*range(900, 1_100, 3), 100_000):
            nested = opened * depth + "1" + closed * depth
            line = f'{{"text": "a", "n": NaN, "x": {nested}}}'
            assert isinstance(json_row(1, line.encode(), False), Row | Reject)


def test_blank_lines_before_json_are_not_gathered():
    chunks = iter([b"\n" * 1_000] * 50 + [b' {"id": "a"}'])
    assert formats._first_line(chunks) == (b'{"id": "a"}', False)


def test_a_json_array_of_too_many_values_is_not_parsed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(formats, "MAX_ARRAY_VALUES", 1_000)
    (tmp_path / "a.json").write_text("[" + "{}," * 1_000 + "{}]")
    _, (reject,) = read(tmp_path / "a.json")
    assert (reject["reason"], reject["detail"][:31]) == (
        "too_long",
        "a JSON file, got 2,002 values, ",
    )


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"id": "i" * 100_000}, "id, got 100,000 characters, must have at most 2,048"),
        ({"source": "s" * 600}, "source, got 600 characters"),
        ({"published_at": "1" * 600}, "published_at, got 600 characters"),
        ({"url": "u" * 9_000}, "url, got 9,000 characters"),
        ({"text": "a\n" * 300_000}, "a text, got 300,000 lines, must have at most 200,000"),
    ],
)
def test_what_names_an_article_is_short_and_its_lines_are_counted(row, detail):
    articles, (reject,) = parsed({"text": "It rains.", **row}, GOOD)
    assert [article["article_id"] for article in articles] == ["good"]
    assert (reject["reason"], reject["article_id"]) == ("too_long", None)
    assert detail in reject["detail"]


def test_times_that_cannot_be_are_dropped():
    written = (
        *("9999999-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"),
        *("9" * 19, "9" * 400, "-1e308", 1e308, 10**25),
    )
    articles, rejects = parsed(*({**GOOD, "published_at": time} for time in written))
    assert not rejects
    assert {article["published_at"] for article in articles} == {None}
    assert all(article["notes"] for article in articles)


ENTITIES = "".join(
    f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 10)
)
PAGES = {
    "deep": ("<html><body>" + "<div>" * 200_000, "too_long", "200,002 tags"),
    "wide": ("<p>a</p>" * MAX_TAGS, "too_long", "80,000 tags, must have at most 40,000"),
    "attributes": (
        f"<div {' '.join(f'a{number}' for number in range(9_000))}>",
        "too_long",
        "9,001 attributes",
    ),
    "long": ("<p>" + "a " * 3_000_000, "too_long", "6,000,003 characters"),
    "laughs": (
        f'<!DOCTYPE e [<!ENTITY e0 "lol">{ENTITIES}]><html><body><p>&e9;</p></body></html>',
        "no_text",
        "neither text nor title",
    ),
    "nothing": ("<html>\0\0\0</html>", "no_text", "neither text nor title"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_page_is_one_reject(name):
    page, reason, detail = PAGES[name]
    articles, (reject,) = parsed({"id": "page", "html": page}, GOOD)
    assert [article["article_id"] for article in articles] == ["good"]
    assert (reject["article_id"], reject["reason"]) == ("page", reason)
    assert detail in reject["detail"]


def test_an_ordinary_page_is_within_bounds():
    image = f'<img src="data:image/png;base64,{"a b/c+" * 9_000}" alt="The dam">'
    assert page_excess(f"<html><body>{image * 3}{'<p>Rain.</p>' * 9_000}</body>") is None


def test_names_in_an_article_become_no_paths(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/hunter2/key.json")
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    away = "../../../../" + str(tmp_path).lstrip("/") + "/away"
    rows = [
        {"id": away, "source": away, "language": "../", "text": "It rains on the hills."},
        {"id": f"{tmp_path}/away", "source": "/", "url": "file:///etc/passwd", "text": "a"},
        {"id": "\0..\\x", "text": "It rains in the valley."},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    output = tmp_path / "deep" / "out"
    batch.run(
        [f"{tmp_path}/in.jsonl"],
        str(output),
        Config(embedding="none"),
        fields={},
        run_id="../../away",
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    below = {path.relative_to(output) for path in files if path.is_relative_to(output)}
    assert len(files) == len(below) + 1
    for path in below - {Path(MANIFEST)}:
        assert PART_NAME.fullmatch(path.name)
        assert len(path.parts) == 2
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_a_language_is_part_of_a_file_name_only_if_it_is_one():
    codes = ["en", "../", "en/x", "*", "", "ENGLISH", "und"]
    batches = pa.RecordBatch.from_pydict({"language": codes})
    assert {key for key, _ in language_keys(batches)} == {"en", "und"}


# What these took is written in the history: minutes for a line, for every way to part it
# or for every place to look ahead from.
def test_crafted_lines_are_read_in_bounded_steps():
    assert not is_caption("A" * 48 + "/" + "A" * 48 + '"')
    assert cut_segments("ide Caption " + "Photos: " * 200_000)[1] == []
    assert cut_segments("diting by " + "Reporting by A" * 100_000)[1] == []
    assert sentences("! " * 100_000 + "a")
    assert without_quotations("“q" * 500_000) == "“q" * 500_000
    assert content_sentences("a" * 300_000) == []


def test_lines_that_differ_in_their_numbers_are_told_apart_at_once():
    text = "\n".join(f"item {number}" for number in range(40_000)) + "\nitem 7"
    lines = read_lines(pa.array([text]))
    ruled = read_rules(pa.array([text]), pa.array([None], pa.string()))
    codes = ruled.rules * 0
    again = repeats(lines.offsets, lines.data, lines.starts, lines.ends, ruled.keys, codes)
    assert again.nonzero()[0].tolist() == [40_000]


QUOTATION = re.compile(
    r"“[^”\n]{1,2000}”|\"[^\"\n]{1,2000}\"|«[^»\n]{1,2000}»|„[^“\n]{1,2000}“|「[^」\n]{1,2000}」"
)


@given(st.text('“”"«»„「」\na ', max_size=30))
def test_quotations_are_those_that_one_pattern_finds(text):
    assert without_quotations(text) == QUOTATION.sub(" ", text)


@pytest.mark.parametrize(("length", "goes"), [(2_000, True), (2_001, False)])
def test_a_quotation_has_a_longest_length(length, goes):
    text = f"“{'a' * length}”"
    assert (without_quotations(text) == " ") is goes


GALLERY = re.compile(r"Photos?: .{0,1500}?Hide Caption \d+ of \d+ ?")
PIECES = ("Photo: ", "Photos: ", "Hide Caption 1 of 2 ", "Hide Caption ", "x " * 745, "a")


def test_galleries_are_those_that_one_pattern_finds():
    for pieces in itertools.product(PIECES, repeat=4):
        line = "".join(pieces)
        rest, cuts = cut_segments(line)
        assert rest == GALLERY.sub("", line).strip()
        assert [cut for cut, _ in cuts] == [cut.strip() for cut in GALLERY.findall(line)]
