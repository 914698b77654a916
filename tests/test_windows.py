"""Files of a stream's windows: named, written once, counted when whole, read again."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystems import FileSystems

from made_rows import rows
from schemas.article import RAW, RECEIVED, REJECT
from schemas.batch import column, concatenate
from schemas.match import MATCH
from schemas.past import LEARNT, STANDING, VECTORS
from schemas.story import ARTICLES, INDEX
from transforms import storage
from transforms.formats import Row, parquet_rows, raw_values
from transforms.parsing import parse_articles
from transforms.past import id_keys, read_part
from transforms.remembering import row_keys
from transforms.windows import (
    COUNTED,
    REMEMBERED,
    TABLES,
    Window,
    WriteWindows,
    placement_files,
    read_standings,
    read_windows,
    remove_unfinished,
    window_end,
    window_label,
    window_of,
    window_sequence,
    windows_written,
    write_window,
)

MONDAY = datetime.datetime(2026, 3, 2, 8, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def key(article_id):
    return int(id_keys(pa.array([article_id]))[0])


def standing(article_id, story_id=None, **others):
    story_id = story_id or article_id
    return {
        "article_key": key(article_id),
        "article_id": article_id,
        "group_key": key(article_id),
        "duplicate_group_id": article_id,
        "representative_key": key(article_id),
        "story_key": key(story_id),
        "story_id": story_id,
        "relation": "canonical",
        "content_key": 7,
    } | others


def made(ids, end, sequence, language="en", stories=None, **tables):
    """Make a window of articles, each a story unless another is named."""
    label = window_label(end, sequence)
    stories = stories or {}
    news = [{"article_id": i, "run_id": label, "text": f"Text of {i}."} for i in ids]
    prints = [
        {
            "article_key": key(i),
            "article_id": i,
            "language": "en",
            "text_key": key(i),
            "vector": [1.0, 0.0] if i.startswith("embedded") else None,
            "run_id": label,
        }
        for i in ids
    ]
    placed = [standing(i, stories.get(i)) for i in ids]
    placed += [standing(i, story) for i, story in stories.items() if i not in ids]
    given = {
        "raw": rows(RECEIVED, *({"id": i, "run_id": label} for i in ids)),
        "articles": rows(ARTICLES, *news),
        "index": rows(INDEX, *prints),
        "placements": rows(STANDING, *placed),
    }
    counts = dict.fromkeys((*COUNTED, *REMEMBERED), 0)
    return Window(language, label, given | tables, counts | {"placed": len(ids)})


def reject(file, position=1):
    return rows(REJECT, {"file": file, "position": position, "reason": "broken_json"})


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()
    )


def remembered(found):
    return set(found.past.articles.column("article_id").to_pylist())


def test_a_label_says_when_a_window_ended_and_its_number():
    elsewhere = MONDAY.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    label = window_label(elsewhere, 12)
    assert label == "20260302T080000Z-000012"
    stem = f"{label}-en-0123abcd"
    assert (window_sequence(label), window_sequence(stem)) == (12, 12)
    assert window_end(label) == window_end(stem) == MONDAY
    assert window_of(stem) == window_of(label) == label


def test_labels_sort_in_time():
    ends = [MONDAY + n * DAY for n in (-400, -1, 0, 1, 9, 400)]
    labels = [window_label(end, 9 - n) for n, end in enumerate(ends)]
    assert sorted(labels) == labels


def test_a_window_writes_what_has_rows_and_its_placements_last(tmp_path):
    window = made(["a", "b"], MONDAY, 1, rejects=rows(REJECT))
    names = write_window(window, str(tmp_path))
    assert files(tmp_path) == sorted(names)
    assert [name.split("/")[0] for name in names] == [
        "raw",
        "articles",
        "index",
        "placements",
    ]
    for name in names:
        table = name.split("/")[0]
        schema = pq.read_schema(tmp_path / name)
        assert (schema.names, schema.metadata) == (
            TABLES[table].names,
            TABLES[table].metadata,
        )
    placed = read_part(str(tmp_path / names[-1])).to_pylist()
    assert {row["run_id"] for row in placed} == {window.label}


def test_a_window_without_articles_counts_too(tmp_path):
    window = Window("en", window_label(MONDAY, 3), {"rejects": reject("s#1")}, {})
    names = write_window(window, str(tmp_path))
    assert [name.split("/")[0] for name in names] == ["rejects", "placements"]
    (stem,) = windows_written(str(tmp_path), "en")
    assert window_sequence(stem) == 3
    found = read_windows(str(tmp_path), "en", since="", least=0)
    assert found.past.articles.num_rows == found.past.standings.num_rows == 0
    assert found.refused.num_rows == 1


def test_writing_a_window_again_writes_nothing_new(tmp_path):
    window = made(["a"], MONDAY, 1, rejects=reject("s#1"))
    names = write_window(window, str(tmp_path))
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in names}
    contents = {name: (tmp_path / name).read_bytes() for name in names}
    assert write_window(window, str(tmp_path)) == names
    assert files(tmp_path) == sorted(names)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in names} == times
    assert {name: (tmp_path / name).read_bytes() for name in names} == contents


def test_a_window_of_other_articles_has_other_files(tmp_path):
    first = write_window(made(["a"], MONDAY, 1), str(tmp_path))
    second = write_window(made(["a", "b"], MONDAY, 1), str(tmp_path))
    third = write_window(made(["a"], MONDAY, 1, rejects=reject("s#1")), str(tmp_path))
    assert not set(first) & set(second)
    assert not set(first) & set(third)


def test_names_say_what_is_held_and_stay_the_same(tmp_path):
    """Names are stored: another name for the same window would make it count twice."""
    window = made(["a"], MONDAY, 1, rejects=reject("s#1"))
    names = write_window(window, str(tmp_path))
    assert names[-1] == "placements/20260302T080000Z-000001-en-2486308a.parquet"


def test_what_a_window_that_died_left_is_removed_and_does_not_count(tmp_path):
    output = str(tmp_path)
    whole = write_window(made(["a"], MONDAY, 1), output)
    other = write_window(made(["x"], MONDAY, 2, language="de"), output)
    died = write_window(made(["b"], MONDAY + DAY, 2), output)
    (tmp_path / died[-1]).unlink()
    (tmp_path / other[-1]).unlink()
    (tmp_path / "_parts" / "articles-20260303T080000Z-000002-en-00000000.parquet").touch()
    (tmp_path / "_parts" / "raw-20260303T080000Z-000002-de-00000000.parquet").touch()
    assert remembered(read_windows(output, "en", since="", least=0)) == {"a"}
    remove_unfinished(output, "en")
    kept = [*whole, *other[:-1], "_parts/raw-20260303T080000Z-000002-de-00000000.parquet"]
    assert files(tmp_path) == sorted(kept)
    remove_unfinished(output, "en")
    assert files(tmp_path) == sorted(kept)


def test_in_a_bucket_windows_are_written_read_and_removed_as_here(tmp_path, store):
    outputs = (str(tmp_path), "gs://news/live")
    for output in outputs:
        for number, ids in enumerate((["a"], ["b", "c"]), 1):
            write_window(made(ids, MONDAY + number * DAY, number), output)
        stem = windows_written(output, "en")[-1]
        storage.delete([storage.join(output, "placements", f"{stem}.parquet")])
        assert remembered(read_windows(output, "en", since="", least=9)) == {"a"}
        remove_unfinished(output, "en")
    here, there = (
        sorted(file.path.removeprefix(output) for file in storage.files(output))
        for output in outputs
    )
    assert here == there
    assert not [name for name in there if "_parts" in name]
    standings = [read_standings(placement_files(output)) for output in outputs]
    assert standings[0].equals(standings[1])


def test_what_is_no_file_of_ours_is_left_alone(tmp_path):
    write_window(made(["a"], MONDAY, 1), str(tmp_path))
    strange = tmp_path / "placements" / "notes-en-of-mine.parquet"
    strange.write_bytes(b"mine")
    remove_unfinished(str(tmp_path), "en")
    assert strange.read_bytes() == b"mine"
    assert len(placement_files(str(tmp_path))) == 1


def test_windows_are_in_the_order_of_their_numbers(tmp_path):
    """A late window has an earlier end and a later number."""
    output = str(tmp_path)
    write_window(made(["a"], MONDAY + DAY, 1), output)
    write_window(made(["b"], MONDAY, 2, stories={"a": "b"}), output)
    assert [window_sequence(stem) for stem in windows_written(output, "en")] == [1, 2]
    assert [Path(path).name.split("-")[1] for path in placement_files(output)] == [
        "000001",
        "000002",
    ]
    stand = {
        row["article_id"]: row["story_id"]
        for row in read_standings(placement_files(output)).to_pylist()
    }
    assert stand == {"a": "b", "b": "b"}
    past = read_windows(output, "en", since="", least=0).past
    assert set(past.standings.column("story_id").to_pylist()) == {"b"}


def test_a_stream_has_more_than_a_million_windows(tmp_path):
    """One that places every second has, in twelve days."""
    output = str(tmp_path)
    for number in (999_999, 1_000_000, 1_000_001):
        write_window(made([str(number)], MONDAY, number), output)
    stems = windows_written(output, "en")
    assert [window_sequence(stem) for stem in stems] == [999_999, 1_000_000, 1_000_001]


def test_standings_are_the_latest_and_ascending(tmp_path):
    output = str(tmp_path)
    write_window(made(["a", "b", "c"], MONDAY, 1), output)
    write_window(made(["d"], MONDAY + DAY, 2, stories={"b": "a"}), output)
    standings = read_standings(placement_files(output))
    assert column(standings, "article_key").tolist() == sorted(map(key, "abcd"))
    stand = {row["article_id"]: row["story_id"] for row in standings.to_pylist()}
    assert stand == {"a": "a", "b": "a", "c": "c", "d": "d"}


def test_a_folder_that_no_stream_wrote_to_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a stream must have written to .*, found no"):
        placement_files(str(tmp_path))


def test_languages_are_read_apart(tmp_path):
    output = str(tmp_path)
    write_window(made(["a"], MONDAY, 1), output)
    write_window(made(["x"], MONDAY, 1, language="und"), output)
    assert remembered(read_windows(output, "en", since="", least=9)) == {"a"}
    assert remembered(read_windows(output, "und", since="", least=9)) == {"x"}
    assert windows_written(output, "de") == []
    assert len(placement_files(output)) == 2


def test_what_is_read_again_is_what_was_written(tmp_path):
    output = str(tmp_path)
    match = {"question": "copy", "relation": "near_copy", "rule": "made", "run_id": "w"}
    ends = [{"article_id": "b", "matched_article_id": other} for other in ("a", "gone")]
    lines = [{"source_key": 9, "line_key": n, "run_id": f"w{n}"} for n in (1, 2)]
    first = made(["a", "embedded"], MONDAY, 1, recurring=rows(LEARNT, *lines))
    again = lines[0] | {"run_id": "w3"}
    late = {"article_key": key("a"), "vector": [0.0, 1.0], "run_id": "w2"}
    second = made(
        ["b"],
        MONDAY,
        2,
        stories={"b": "a"},
        matches=rows(
            MATCH,
            *(match | end | {"jaccard": 0.5, "containment": 0.75} for end in ends),
            {**match, **ends[0], "question": "story", "story_score": 0.5},
        ),
        rejects=reject("s#9", 4),
        recurring=rows(LEARNT, again),
        vectors=rows(VECTORS, late),
    )
    for window in (first, second):
        write_window(window, output)
    past, recurring, refused = read_windows(output, "en", since="", least=0)
    articles = {row["article_id"]: row for row in past.articles.to_pylist()}
    assert {i: row["text"] for i, row in articles.items()} == {
        i: f"Text of {i}." for i in ("a", "b", "embedded")
    }
    assert {row["content_key"] for row in articles.values()} == {7}
    assert articles["b"]["story_key"] == key("a")
    assert articles["b"]["run_id"] == second.label
    for name, vector in (("a", None), ("embedded", [1.0, 0.0])):
        assert articles[name]["vector"] == vector
    vectors = {row["article_key"]: row["vector"] for row in past.vectors.to_pylist()}
    assert vectors == {key("embedded"): [1.0, 0.0], key("a"): [0.0, 1.0]}
    pair = {key("a"), key("b")}
    for edges in (past.copy_edges, past.story_edges):
        ends = [column(edges, name).tolist() for name in ("article_key", "matched_key")]
        assert [set(pairs) for pairs in zip(*ends, strict=True)] == [pair]
    assert recurring.to_pylist() == [again, lines[1]]
    where = pa.RecordBatch.from_pylist([{"file": "s#9", "position": 4}])
    assert refused.to_pylist() == [
        {"row_key": int(row_keys(where)[0]), "run_id": second.label}
    ]


def test_articles_are_read_in_the_order_in_which_they_came(tmp_path):
    output = str(tmp_path)
    write_window(made(["b", "c", "a"], MONDAY + DAY, 1), output)
    write_window(made(["late"], MONDAY, 2), output)
    past = read_windows(output, "en", since="", least=0).past
    found = column(past.articles, "article_key").tolist()
    assert found == [*sorted(map(key, "abc")), key("late")]


def test_only_what_is_new_or_needed_is_read(tmp_path):
    output = str(tmp_path)
    for number in range(1, 7):
        write_window(
            made([f"{number}", f"{number}'"], MONDAY + number * DAY, number), output
        )

    def read(days, least):
        since = window_label(MONDAY + days * DAY, 0)
        found = remembered(read_windows(output, "en", since=since, least=least))
        return sorted({article_id[0] for article_id in found})

    assert read(5, 0) == ["5", "6"]
    assert read(5, 4) == ["5", "6"]
    assert read(5, 5) == ["4", "5", "6"]
    assert read(9, 3) == ["5", "6"]
    assert read(0, 0) == list("123456")
    assert read(9, 99) == list("123456")


def test_a_late_window_hides_none_of_those_before_it(tmp_path):
    output = str(tmp_path)
    write_window(made(["old"], MONDAY - 9 * DAY, 1), output)
    write_window(made(["a"], MONDAY, 2), output)
    write_window(made(["late"], MONDAY - 8 * DAY, 3, stories={"a": "late"}), output)
    write_window(made(["b"], MONDAY + DAY, 4), output)
    since = window_label(MONDAY - DAY, 0)
    past = read_windows(output, "en", since=since, least=1).past
    ids = set(past.articles.column("article_id").to_pylist())
    assert ids == {"a", "late", "b"}
    stories = {row["article_id"]: row["story_id"] for row in past.standings.to_pylist()}
    assert stories["a"] == "late"


ODD = [
    {"id": " 7 ", "title": "A title, twice  spaced", "text": "Line one.\n\n  Line two. "},
    {"id": "8", "title": None, "text": "A text alone\r\nof two lines"},
    {"id": "9", "title": "A headline alone", "text": None},
    {"id": None, "url": "https://s.example/a?utm_source=x&id=4", "text": "From a url."},
    {"id": None, "title": "Neither id nor url", "text": "Its id is of its content."},
    {"id": "10", "html": "<h1>Of a page</h1><p>A paragraph of it, quite long.</p>"},
    {"id": "11", "text": "A Title\n\nWith a text below it.", "source": " The Sound "},
    {"id": "12#2", "text": "cafe\u0301 \ufeffone\u00a0two\u2028three", "language": "fr"},
    {"id": "13", "text": "Dated in words.", "published_at": "12 May 2026 06:30 BST"},
    {"id": "14", "text": "Dated by no calendar.", "published_at": "the 40th of May"},
]


def test_a_run_over_what_came_sees_the_articles_that_the_stream_saw(tmp_path):
    latest = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
    repaired = {"file": "p/s#1", "repaired": False}
    raw = rows(RAW, *(row | repaired | {"position": n} for n, row in enumerate(ODD, 1)))
    came, _ = parse_articles(raw, latest=latest)
    assert came.num_rows == len(ODD)
    given = dict(zip(came.schema.names, came.columns, strict=True)) | {
        "id": came.column("article_id"),
        "run_id": pa.repeat("w", came.num_rows),
    }
    received = pa.RecordBatch.from_arrays(
        [given[name] for name in RECEIVED.names], schema=RECEIVED
    )
    window = made([], MONDAY, 1, raw=received)
    name = write_window(window, str(tmp_path))[0]
    found = []
    for row in parquet_rows(str(tmp_path / name), {}, 100):
        assert isinstance(row, Row)
        values, mended = raw_values(row, {}, 1 << 20)
        assert not mended
        found.append({**values, **repaired, "file": name, "position": row.position})
    again, rejects = parse_articles(rows(RAW, *found), latest=latest)
    assert rejects.num_rows == 0
    same = [name for name in came.schema.names if name not in ("file", "position", "notes")]
    assert again.select(same) == came.select(same)


def test_the_transform_writes_what_the_function_writes(apply, tmp_path):
    window = made(["a", "b"], MONDAY, 1)
    names = apply(WriteWindows(str(tmp_path / "one")), [window])
    assert sorted(names) == sorted(write_window(window, str(tmp_path / "other")))
    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_no_file_is_written_where_somebody_may_read_half_of_it(tmp_path, monkeypatch):
    """Parts wait elsewhere, so that an attempt that dies leaves no file that breaks off."""

    def dies(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(FileSystems, "rename", staticmethod(dies))
    with pytest.raises(OSError, match="disk is full"):
        write_window(made(["a"], MONDAY, 1), str(tmp_path))
    monkeypatch.undo()
    assert all(name.startswith("_parts/") for name in files(tmp_path))
    names = write_window(made(["a"], MONDAY, 1), str(tmp_path))
    assert concatenate([read_part(str(tmp_path / names[0]))], RECEIVED).num_rows == 1
