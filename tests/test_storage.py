"""Files of this machine and objects of a bucket, asked in the same words."""

import gzip
import json
import re
import socket
from pathlib import Path

import google.auth
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.auth.exceptions import DefaultCredentialsError

from transforms import buckets, storage
from transforms.listing import file_identities, file_sizes, matched_files

# Slashes, marks of a glob and of an address, and letters of other scripts.
NAMES = [
    *("a.txt", "day=1/b 100%.txt", "day=1/c%2Fd.txt", "é/日本 #1?x=y&z.txt"),
    *("plus+and;[1]*.txt", "deep/er/still/e.txt"),
]


@pytest.fixture(params=["disk", "bucket", "whole bucket"])
def folder(request, store, tmp_path):
    """An empty folder of this machine, or in a bucket, or a bucket."""
    places = {"disk": tmp_path, "bucket": "gs://news/a folder", "whole bucket": "gs://news"}
    return str(places[request.param])


def test_what_is_written_is_read_listed_and_deleted_under_any_name(folder):
    for number, name in enumerate(NAMES):
        storage.write(storage.join(folder, name), name.encode() * number)
    paths = [storage.join(folder, name) for name in NAMES]
    found = {file.path: file.size for file in storage.files(folder)}
    sizes = [len(name.encode()) * number for number, name in enumerate(NAMES)]
    assert found == dict(zip(paths, sizes, strict=True))
    for number, (name, path) in enumerate(zip(NAMES, paths, strict=True)):
        assert storage.content_of(path) == name.encode() * number
        assert storage.content_of(path, 2, 3) == (name.encode() * number)[2:5]
    assert storage.existing([*paths, f"{paths[0]}x"]) == set(paths)
    storage.delete([*paths[:2], f"{paths[0]}x"])
    assert {file.path for file in storage.files(folder)} == set(paths[2:])
    storage.delete_folder(storage.join(folder, "é"))
    assert {file.path for file in storage.files(folder)} == {paths[2], *paths[4:]}


@pytest.mark.parametrize(
    "start", ["gs://news", "gs://news/", "gs://news/in", "gs://news/in/"]
)
def test_a_bucket_is_a_folder_with_and_without_a_slash(start, store):
    inside = "" if "in" not in start.removeprefix("gs://news") else "in/"
    for name in ("", "a.txt", "day=1/b.jsonl", ".hidden/c.txt"):
        # The first one is how a console shows a folder.
        storage.write(f"gs://news/{inside or 'x/'}{name}", b"x")
    storage.write("gs://news/other.csv", b"x")
    found = [path.removeprefix("gs://news/") for path in matched_files([start])]
    assert found == [f"{inside or 'x/'}a.txt", f"{inside or 'x/'}day=1/b.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("gs://news/*/a.txt", ["1/a.txt", "2/a.txt"]),
        ("gs://news/**/a.txt", ["1/a.txt", "2/a.txt", "2/deep/a.txt", "a.txt"]),
        ("gs://news/2/*", ["2/a.txt", "2/b 100%[x].txt"]),
        ("gs://news/2/**", ["2/a.txt", "2/b 100%[x].txt", "2/deep/a.txt"]),
        ("gs://news/2/b 100%[x].txt", ["2/b 100%[x].txt"]),
        ("gs://news/?/*.txt", ["1/a.txt", "2/a.txt", "2/b 100%[x].txt"]),
        ("gs://news/[13]/", ["1/a.txt"]),
    ],
)
def test_a_glob_means_in_a_bucket_what_it_means_here(
    pattern, found, store, tmp_path, monkeypatch
):
    for name in ("a.txt", "1/a.txt", "2/a.txt", "2/deep/a.txt", "2/b 100%[x].txt"):
        storage.write(f"gs://news/{name}", b"x")
        storage.write(str(tmp_path / name), b"x")
    assert matched_files([pattern]) == [f"gs://news/{name}" for name in found]
    monkeypatch.chdir(tmp_path)
    assert matched_files([pattern.removeprefix("gs://news/")]) == found


def test_a_list_of_thousands_comes_whole_page_by_page(store):
    names = [f"in/{number:05}.txt" for number in range(2_345)]
    thing = {"bucket": "news", "size": "7", "md5Hash": "x"}
    store.storage.objects["news"] = {name: {**thing, "name": name} for name in names}
    files = matched_files(["gs://news/in/*.txt"])
    assert files == [f"gs://news/{name}" for name in names]
    store.asked.clear()
    assert set(file_sizes(files).values()) == {7}
    assert len(store.asked) == 3


def test_a_file_of_a_bucket_is_known_by_name_and_content(store):
    paths = ["gs://news/a/x.txt", "gs://news/b/x.txt", "gs://news/a/y.txt"]
    for path in paths:
        storage.write(path, b"rain")
    one, elsewhere, other = file_identities(paths).values()
    assert one == elsewhere != other
    storage.write(paths[0], b"rain")
    assert file_identities(paths[:1])[paths[0]] == one
    storage.write(paths[0], b"snow")
    assert file_identities(paths[:1])[paths[0]] != one
    gone = "gs://news/a/gone.txt"
    assert file_identities([gone]) == {gone: "gone.txt"}
    assert file_sizes([gone]) == {gone: 0}


@pytest.mark.parametrize("source", ["disk", "bucket"])
def test_files_are_moved_to_a_bucket(source, store, tmp_path):
    start = str(tmp_path) if source == "disk" else "gs://other/a%b"
    for name in NAMES:
        storage.write(storage.join(start, name), name.encode())
    storage.move([(storage.join(start, n), f"gs://news/to/{n}") for n in NAMES])
    assert store.names("news") == sorted(f"to/{name}" for name in NAMES)
    assert [store.content("news", f"to/{name}").decode() for name in NAMES] == NAMES
    assert store.names("other") == []


def test_a_move_that_fails_takes_nothing_away(store):
    for name in "abc":
        storage.write(f"gs://news/from/{name}", b"x")
    store.refusing = lambda method, path, _: 403 if "from/b/rewriteTo" in path else None
    with pytest.raises(PermissionError, match="may not write to bucket news"):
        storage.move([(f"gs://news/from/{name}", f"gs://news/to/{name}") for name in "abc"])
    assert [name for name in store.names("news") if name.startswith("from/")] == [
        "from/a",
        "from/b",
        "from/c",
    ]


def test_an_object_appears_when_all_of_it_is_written(store):
    with storage.created("gs://news/whole") as stream:
        stream.write(b"half ")
        assert not storage.exists("gs://news/whole")
        stream.write(b"and half")
    assert store.content("news", "whole") == b"half and half"
    with pytest.raises(TypeError), storage.created("gs://news/half") as stream:
        stream.write(b"half ", "and what goes wrong")
    assert store.names("news") == ["whole"]


def test_a_large_object_is_read_a_part_at_a_time(store, monkeypatch):
    table = pa.table({"number": range(50_000), "text": ["rain"] * 50_000})
    with storage.created("gs://news/large.parquet") as stream:
        pq.write_table(table, stream, compression="none", use_dictionary=False)
    monkeypatch.setattr(buckets, "FETCHED_BYTES", 10_000)
    store.asked.clear()
    with storage.opened("gs://news/large.parquet") as stream:
        assert pq.read_table(stream).equals(table)
    assert len(store.asked) > 3
    with storage.opened("gs://news/large.parquet") as stream:
        stream.seek(-4, 2)
        assert stream.read() == b"PAR1"


def test_an_object_that_is_replaced_while_it_is_read_is_no_mixture(store, monkeypatch):
    monkeypatch.setattr(buckets, "FETCHED_BYTES", 4)
    storage.write("gs://news/x", b"old " * 4)
    with storage.opened("gs://news/x") as stream:
        assert stream.read(4) == b"old "
        storage.write("gs://news/x", b"new " * 4)
        with pytest.raises(buckets.OvertakenError, match="written gs://news/x meanwhile"):
            stream.read(4)


def test_what_the_store_compressed_is_read_as_what_it_was(store):
    bucket = buckets.client().bucket("news")
    for name in ("a.txt", "a.txt.gz"):
        blob = bucket.blob(name)
        blob.content_encoding = "gzip"
        blob.upload_from_string(gzip.compress(b"rain"))
    assert storage.content_of("gs://news/a.txt") == b"rain"
    assert gzip.decompress(storage.content_of("gs://news/a.txt.gz")) == b"rain"


def test_of_two_who_replace_an_object_one_does(store):
    path = "gs://news/manifest.json"
    assert storage.current(path) is None
    storage.replace(path, b"first", version=0)
    with pytest.raises(buckets.OvertakenError):
        storage.replace(path, b"another first", version=0)
    content, version = storage.current(path)
    assert content == b"first"
    storage.replace(path, b"second", version=version)
    with pytest.raises(buckets.OvertakenError):
        storage.replace(path, b"another second", version=version)
    assert storage.current(path)[0] == b"second"


def test_what_is_written_in_a_folder_for_a_bucket_is_there_afterwards(store):
    with storage.written_folder("gs://news/model/") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.json").write_text("{}")
        (folder / "b.json").write_text("{}")
    assert store.names("news") == ["model/b.json", "model/deep/a.json"]
    assert not folder.exists()


def refused(path="gs://news/in/a.txt"):
    try:
        storage.content_of(path)
    except OSError as error:
        return str(error)
    raise AssertionError(f"{path} was not refused")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "Google credentials are needed: Anonymous credentials cannot be refreshed"),
        (403, "these Google credentials may not list bucket news"),
        (404, "there is no bucket news"),
        (429, "the store is out of order, it says 429"),
        (503, "the store is out of order, it says 503"),
    ],
)
def test_what_a_bucket_refuses_at_first_is_a_sentence_at_once(status, sentence, store):
    store.refusing = lambda *_: status
    assert refused() == sentence
    # Asked once, and not again and again.
    assert [path for _, path in store.asked if path.endswith("/o")] == [
        "/storage/v1/b/news/o"
    ]


def test_what_is_refused_later_is_a_sentence_too(store, monkeypatch):
    monkeypatch.setattr(buckets, "SECONDS_TO_RETRY", 0.1)
    storage.write("gs://news/in/a.txt", b"rain")
    assert "No such object" in refused("gs://news/in/b.txt")
    store.refusing = lambda method, path, _: 403 if "/download/" in path else None
    assert refused() == "these Google credentials may not read bucket news"
    store.refusing = lambda *_: 503
    assert refused() == "the store cannot be reached"
    store.refusing = lambda method, *_: 403 if method == "POST" else None
    with pytest.raises(OSError, match="may not write to bucket news"):
        storage.check_writable("gs://news/out")
    store.refusing = lambda method, *_: 403 if method == "DELETE" else None
    with pytest.raises(OSError, match="may not delete from bucket news"):
        storage.check_writable("gs://news/out")


def test_what_fails_for_a_moment_is_tried_again(store):
    storage.write("gs://news/a", b"rain")
    failing = iter([503, 429])
    store.refusing = lambda *_: next(failing, None)
    assert storage.content_of("gs://news/a") == b"rain"


@pytest.mark.parametrize("silent", [False, True])
def test_a_store_that_does_not_answer_is_not_waited_for(silent, monkeypatch):
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if silent:
            port.listen()
            monkeypatch.setattr(buckets, "SECONDS_TO_ANSWER", 0.2)
        host = f"http://127.0.0.1:{port.getsockname()[1]}"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
        assert refused() == "the store cannot be reached"


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """The environment of somebody without credentials."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setattr(buckets, "_QUESTIONS", 1)


def test_without_credentials_nothing_is_waited_for(nobody, monkeypatch):
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        # No metadata server is there.
        monkeypatch.setenv("GCE_METADATA_IP", f"127.0.0.1:{port.getsockname()[1]}")
        sentence = refused()
    assert sentence.startswith("Google credentials are needed: ")


def test_credentials_that_cannot_be_read_are_named(nobody, tmp_path, monkeypatch):
    path = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert refused() == f"Google credentials are needed: File {path} was not found"
    path.write_text(json.dumps({"type": "nonsense"}))
    assert "nonsense" in refused() or "type" in refused()


def test_any_other_lack_of_credentials_is_told_in_its_first_sentence(nobody, monkeypatch):
    def default(**_):
        raise DefaultCredentialsError("None were found. Set some up.")

    monkeypatch.setattr(google.auth, "default", default)
    assert refused() == "Google credentials are needed: None were found"


@pytest.mark.parametrize("path", ["gs://", "gs:///a", "gs://UPPER/a", "gs://a b/c"])
def test_a_path_without_a_bucket_is_refused(path):
    with pytest.raises(ValueError, match=re.escape(f"gs://BUCKET/NAME, got {path}")):
        storage.opened(path)


def test_a_file_of_this_machine_is_replaced_in_one_step(tmp_path):
    path = str(tmp_path / "manifest.json")
    assert storage.current(path) is None
    for content in (b"first", b"second"):
        storage.replace(path, content, version=0)
        assert storage.current(path) == (content, 0)
    assert [file.name for file in Path(tmp_path).iterdir()] == ["manifest.json"]
