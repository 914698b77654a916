import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterable
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
from transforms.reading import (
    ReadArticles,
    checked_fields,
    file_format,
    file_groups,
    matched_files,
    read_files,
)

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
        (b"\xef\xbb\xbf[]", []),
        (b"", []),
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
        (b'{"id": "a", "source": {"name": "x"}}', "wrong_type", "got an object"),
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
    data = b'{"text": "a\\ud83d b", "title": NaN}\n{"text": "a\\ud83d\\ude00 b"}'
    (half, whole), _, _ = read(written(tmp_path, "a.jsonl", data))
    assert (half["text"], half["title"], half["repaired"]) == ("a b", None, True)
    assert (whole["text"], whole["repaired"]) == ("a\U0001f600 b", False)


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
    paths = [
        tmp_path / "vanished.jsonl",
        tmp_path / "folder.txt",
        written(tmp_path, "no.parquet", "not parquet at all"),
        written(tmp_path, "no.jsonl.gz", "not gzip at all, though it says so"),
        written(tmp_path, "yes.txt", "Rain"),
    ]
    raw, rejects, rows_read = read(paths)
    assert [row["text"] for row in raw] == ["Rain"]
    assert [reject["reason"] for reject in rejects] == ["unreadable_file"] * 4
    assert rows_read == 5


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


def test_parquet_column_of_the_wrong_type_rejects_its_rows(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "text": pa.array([["x"], None])})
    pq.write_table(table, tmp_path / "a.parquet")
    raw, (reject,), _ = read(tmp_path / "a.parquet")
    assert [row["id"] for row in raw] == ["b"]
    assert (reject["reason"], reject["article_id"]) == ("wrong_type", "a")
    assert "text must be text, got list<" in reject["detail"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.jsonl", ("lines", None)),
        ("gs://b/c.JSON.GZ", ("json", "gzip")),
        ("x.txt.zst", ("text", "zstd")),
        ("x.htm", ("html", None)),
        ("x.parquet", ("parquet", None)),
    ],
)
def test_name_tells_the_format(path: str, expected: tuple[str, str | None]) -> None:
    assert file_format(path) == expected


@pytest.mark.parametrize(
    "path", ["a.csv", "a", "a.gz", "a.parquet.gz", "jsonl", "a/.txt/b"]
)
def test_unknown_format_is_an_error_that_names_the_known(path: str) -> None:
    with pytest.raises(ValueError, match=rf"one of \.jsonl, .*\.parquet.* got {path}"):
        file_format(path)


def test_patterns_give_sorted_distinct_files_relative_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "in/b.txt",
        "in/a.jsonl",
        "in/deep/c.parquet",
        "in/.hidden/d.txt",
        "in/[e].txt",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("in/notes.md").touch()
    Path("in/.swap.txt").touch()
    everything = ["in/[e].txt", "in/a.jsonl", "in/b.txt", "in/deep/c.parquet"]
    assert matched_files(["in"]) == everything
    assert matched_files(["./in/", "in//b.txt"]) == everything
    assert matched_files(["in/*.txt"]) == ["in/[e].txt", "in/b.txt"]
    assert matched_files(["in/[e].txt"]) == ["in/[e].txt"]
    assert matched_files([f"{tmp_path}/in/deep/*"]) == [f"{tmp_path}/in/deep/c.parquet"]
    with pytest.raises(ValueError, match=r"must be one of .*, got in/notes.md"):
        matched_files(["in/*"])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("nothing*", "input must match a file, got nothing*"),
        ("nothing.txt", "input must match a file, got nothing.txt"),
        ("", "input must name a file, a folder or a glob"),
        ("empty", "input must match a file of a known format"),
        ("foo://bar/*", "foo://bar"),
    ],
)
def test_pattern_that_matches_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        matched_files([pattern])
    assert message in str(raised.value)


@given(
    st.dictionaries(st.text("ab", max_size=4), st.integers(0, 9)),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_groups_hold_every_file_once_and_stay_small(
    sizes: dict[str, int], group_bytes: int, group_files: int
) -> None:
    groups = file_groups(sizes, group_bytes=group_bytes, group_files=group_files)
    assert [file for group in groups for file in group] == sorted(sizes)
    for group in groups:
        assert 0 < len(group) <= group_files
        assert len(group) == 1 or sum(sizes[file] for file in group) <= group_bytes


def test_transform_reads_what_the_function_reads(
    tmp_path: Path, apply: Callable[..., dict[str, list[Any]]]
) -> None:
    for number in range(7):
        written(tmp_path, f"{number}.txt", f"Rain on day {number}")
    written(tmp_path, "many.jsonl", '{"id": "a"}\nbroken\n{"id": "b"}')
    files = matched_files([str(tmp_path)])
    outputs = apply(ReadArticles(files=files, batch_size=5))
    raw = [row for batch in outputs["raw"] for row in batch.to_pylist()]
    rejects = [row for batch in outputs["rejects"] for row in batch.to_pylist()]
    expected, expected_rejects, rows_read = read([Path(file) for file in files])
    by_place = sorted(raw, key=lambda row: (row["file"], row["position"]))
    assert by_place == sorted(expected, key=lambda row: (row["file"], row["position"]))
    assert rejects == expected_rejects
    assert sum(outputs["rows_read"]) == rows_read == 10
    assert max(batch.num_rows for batch in outputs["raw"]) == 5


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_of_no_bytes_is_a_truncated_one(suffix, tmp_path):
    path = tmp_path / f"in.jsonl.{suffix}"
    path.write_bytes(b"")
    found = list(read_files([str(path)], {}, batch_size=10, max_row_bytes=1_000))
    (rejects,) = [rows for name, rows in found if name == "rejects"]
    assert rejects.column("reason").to_pylist() == ["truncated"]
    assert sum(rows for name, rows in found if name == "rows_read") == 1
