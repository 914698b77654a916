"""Runs that decide anew what their output folder holds, on the example articles."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import batch
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from schemas.article import ARTICLE
from transforms.boilerplate import strip_batch
from transforms.rebuilding import as_input, with_what_was_told
from transforms.recurrence import recurring_table

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "articles"
COPIES = Config(stories=False)
STORIES = Config(embedding="none")
WORDS = ["".join(letters) for letters in itertools.product("bdfgkl", *["aeiou"] * 4)]
# What each run reads, by which settings, and whether it decides all anew.
RUNS = (
    (("articles-2*", "*.html"), COPIES, False),
    (("articles-4*",), COPIES, False),
    (("articles-1*",), STORIES, True),
    (("*.txt",), STORIES, False),
    (("articles-3*",), COPIES, True),
    ((), STORIES, True),
)


def add(output, patterns, config, *, rebuild=False, **given):
    inputs = [f"{EXAMPLES}/{pattern}" for pattern in patterns]
    additions = Additions(rebuild=rebuild)
    return batch.run(inputs, output, config, fields={}, additions=additions, **given)


def placed(output):
    rows = read_table(output, "articles").to_pylist()
    return {row["article_id"]: row for row in rows}


def changes_of(output, manifest):
    """Give the rows of `changes`, those of earlier runs first."""
    order = [run["run_id"] for run in manifest["runs"]]
    rows = read_table(output, "changes").to_pylist()
    return sorted(rows, key=lambda row: order.index(row["run_id"]))


def parts(articles, ids, name):
    members = defaultdict(set)
    for article_id in ids:
        members[articles[article_id][name]].add(article_id)
    return {frozenset(members) for members in members.values()}


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    """Give the folder that was added to and rebuilt, and what it held after each run."""
    output = str(tmp_path_factory.mktemp("rebuilt") / "out")
    states = []
    read = ()
    for patterns, config, rebuild in RUNS:
        read += patterns
        manifest = add(output, patterns or read, config, rebuild=rebuild)
        states.append((manifest, placed(output)))
    return output, states


@pytest.fixture(scope="module", params=[2, 4, 5])
def rebuild_and_fresh(request, rebuilt, tmp_path_factory):
    """Give the articles after a rebuild, and those of one run over the same."""
    output = str(tmp_path_factory.mktemp("fresh") / "out")
    read = [pattern for patterns, _, _ in RUNS[: request.param + 1] for pattern in patterns]
    inputs = [f"{EXAMPLES}/{pattern}" for pattern in read]
    batch.run(inputs, output, RUNS[request.param][1], fields={})
    return rebuilt[1][request.param][1], placed(output)


def test_a_rebuild_decides_as_one_run_over_everything(rebuild_and_fresh):
    articles, fresh = rebuild_and_fresh
    both = articles.keys() & fresh.keys()
    # One run keeps a text that a crawler met twice, under a number; increments reject it.
    assert len(both) >= len(fresh) - 1
    for name in ("duplicate_group_id", "story_id"):
        assert parts(articles, both, name) == parts(fresh, both, name)
    for name in ("text", "credited_source", "removed_word_count", "relation", "thin"):
        assert {i: articles[i][name] for i in both} == {i: fresh[i][name] for i in both}


def test_settings_matter(rebuilt):
    states = rebuilt[1]
    several = [len(parts(rows, rows, "story_id")) < len(rows) for _, rows in states]
    assert several == [True] * len(states)
    apart, together = (
        parts(articles, states[3][1], "story_id") for _, articles in (states[4], states[5])
    )
    assert len(together) < len(apart)


def test_nothing_is_lost(rebuilt):
    output, states = rebuilt
    manifest, articles = states[-1]
    assert len(manifest["runs"]) == len(RUNS)
    rows = sum(run["rows_read"] for run in manifest["runs"])
    assert rows == len(articles) + read_table(output, "rejects").num_rows
    assert [run["articles"] for run in manifest["runs"]][-1] == 0
    assert len({run["run_id"] for run in manifest["runs"]}) == len(RUNS)
    for table in ("index", "lines"):
        assert read_table(output, table).num_rows == len(articles)
    for (_, before), (_, after) in itertools.pairwise(states):
        came = {article_id: row["run_id"] for article_id, row in before.items()}
        assert came.items() <= {i: row["run_id"] for i, row in after.items()}.items()
    removed = read_table(output, "boilerplate").column("removed_word_count").to_pylist()
    assert sum(removed) == sum(row["removed_word_count"] for row in articles.values())


def test_every_story_is_there_once_and_lists_its_members(rebuilt):
    output, states = rebuilt
    stories = read_table(output, "stories").to_pylist()
    assert len({row["story_id"] for row in stories}) == len(stories)
    listed = {
        (row["story_id"], member["article_id"])
        for row in stories
        for member in row["members"]
    }
    assert listed == {(row["story_id"], i) for i, row in states[-1][1].items()}


def test_ids_stay_with_the_article_they_are_of(rebuilt):
    states = [articles for _, articles in rebuilt[1]]
    for before, after in itertools.pairwise(states):
        for name in ("story_id", "duplicate_group_id"):
            for given in {row[name] for row in before.values()}:
                members = [i for i, row in after.items() if row[name] == given]
                # Else it gave way to an older one.
                assert given in members or after[given][name] in {
                    row[name] for row in before.values()
                }
    # Of what the second run had, nothing is otherwise by the same settings.
    for name in ("story_id", "duplicate_group_id"):
        assert {i: states[4][i][name] for i in states[1]} == {
            i: row[name] for i, row in states[1].items()
        }


def test_every_id_lives_or_is_followed_through_changes(rebuilt):
    output, states = rebuilt
    live = {row["story_id"] for row in states[-1][1].values()}
    merged = {
        row["previous_id"]: row["story_id"]
        for row in changes_of(output, states[-1][0])
        if row["change"] == "story_merged"
    }
    given = {row["story_id"] for _, articles in states for row in articles.values()}
    assert given - live
    for story in given:
        at = story
        while at not in live:
            at = merged[at]
        assert states[-1][1][story]["story_id"] == at


def test_changes_lead_every_article_to_where_it_is(rebuilt):
    output, states = rebuilt
    stands, speaks = {}, {}
    for row in changes_of(output, states[-1][0]):
        if row["change"] == "story_merged":
            for article_id, story in stands.items():
                if story == row["previous_id"]:
                    stands[article_id] = row["story_id"]
        elif row["change"] == "story_assigned":
            assert stands.get(row["article_id"]) == row["previous_id"]
            stands[row["article_id"]] = row["story_id"]
        elif row["change"] == "canonical_changed":
            speaks[row["story_id"]] = row["article_id"]
    articles = states[-1][1]
    assert stands == {i: row["story_id"] for i, row in articles.items()}
    last = {
        row["story_id"]: i for i, row in articles.items() if row["relation"] == "canonical"
    }
    told = {story: speaker for story, speaker in speaks.items() if story in last}
    assert told
    assert told.items() <= last.items()


def test_what_earlier_runs_told_stays(rebuilt):
    output, states = rebuilt
    runs = [run["run_id"] for run in states[-1][0]["runs"]]
    for table in ("changes", "boilerplate"):
        told = set(read_table(output, table).column("run_id").to_pylist())
        assert told & set(runs[:2])
    rejected = {row["article_id"] for row in read_table(output, "rejects").to_pylist()}
    first = states[0][0]["runs"][0]
    assert len(rejected) >= first["rows_read"] - first["articles"]


def test_what_shows_later_to_be_furniture_is_taken_off_in_a_rebuild(tmp_path):
    output, slogan = str(tmp_path / "out"), "You are reading the early valley edition"
    for run, days in enumerate(((1, 3), (8,))):
        rows = [
            {
                "id": f"a{day}",
                "source": "valley.example",
                "text": f"{slogan}\n" + " ".join(WORDS[60 * day : 60 * day + 60]),
                "published_at": f"2026-03-{day:02d}",
            }
            for day in days
        ]
        file = tmp_path / f"run{run}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        additions = Additions(rebuild=run > 0)
        batch.run([str(file)], output, COPIES, fields={}, additions=additions)
        held = [slogan in row["text"] for row in placed(output).values()]
        assert held == ([True] * 2 if run == 0 else [False] * 3)
    assert {row["removed_word_count"] for row in placed(output).values()} == {7}


def test_what_comes_again_in_a_rebuild_is_rejected(tmp_path):
    output = str(tmp_path / "out")
    first = add(output, ["articles-4*"], COPIES)
    (file,) = EXAMPLES.glob("articles-4*")
    again = str(tmp_path / f"again-{file.name}")
    shutil.copy(file, again)
    second = batch.run(
        [again], output, COPIES, fields={}, additions=Additions(rebuild=True)
    )
    assert second["runs"][1]["articles"] == 0
    assert second["runs"][1]["rows_read"] == first["runs"][0]["rows_read"]
    details = read_table(output, "rejects").column("detail").to_pylist()
    known = details.count("an earlier run wrote the article with this id")
    assert known == first["runs"][0]["articles"]


def test_a_rebuild_of_nothing_is_an_ordinary_run(tmp_path):
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    add(one, ["articles-4*"], COPIES, rebuild=True)
    batch.run([f"{EXAMPLES}/articles-4*"], other, COPIES, fields={})
    assert placed(one) == placed(other)


def test_other_settings_are_refused_with_what_to_do(tmp_path):
    output = str(tmp_path / "out")
    add(output, ["articles-4*"], COPIES)
    with pytest.raises(
        ValueError, match=r"seed was 1 and is 2; --rebuild decides all anew"
    ):
        add(output, ["articles-3*"], Config(stories=False, seed=2))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rebuild"], "--rebuild goes with --incremental"),
        (["--rebuild", "--overwrite"], "--rebuild goes with --incremental"),
        (
            ["--rebuild", "--incremental", "--overwrite"],
            "--incremental and --overwrite exclude each other",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(tmp_path, capsys, flags, message):
    given = ["run", "--input", f"{EXAMPLES}/*", "--output", str(tmp_path / "out"), *flags]
    assert main(given) == 2
    assert message in capsys.readouterr().err


KILLED = """
    import os, signal, sys
    from pipeline import batch
    from pipeline.config import Config
    from pipeline.incremental import Additions
    from transforms import parquet

    def dies(*given, **named):
        os.kill(os.getpid(), signal.SIGKILL)

    parquet.commit = dies
    config, additions = Config(stories=False, seed=2), Additions(rebuild=True)
    batch.run(sys.argv[2:], sys.argv[1], config, fields={}, additions=additions)
"""


def test_a_rebuild_that_is_killed_leaves_what_was(tmp_path):
    output = str(tmp_path / "out")
    add(output, ["articles-4*"], COPIES)
    before, manifest = placed(output), (Path(output) / "manifest.json").read_bytes()
    script = [sys.executable, "-c", textwrap.dedent(KILLED)]
    ended = subprocess.run(
        [*script, output, f"{EXAMPLES}/articles-3*"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert (Path(output) / "manifest.json").read_bytes() == manifest
    assert placed(output) == before
    other = Config(stories=False, seed=2)
    assert len(add(output, ["articles-3*"], other, rebuild=True)["runs"]) == 2
    assert placed(output).keys() > before.keys()
    assert not list(Path(output).glob("_staging*"))


def test_an_article_that_is_input_again_brings_what_was_told_of_it(rebuilt):
    output, states = rebuilt
    manifest, articles = states[-1]
    (path, *_) = [f"{output}/{part['name']}" for part in manifest["tables"]["articles"]]
    (given,) = as_input(path)
    nothing = recurring_table(np.zeros((0, 2), np.uint64))
    cleaned, _ = strip_batch(given.select(ARTICLE.names), nothing)
    told = with_what_was_told(cleaned, given).to_pylist()
    assert told
    for row in told:
        before = articles[row["article_id"]]
        assert row["previous_story_id"] == before["story_id"]
        speaker = articles[row["previous_speaker_id"]]
        assert (speaker["story_id"], speaker["relation"]) == (
            before["story_id"],
            "canonical",
        )
        for name in ("text", "credited_source", "removed_word_count", "run_id", "notes"):
            assert row[name] == before[name]
    assert with_what_was_told(cleaned, given.select(ARTICLE.names)) is cleaned


def test_a_file_of_many_articles_comes_in_batches(rebuilt, tmp_path):
    output, states = rebuilt
    (path, *_) = [
        f"{output}/{part['name']}" for part in states[-1][0]["tables"]["articles"]
    ]
    table = pq.read_table(path)
    many = str(tmp_path / "many.parquet")
    pq.write_table(pa.concat_tables([table] * 60).combine_chunks(), many)
    sizes = [batch.num_rows for batch in as_input(many)]
    assert sum(sizes) == 60 * table.num_rows
    assert max(sizes) == 2_000
