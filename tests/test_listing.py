import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.listing import (
    file_format,
    file_groups,
    file_identities,
    file_sizes,
    is_folder,
    matched_files,
)


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder in the working folder, named "in"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize("pattern", ["in/*", "in", "in/**", "in/gone.txt", "*/*.txt"])
def test_link_that_leads_nowhere_is_found(folder: Path, pattern: str) -> None:
    (folder / "gone.txt").symlink_to("nowhere")
    assert matched_files([pattern]) == ["in/gone.txt"]
    (folder / "loop.txt").symlink_to("loop.txt")
    both = ["in/gone.txt", "in/loop.txt"]
    assert matched_files([pattern, "in/loop.txt"]) == both
    assert file_sizes(both) == dict.fromkeys(both, 0)
    assert list(file_identities(both).values()) == ["gone.txt", "loop.txt"]


def test_folder_that_cannot_be_listed_is_found_below_the_pattern_and_refused_as_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.txt").touch()
    (folder / "locked").mkdir()
    (folder / "locked" / "b.txt").touch()
    scandir, listdir = os.scandir, os.listdir

    def refuse(path: str) -> None:
        # The tests may run as a user who may read anything.
        if str(path).rstrip("/").endswith("locked"):
            raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path) or scandir(path))
    monkeypatch.setattr(os, "listdir", lambda path: refuse(path) or listdir(path))
    for pattern in ("in", "in/**", "in/**/*.txt"):
        assert matched_files([pattern]) == ["in/a.txt", "in/locked/"]
    assert is_folder("in/locked/")
    for pattern in ("in/locked", "in/locked/*", "in/*/*.txt"):
        with pytest.raises(ValueError, match=r"must be listed, got .*Permission denied"):
            matched_files([pattern])


def test_link_to_a_folder_is_followed_as_far_as_the_pattern_goes(folder: Path) -> None:
    (folder / "day").mkdir()
    (folder / "day" / "a.txt").touch()
    (folder / "latest").symlink_to("day")
    (folder / "day" / "up").symlink_to("..")
    assert matched_files(["in/latest"]) == ["in/latest/a.txt", "in/latest/up/"]
    assert matched_files(["in/*/*.txt"]) == ["in/day/a.txt", "in/latest/a.txt"]
    assert matched_files(["in"]) == ["in/day/a.txt", "in/day/up/", "in/latest/"]


def test_glob_matches_folders_with_a_slash_at_its_end(folder: Path) -> None:
    for name in ("day=1", "day=2", "other"):
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "deep" / "a.txt").touch()
        (folder / name / "notes.md").touch()
    assert matched_files(["in/day=*/"]) == ["in/day=1/deep/a.txt", "in/day=2/deep/a.txt"]
    with pytest.raises(
        ValueError, match=r"got in/d\*, which matches folders: end it with /"
    ):
        matched_files(["in/d*"])


def test_two_stars_stand_for_any_number_of_folders(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("0.txt", "a/1.txt", "a/b/2.txt"):
        (folder / name).touch()
    assert matched_files(["in/**/*.txt"]) == ["in/0.txt", "in/a/1.txt", "in/a/b/2.txt"]
    assert matched_files(["in/**"]) == matched_files(["in/**/*.txt"])
    assert matched_files(["**/1.txt"]) == ["in/a/1.txt"]


def test_identity_is_of_name_and_content_not_of_the_folder(folder: Path) -> None:
    one, two = folder / "a" / "x.txt", folder / "b" / "x.txt"
    for path in (one, two):
        path.parent.mkdir()
        path.write_text("Rain")
    (folder / "y.txt").write_text("Rain")
    same = file_identities([str(one), str(two), "in/y.txt"])
    assert same[str(one)] == same[str(two)] != same["in/y.txt"]
    assert file_identities(["in/a/x.txt"])["in/a/x.txt"] == same[str(one)]
    two.write_text("Hail")
    assert file_identities([str(two)])[str(two)] != same[str(one)]


def test_pipe_is_not_read_for_its_identity(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jsonl")
    assert file_identities(["in/pipe.jsonl"]) == {"in/pipe.jsonl": "pipe.jsonl"}
