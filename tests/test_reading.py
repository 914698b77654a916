import gzip
import itertools
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import RAW, REJECT_REASONS
from transforms.decoding import decoded, lines
from transforms.listing import matched_files
from transforms.reading import ReadArticles, checked_fields, read_files

LIMIT = 10_000


def read(
    paths: Path | Iterable[Path], limit: int = LIMIT, **fields: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Give raw rows, rejects, rows read, having checked that they add up."""
    rows: dict[str, list[dict[str, Any]]] = {"raw": [], "rejects": []}
    rows_read = 0
    files = [str(path) for path in ([paths] if isinstance(paths, Path) else paths)]
    for name, found in read_files(files, fields, batch_size=3, max_row_bytes=limit):
        if isinstance(found, int):
            rows_read += found
        else:
            assert 0 < found.num_rows <= 3
            rows[name] += found.to_pylist()
    assert rows_read == len(rows["raw"]) + len(rows["rejects"])
    assert all(reject["reason"] in REJECT_REASONS for reject in rows["rejects"])
    return rows["raw"], rows["rejects"], rows_read


def written(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def compressed(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data)
    return zstandard.compress(data) if name.endswith(".zst") else data


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.json", "a.jsonl.gz", "a.JSON.zst"]
)
def test_json_lines_give_a_row_each_whatever_the_compression(
    tmp_path: Path, name: str
) -> None:
    data = b'{"id": "1", "text": "Rain"}\r\n\n  \n{"id": 2, "title": "Sun"}'
    raw, rejects, _ = read(written(tmp_path, name, compressed(name.lower(), data)))
    assert not rejects
    assert [(row["position"], row["id"]) for row in raw] == [(1, "1"), (4, "2")]
    assert raw[0]["text"] == "Rain"
    assert raw[0]["title"] is None
    assert raw[0]["file"].endswith(name)
    assert set(raw[0]) == set(RAW.names)


@pytest.mark.parametrize(
    ("data", "positions"),
    [
        (b'[{"id": "a"}, {"id": "b"},\n 3]', [1, 2]),
        (b'{\n  "id": "a",\n  "text": "x"\n}\n', [1]),
        (b'{ "id": "a",\n  "text": "x"\n}\n', [1]),
        (b'{"id": "a", "text": "x", "tags": [{"name": "x"}]}', [1]),
        (b"\xef\xbb\xbf[]", []),
        (b"", []),
        (b"\n \n", []),
        (b"5", []),
    ],
)
def test_json_file_may_be_an_array_or_one_object(
    tmp_path: Path, data: bytes, positions: list[int]
) -> None:
    raw, rejects, rows_read = read(written(tmp_path, "a.json", data))
    assert [row["position"] for row in raw] == positions
    assert [reject["reason"] for reject in rejects] == ["wrong_type"] * (
        rows_read - len(raw)
    )


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("around", [{}, {"status": "ok", "total": 2, "errors": []}])
def test_json_object_that_holds_one_array_of_objects_stands_for_it(
    tmp_path: Path, around: dict[str, Any], indent: int | None
) -> None:
    value = {**around, "articles": [{"id": "a", "source": {"name": "Post"}}, {"id": "b"}]}
    raw, rejects, _ = read(written(tmp_path, "a.json", json.dumps(value, indent=indent)))
    assert not rejects
    assert [(row["id"], row["position"]) for row in raw] == [("a", 1), ("b", 2)]
    assert raw[0]["source"] == "Post"


def test_json_object_of_an_empty_array_holds_no_row(tmp_path: Path) -> None:
    assert read(written(tmp_path, "a.json", '{"articles": []}')) == ([], [], 0)


@pytest.mark.parametrize(
    "value",
    [
        {"articles": [{"id": "a"}], "others": [{"id": "b"}]},
        {"a": {"text": "x"}, "b": {"text": "y"}},
        {"articles": ["a", "b"]},
        {"headline": "Rain", "pictures": []},
    ],
)
def test_json_object_of_which_nobody_knows_what_it_is_is_rejected_with_its_names(
    tmp_path: Path, value: dict[str, object]
) -> None:
    _, (reject,), _ = read(written(tmp_path, "a.json", json.dumps(value)))
    assert reject["reason"] == "no_text"
    assert reject["detail"].endswith(", ".join(value))


def test_json_lines_in_a_json_file_lose_only_the_broken_line(tmp_path: Path) -> None:
    data = '{"id": "a", "text": "cut off\n{"id": "b"}\n{"id": "c"}\n'
    raw, (reject,), _ = read(written(tmp_path, "a.json", data))
    assert [row["id"] for row in raw] == ["b", "c"]
    assert (reject["reason"], reject["position"]) == ("broken_json", 1)


def test_long_json_of_one_line_is_read(tmp_path: Path) -> None:
    rows = [{"id": str(number), "text": "Rain. " * 100} for number in range(500)]
    raw, _, _ = read(written(tmp_path, "a.json", json.dumps({"articles": rows})))
    assert [row["id"] for row in raw] == [row["id"] for row in rows]


def test_row_without_content_is_rejected_with_the_names_it_has(tmp_path: Path) -> None:
    row = {"id": "a", "text": None, "headline": "Rain", "body": "It rains."}
    path = written(tmp_path, "a.jsonl", json.dumps(row))
    _, (reject,), _ = read(path)
    assert (reject["reason"], reject["article_id"]) == ("no_text", "a")
    assert reject["detail"] == (
        "neither text nor title; --field maps other names, got headline, body"
    )
    assert read(path, text="body")[0][0]["text"] == "It rains."
    pq.write_table(pa.table({"body": ["x", "y"]}), tmp_path / "a.parquet")
    _, rejects, _ = read(tmp_path / "a.parquet")
    assert [reject["detail"][-8:] for reject in rejects] == ["got body"] * 2


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"id": "a"', "broken_json", "unexpected end of data at character 11 of 10"),
        (b'{"id": "a"} {"id": "b"}', "broken_json", "unexpected content"),
        (b"[" * 5_000, "broken_json", "depth limit exceeded"),
        (b'["a"]', "wrong_type", "a row must be an object, got a list"),
        (b"null", "wrong_type", "a row must be an object, got null"),
        (b'{"id": "a", "text": ["x"]}', "wrong_type", "text must be text, got a list"),
        (b'{"id": "a", "text": 3}', "wrong_type", "text must be text, got 3"),
        (b'{"id": "a", "source": {"id": "x"}}', "wrong_type", "got an object"),
        (b'{"id": "a", "url": true}', "wrong_type", "got true or false"),
        (b'{"id": 1.5}', "wrong_type", "id must be text or a whole number, got 1.5"),
        (
            b'{"id": "a", "published_at": {}}',
            "wrong_type",
            "text or a number, got an object",
        ),
        (b'{"id": "a", "text": "\x81\x8d\x8f\x9d\x01\x02\x03"}', "undecodable", "encoding"),
        (b'{"id": "a", "text": "' + b"x" * LIMIT + b'"}', "too_long", "10,023 bytes"),
    ],
)
def test_bad_line_is_rejected_and_the_next_is_read(
    tmp_path: Path, line: bytes, reason: str, detail: str
) -> None:
    raw, (reject,), _ = read(written(tmp_path, "a.jsonl", line + b'\n{"id": "next"}\n'))
    assert (reject["reason"], reject["position"]) == (reason, 1)
    assert detail in reject["detail"]
    assert [(row["id"], row["position"]) for row in raw] == [("next", 2)]


def test_reject_names_the_article_where_its_id_could_be_read(tmp_path: Path) -> None:
    _, (reject,), _ = read(written(tmp_path, "a.jsonl", '{"text": 1, "id": 77}'))
    assert reject["article_id"] == "77"


def test_reject_quotes_little_of_the_input(tmp_path: Path) -> None:
    values = ["z" * 500, ["z" * 500], {"z" * 500: 1}, 10**15]
    data = "\n".join(json.dumps({"title": value, "url": ["z"]}) for value in values)
    _, rejects, _ = read(written(tmp_path, "a.jsonl", f"{data}\n{'z' * 500}"))
    assert len(rejects) == 5
    assert all(len(reject["detail"]) < 120 for reject in rejects)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1747407840, "1747407840"), (1747407840.5, "1747407840.5"), ("Friday", "Friday")],
)
def test_time_may_be_a_number(tmp_path: Path, value: object, text: str) -> None:
    (row,), _, _ = read(written(tmp_path, "a.jsonl", json.dumps({"published_at": value})))
    assert row["published_at"] == text


def test_fields_are_found_under_other_names(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"body": "Rain", "text": 5, "lang": "en"}')
    (row,), _, _ = read(path, text="body", language="lang")
    assert (row["text"], row["language"]) == ("Rain", "en")


def test_unknown_field_is_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"one of id, url, .*, got headline in headline=h1"
    ):
        checked_fields({"headline": "h1"})
    with pytest.raises(ValueError, match="got headline"):
        ReadArticles(files=[], fields={"headline": "h1"})


def test_half_surrogates_are_dropped_and_nan_is_null(tmp_path: Path) -> None:
    data = b'{"text": "a\\ud83d b", "title": NaN}\n{"text": "a\\ud83d\\ude00 b"}\n'
    data += b'{"id": 1e999, "text": "a", "views": 1e99}'
    (half, whole, large), _, _ = read(written(tmp_path, "a.jsonl", data))
    assert (half["text"], half["title"], half["repaired"]) == ("a b", None, True)
    assert (whole["text"], whole["repaired"]) == ("a\U0001f600 b", False)
    assert (large["id"], large["text"]) == (None, "a")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("El señor Muñoz cerró la estación, según la policía de Logroño.", "cp1252"),
        ("“We’ll rebuild the café – all of it”, said the owner.", "cp1252"),
        ("Мост через реку закрыли в пятницу утром, сообщила администрация.", "cp1251"),
        ("Wójt: most będzie otwarty. Zażółć gęślą jaźń, mówią mieszkańcy.", "cp1250"),
        ("橋は金曜日の朝に閉鎖されたと市が発表した。住民は避難した。", "cp932"),
        ("The bridge – closed", "utf-16"),
        ("The bridge was closed", "utf-16-le"),
        ("Die Brücke", "utf-16-be"),
        ("Die Brücke", "utf-32"),
    ],
)
def test_other_encodings_are_read_and_noted(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (row,), _, _ = read(written(tmp_path, "a.txt", text.encode(encoding)))
    assert (row["text"], row["repaired"]) == (text, True)
    line = json.dumps({"id": "a", "text": text}, ensure_ascii=False) + "\n"
    rows, _, _ = read(written(tmp_path, "a.jsonl", (line * 2).encode(encoding)))
    assert [(row["text"], row["repaired"]) for row in rows] == [(text, True)] * 2


def test_utf_8_with_a_foreign_byte_keeps_its_other_letters() -> None:
    data = "Zażółć gęślą jaźń".encode() + b" \x93quoted\x94"
    assert decoded(data) == "Zażółć gęślą jaźń “quoted”"


def test_byte_order_mark_of_utf_8_is_no_repair(tmp_path: Path) -> None:
    (row,), _, _ = read(written(tmp_path, "a.txt", b"\xef\xbb\xbfRain"))
    assert (row["text"], row["repaired"]) == ("Rain", False)
    (row,), _, _ = read(written(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"text": "Rain"}'))
    assert (row["text"], row["repaired"]) == ("Rain", False)


def test_page_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    page = '<html><meta charset="iso-8859-2"><p>Źródło</p></html>'
    (row,), _, _ = read(written(tmp_path, "a.html", page.encode("iso-8859-2")))
    assert (row["html"], row["text"], row["repaired"]) == (page, None, True)
    lying = '<html><meta charset="no-such"><p>Café</p></html>'
    (row,), _, _ = read(written(tmp_path, "a.htm", lying.encode("cp1252")))
    assert row["html"] == lying


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n" + b"\0\x01" * 90]
)
def test_binary_file_is_undecodable(tmp_path: Path, data: bytes) -> None:
    raw, (reject,), _ = read(written(tmp_path, "a.txt", data))
    assert (raw, reject["reason"]) == ([], "undecodable")


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.json", "a.jsonl", "a.jsonl.gz"])
def test_packed_file_whose_name_does_not_say_so_is_one_reject(
    tmp_path: Path, name: str
) -> None:
    lines = gzip.compress(b'{"id": "a"}\n' * 9)
    data = compressed(name, lines)
    with zipfile.ZipFile(tmp_path / "zipped.txt", "w") as archive:
        archive.writestr("a.txt", "Rain")
    _, rejects, _ = read([written(tmp_path, name, data), tmp_path / "zipped.txt"])
    assert [reject["detail"] for reject in rejects] == [
        f"OSError: the file holds {kind} data, which its name does not say"
        for kind in ("gzip", "zip")
    ]


def test_file_of_one_article_above_the_limit_is_rejected(tmp_path: Path) -> None:
    _, rejects, _ = read(
        [written(tmp_path, name, b"x" * (LIMIT + 1)) for name in ("a.txt", "b.html")]
    )
    assert [reject["reason"] for reject in rejects] == ["too_long"] * 2


def test_endless_line_is_not_held() -> None:
    held = lines((b"x" * 1_000_000 for _ in range(100)), max_bytes=1_000)
    assert list(held) == [(1, b"", 100_000_000)]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)), st.integers(1, 20))
def test_lines_do_not_depend_on_the_chunks(
    data: bytes, cuts: list[int], limit: int
) -> None:
    bounds = [0, *sorted(cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(bounds)]
    expected = [
        (number, line if len(line) <= limit else b"", len(line))
        for number, line in enumerate(data.split(b"\n"), 1)
    ]
    if not expected[-1][2]:
        expected.pop()
    assert list(lines(chunks, limit)) == expected


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_rows_before_a_break_are_kept(tmp_path: Path, name: str, share: float) -> None:
    """Half of what a chunk of 64 KiB loses at a break would be hundreds of rows."""
    hexes = (f"{zlib.crc32(str(number).encode()):x}" for number in range(40_000))
    data = "".join(f'{{"id": "{hex_id}"}}\n' for hex_id in hexes).encode()
    packed = compressed(name, data)
    cut = packed[: int(share * len(packed))]
    if name.endswith(".gz"):
        rest = zlib.decompressobj(31).decompress(cut)
    else:
        rest = zstandard.ZstdDecompressor().decompressobj().decompress(cut)
    raw, (reject,), _ = read(written(tmp_path, name, cut))
    assert len(raw) == rest.count(b"\n")
    assert (reject["reason"], reject["position"]) == ("truncated", len(raw) + 1)


def test_several_streams_in_one_file_are_read_to_the_end(tmp_path: Path) -> None:
    line = b'{"id": "a"}\n'
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        raw, _, _ = read(written(tmp_path, name, compressed(name, line) * 3))
        assert len(raw) == 3


def test_unreadable_file_costs_one_reject_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    paths = [
        tmp_path / "vanished.jsonl",
        tmp_path / "dangling.txt",
        tmp_path / "folder.txt",
        written(tmp_path, "no.parquet", "not parquet at all"),
        written(tmp_path, "no.jsonl.gz", "not gzip at all, though it says so"),
        written(tmp_path, "yes.txt", "Rain"),
    ]
    raw, rejects, rows_read = read(paths)
    assert [row["text"] for row in raw] == ["Rain"]
    assert [reject["reason"] for reject in rejects] == ["unreadable_file"] * 5
    assert rows_read == 6


def test_parquet_columns_become_texts(tmp_path: Path) -> None:
    times = pa.array([0, 1_747_407_840_000_000_123, None])
    table = pa.table(
        {
            "id": pa.array([1.0, 2.0, float("nan")]),
            "published_at": times.cast(pa.timestamp("ns", "America/New_York")),
            "title": pa.array(["a", "b", "a"]).dictionary_encode(),
            "text": pa.array([b"Rain", "Größe".encode("cp1252"), None]),
            "views": pa.array([1, 2, 3]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    raw, rejects, _ = read(tmp_path / "a.parquet")
    assert not rejects
    assert [row["id"] for row in raw] == ["1", "2", None]
    assert raw[0]["published_at"] == "1970-01-01 00:00:00.000000000Z"
    assert raw[1]["published_at"] == "2025-05-16 15:04:00.000000123Z"
    assert [row["title"] for row in raw] == ["a", "b", "a"]
    assert [(row["text"], row["repaired"]) for row in raw] == [
        ("Rain", False),
        ("Größe", True),
        (None, False),
    ]
    assert [row["position"] for row in raw] == [1, 2, 3]


def test_parquet_ids_may_be_decimals_or_uuids(tmp_path: Path) -> None:
    number = pa.array([Decimal(12), None, Decimal(10**20)], pa.decimal128(38, 0))
    names = pa.array([bytes(16), None, bytes(range(16))], pa.uuid())
    for name, ids in (("a.parquet", number), ("b.parquet", names)):
        pq.write_table(pa.table({"id": ids, "text": ["x"] * 3}), tmp_path / name)
    raw, rejects, _ = read([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert not rejects
    assert [row["id"] for row in raw] == [
        *("12", None, "100000000000000000000"),
        *("00000000-0000-0000-0000-000000000000", None),
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
    ]


def test_parquet_file_with_a_column_twice_is_rejected(tmp_path: Path) -> None:
    columns = [pa.array(["x"]), pa.array(["y"])]
    pq.write_table(pa.table(columns, ["text", "text"]), tmp_path / "a.parquet")
    raw, (reject,), _ = read(tmp_path / "a.parquet")
    assert (raw, reject["reason"]) == ([], "unreadable_file")
    assert reject["detail"] == "a column must stand once, got text several times"


def test_parquet_column_of_the_wrong_type_rejects_its_rows(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "text": pa.array([["x"], None])})
    pq.write_table(table, tmp_path / "a.parquet")
    raw, (reject,), _ = read(tmp_path / "a.parquet")
    assert [row["id"] for row in raw] == ["b"]
    assert (reject["reason"], reject["article_id"]) == ("wrong_type", "a")
    assert "text must be text, got list<" in reject["detail"]


def test_transform_reads_what_the_function_reads(
    tmp_path: Path, apply: Callable[..., dict[str, list[Any]]]
) -> None:
    for number in range(7):
        written(tmp_path, f"{number}.txt", f"Rain on day {number}")
    written(tmp_path, "many.jsonl", '{"id": "a"}\nbroken\n{"id": "b"}')
    written(tmp_path, os.fsdecode(b"caf\xe9.txt"), "Rain at the café")
    (tmp_path / "dangling.txt").symlink_to("nowhere")
    files = matched_files([str(tmp_path)])
    outputs = apply(ReadArticles(files=files, batch_size=5))
    raw = [row for batch in outputs["raw"] for row in batch.to_pylist()]
    rejects = [row for batch in outputs["rejects"] for row in batch.to_pylist()]
    expected, expected_rejects, rows_read = read([Path(file) for file in files])
    by_place = sorted(raw, key=lambda row: (row["file"], row["position"]))
    assert by_place == sorted(expected, key=lambda row: (row["file"], row["position"]))
    assert rejects == expected_rejects
    assert sum(outputs["rows_read"]) == rows_read == 12
    assert max(batch.num_rows for batch in outputs["raw"]) == 5


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_of_no_bytes_is_a_truncated_one(
    suffix: str, tmp_path: Path
) -> None:
    path = written(tmp_path, f"in.jsonl.{suffix}", b"")
    raw, (reject,), rows_read = read(path)
    assert (raw, reject["reason"], rows_read) == ([], "truncated", 1)


def test_parquet_text_that_is_no_utf_8_is_mended_where_it_stands(tmp_path: Path) -> None:
    latin = pa.array(["Größe".encode("cp1252"), "Größe".encode()]).view(pa.string())
    table = pa.table({"text": latin, "title": pa.array(["a", "b"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "a.parquet")
    raw, rejects, _ = read(tmp_path / "a.parquet")
    assert not rejects
    assert [(row["text"], row["repaired"]) for row in raw] == [
        ("Größe", True),
        ("Größe", False),
    ]
    assert [row["title"] for row in raw] == ["a", "b"]


def test_a_row_is_too_long_by_one_field_and_not_by_all_together(tmp_path: Path) -> None:
    row = {"id": "a", "title": "x" * 9, "text": "y" * 9}
    rows = [row, row | {"text": "y" * 11}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    raw, (reject,), _ = read(tmp_path / "a.parquet", limit=10)
    assert [found["text"] for found in raw] == ["y" * 9]
    assert (reject["reason"], reject["position"]) == ("too_long", 2)
