"""The real commands on `gs://` paths: what they do on this machine, they do in a bucket."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.batch import check_models, model_contents
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from pipeline.watch import settled_files, watch
from transforms import buckets, storage
from transforms.main_content import DATA
from transforms.parquet import read_manifest
from transforms.story_model import shared_story_model

EXAMPLES = Path(__file__).parent.parent / "examples" / "articles"
FIRST, SECOND = "articles-4.parquet", "articles-3.jsonl.zst"
TABLES = ("articles", "stories", "matches", "boilerplate", "rejects", "changes", "index")
QUIET = ("--embedding", "none", "--quiet")
IN = "gs://news/in now, 100% é/"
OUT = "gs://other"
# Where the articles wait that are worked on, and what is staged: in the bucket as for
# workers that are elsewhere, or on this machine.
SHARED, HERE = ("--runner=FnApiRunner",), ()


def put(name, path):
    storage.write(path, (EXAMPLES / name).read_bytes())


def run(start, output, *flags):
    given = ["--input", start, "--output", output, *QUIET, *flags]
    assert main(["run", *given]) == 0


def rows_of(output, start=""):
    """Give the rows of all tables, where files are said to be in one place."""
    tables = {}
    for name in TABLES:
        rows = read_table(output, name).to_pylist()
        texts = [
            json.dumps(row, default=repr, sort_keys=True, ensure_ascii=False)
            for row in rows
        ]
        tables[name] = sorted(text.replace(start, "") for text in texts)
    return tables


def failing_after(files, status):
    """Let a store refuse all there is once so many files of tables are in place."""
    done = []

    def refusing(method, path, written):
        into = f"{path} {written}"
        if method == "POST" and re.search(r"/part-\d+-\w+.parquet", into):
            done.append(into)
        return status if len(done) > files else None

    return refusing


class Outputs(NamedTuple):
    """Folders of tables, and what was seen of a run that could not finish.

    Attributes:
      here: on this machine.
      failed: what the run said.
      before: manifest and rows in the bucket before it.
      after: the same after it.
    """

    here: str
    failed: str
    before: tuple[bytes, dict[str, list[str]]]
    after: tuple[bytes, dict[str, list[str]]]


@pytest.fixture(scope="module")
def outputs(shared_store, tmp_path_factory):
    """Two runs, the second adding, on this machine and in a bucket.

    In the bucket the second is tried before, and the store fails while it is put in force.
    """
    here = str(tmp_path_factory.mktemp("local"))
    for name, path in ((FIRST, f"here/{FIRST}"), (SECOND, f"here/deep/er/{SECOND}")):
        put(name, f"{here}/{path}")
    run(f"{here}/here/*", f"{here}/out", "--run-id", "one")
    run(f"{here}/here/", f"{here}/out", "--run-id", "two", "--incremental")
    put(FIRST, f"{IN}{FIRST}")
    run(f"{IN}*", OUT, "--run-id", "one", *SHARED)
    put(SECOND, f"{IN}deep/er/{SECOND}")

    def seen():
        return shared_store.content("other", "manifest.json"), rows_of(OUT)

    before = seen()
    shared_store.refusing = failing_after(3, 503)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "SECONDS_TO_RETRY", 0.05)
        with pytest.raises(RuntimeError, match="the run failed") as caught:
            run(IN, OUT, "--run-id", "two", "--incremental", *HERE)
    shared_store.refusing = lambda *_: None
    after = seen()
    # Nobody renews what is noted of the run: after a while it counts as dead.
    for name in shared_store.names("other"):
        if name.endswith("owner.json"):
            note = json.loads(shared_store.content("other", name)) | {"until": 0}
            storage.write(f"gs://other/{name}", json.dumps(note).encode())
    run(IN, OUT, "--run-id", "two", "--incremental", *HERE)
    return Outputs(here, str(caught.value), before, after)


def test_the_tables_in_a_bucket_are_those_of_this_machine(outputs):
    here = f"{outputs.here}/out"
    assert rows_of(here, f"{outputs.here}/here/") == rows_of(OUT, IN)
    local, stored = read_manifest(here), read_manifest(OUT)
    assert local["statistics"] == stored["statistics"]
    assert [one["run_id"] for one in stored["runs"]] == ["one", "two"]


def test_a_write_that_fails_half_way_leaves_what_was_in_force(outputs):
    assert outputs.after == outputs.before
    assert "the store cannot be reached" in outputs.failed


def test_a_bucket_holds_after_a_run_what_its_manifest_names_and_nothing_else(
    outputs, shared_store
):
    named = read_manifest(OUT)["tables"].values()
    files = [part["name"] for parts in named for part in parts]
    assert shared_store.names("other") == sorted([*files, "manifest.json"])
    assert all(name.endswith((FIRST, SECOND)) for name in shared_store.names("news"))


def test_a_run_that_adds_nothing_knows_so_in_a_bucket(outputs, shared_store, capsys):
    before = shared_store.content("other", "manifest.json")
    arguments = ["--input", "gs://news/", "--output", OUT, "--embedding", "none"]
    assert main(["run", *arguments, "--incremental"]) == 0
    assert "nothing new" in capsys.readouterr().out
    assert shared_store.content("other", "manifest.json") == before


def test_what_is_shown_of_a_bucket_is_what_is_shown_here(outputs, capsys):
    article = read_table(OUT, "articles")["article_id"][0].as_py()
    for looked_at in ([], ["--story", "largest"], ["--article", article]):
        shown = []
        for output in (f"{outputs.here}/out", OUT):
            assert main(["show", output, *looked_at]) == 0
            shown.append(capsys.readouterr().out)
        assert shown[0] == shown[1]
        assert len(shown[0].splitlines()) > 3


def test_the_manifest_names_no_path_of_this_machine(outputs):
    """What a run writes about itself holds wherever it is read."""
    manifest = json.dumps(read_manifest(OUT))
    assert "/newsdedup-" not in manifest
    assert "gs://" not in manifest


def test_who_reads_while_a_run_is_put_in_force_reads_the_new_one(outputs, shared_store):
    """Files that a new manifest does not name go, perhaps while the old one is read."""
    rows = read_table(OUT, "stories").num_rows
    content = shared_store.content("other", "manifest.json")
    thing = dict(shared_store.storage.objects["other"]["manifest.json"])
    gone = "stories/part-00000-00000000.parquet"
    tables = {"stories": [{"name": gone, "rows": 1, "statistics": {}}]}
    old = json.loads(content) | {"commit": "old", "tables": tables}
    storage.write(f"{OUT}/manifest.json", json.dumps(old).encode())

    def replaced(method, path, written):
        if path.endswith(gone):
            shared_store.storage.create_file("other", "manifest.json", content, thing)

    shared_store.refusing = replaced
    try:
        assert read_table(OUT, "stories").num_rows == rows
    finally:
        shared_store.refusing = lambda *_: None


def refused(capsys, *arguments):
    """Run a command that must be refused; give the sentence."""
    assert main(arguments) == 2
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    return sentence.removeprefix("newsdedup: error: ")


def test_a_second_run_in_a_bucket_is_refused_while_the_first_lives(store, capsys):
    owner = {"host": "elsewhere", "process": 7, "until": time.time() + 600}
    storage.write("gs://news/out/_staging-12345678/owner.json", json.dumps(owner).encode())
    assert refused(capsys, *RUN, "--output", "gs://news/out", *QUIET) == (
        "another run is at work in gs://news/out, process 7 on elsewhere; if it has "
        "died, delete gs://news/out/_staging-12345678"
    )


RUN = ("run", "--input", str(EXAMPLES / FIRST))
NO_BUCKET = "there is no bucket absent"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["run", "--input", "gs://absent/*", "--output", "gs://news/out"],
            f"input must be listed, got gs://absent/*: {NO_BUCKET}",
        ),
        (
            [*RUN, "--output", "gs://absent/out"],
            f"output folder gs://absent/out cannot be listed: {NO_BUCKET}",
        ),
        (
            ["run", "--input", "gs://other/no/*", "--output", "gs://news/out"],
            "input must match a file, got gs://other/no/*",
        ),
        (
            ["run", "--input", "gs://Other/*", "--output", "gs://news/out"],
            "a path in a bucket must be gs://BUCKET/NAME, got gs://Other/*",
        ),
        (
            [*RUN, "--output", "gs://news/out", "--story-model", "gs://other/gone"],
            "story model gs://other/gone must be a folder that newsdedup tune wrote, "
            "found no gs://other/gone/story_model.json",
        ),
        (
            [*RUN, "--output", "gs://news/out", "--known-furniture", "gs://absent"],
            f"known furniture gs://absent cannot be read: {NO_BUCKET}",
        ),
        (["show", "gs://absent/out"], NO_BUCKET),
        (
            ["show", "gs://news/out"],
            "gs://news/out holds no finished run: it has no manifest",
        ),
        (
            ["evaluate", "--gold", "gs://absent/gold.jsonl"],
            f"gs://absent/gold.jsonl cannot be read: {NO_BUCKET}",
        ),
        (
            ["tune", "--pages", "gs://other/gone.jsonl", "--output", "gs://absent/m"],
            NO_BUCKET,
        ),
        (["watch", "gs://absent/in", "--output", "gs://news/out"], NO_BUCKET),
    ],
)
def test_a_bucket_or_file_that_is_not_there_is_one_sentence(
    arguments, sentence, store, capsys
):
    assert refused(capsys, *arguments).startswith(sentence)
    assert store.names("news") == []


@pytest.mark.parametrize(
    ("method", "why"),
    [("POST", "write to"), ("DELETE", "delete from"), ("GET", "list")],
)
def test_what_credentials_may_not_do_is_one_sentence_before_anything_runs(
    method, why, store, capsys
):
    put("articles-4.parquet", "gs://other/a.parquet")
    store.refusing = lambda asked, path, written: (
        403 if asked == method and "/b/news/" in path else None
    )
    flags = ("--input", "gs://other/a.parquet", "--output", "gs://news/out", *QUIET)
    assert refused(capsys, "run", *flags).endswith(
        f": these Google credentials may not {why} bucket news"
    )


@pytest.mark.parametrize("where", ["--input", "--output"])
def test_without_credentials_a_run_is_refused(where, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    key = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    paths = {"--input": str(EXAMPLES / FIRST), "--output": str(tmp_path / "out")}
    paths |= {where: "gs://news/in"}
    arguments = [word for pair in paths.items() for word in pair]
    assert refused(capsys, "run", *arguments).endswith(
        f": Google credentials are needed: File {key} was not found"
    )


def test_what_is_labelled_may_lie_in_a_bucket_and_so_may_the_scores(store, capsys):
    texts = ("The dam at Calder broke on Monday. ", "Bread costs more in Easton. ")
    rows = [
        {"id": f"{story}{number}", "text": text * (4 + number), "story": str(story)}
        for story, text in enumerate(texts)
        for number in range(2)
    ]
    gold = "".join(json.dumps(row) + "\n" for row in rows)
    storage.write("gs://news/gold.jsonl", gold.encode())
    flags = ["--output", "gs://news/scored", "--json", "gs://news/scores.json", *QUIET]
    assert main(["evaluate", "--gold", "gs://news/gold.jsonl", *flags]) == 0
    assert "stories" in capsys.readouterr().out
    scores, kept = (
        json.loads(store.content("news", name))
        for name in ("scores.json", "scored/evaluation.json")
    )
    assert scores == kept
    assert scores["articles"]["scored"] == scores["articles"]["labelled"] == len(rows)
    assert read_table("gs://news/scored/articles", "articles").num_rows == len(rows)


def test_models_may_lie_in_a_bucket(store, tmp_path):
    for path in Path(DATA).iterdir():
        if path.name.startswith(("page_model", "story_model", "background")):
            shutil.copy(path, tmp_path)
    copied = [(str(path), f"gs://news/model/{path.name}") for path in tmp_path.iterdir()]
    storage.move(copied)
    folders = (str(tmp_path), "gs://news/model")
    here, there = (Config(page_model=one, story_model=one) for one in folders)
    assert model_contents(here) == model_contents(there)
    check_models(there)
    assert (
        shared_story_model("gs://news/model").threshold
        == shared_story_model(str(DATA)).threshold
    )


def test_a_model_is_tuned_into_a_bucket(store, capsys):
    body = "Nine boats went out before sunrise, and eight of them came back at noon."
    rows = [
        {
            "id": f"p{number}",
            "url": f"https://site{number}.example/a",
            "text": f"Home\nNews\nSport\n{body} Boat {number} did not.\nLog In\nShare",
            "keep": [f"Boat {number} did not."],
            "drop": ["Log In"],
        }
        for number in range(30)
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    storage.write("gs://news/pages.jsonl", content)
    assert (
        main(["tune", "--pages", "gs://news/pages.jsonl", "--output", "gs://news/m"]) == 0
    )
    assert "pages held back" in capsys.readouterr().out
    assert store.names("news") == ["m/page_model.json", "pages.jsonl"]
    assert model_contents(Config(page_model="gs://news/m", stories=False))


def test_a_folder_of_a_bucket_is_watched(store):
    class WatchedEnoughError(Exception):
        pass

    def sleep(_):
        if not looks:
            raise WatchedEnoughError
        looks.pop()()

    folder, output = "gs://news/incoming", "gs://news/out"
    looks = [lambda: None, lambda: put(SECOND, f"{folder}/day=2/b.jsonl.zst")]
    given = {"fields": {}, "additions": Additions(), "seconds": 1, "sleep": sleep}
    config = Config(embedding="none", stories=False)
    added = []
    manifests = watch(folder, output, config, **given)
    with pytest.raises(WatchedEnoughError):
        added.extend(manifest["runs"][-1]["articles"] for manifest in manifests)
    assert len(added) == 1
    assert read_table(output, "articles").num_rows == added[0] > 0
    assert not [name for name in store.names("news") if "_staging" in name]


def test_a_file_of_a_bucket_that_changes_is_left_for_the_next_look(store):
    for name in ("a.txt", "b.txt"):
        storage.write(f"gs://news/in/{name}", b"rain")
    files, seen = settled_files("gs://news/in", {})
    assert files == []
    assert settled_files("gs://news/in", seen)[0] == sorted(seen)
    storage.write("gs://news/in/a.txt", b"snow")
    assert settled_files("gs://news/in", seen)[0] == ["gs://news/in/b.txt"]
