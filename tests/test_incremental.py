"""Runs that add to what their output folder holds, on the example articles."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import batch
from pipeline.agreement import bcubed
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import (
    WAITING,
    Additions,
    differing_settings,
    waiting_nodes,
)
from pipeline.show import read_table
from schemas.batch import column, concatenate, with_column
from transforms.continuing import old_nodes
from transforms.copy_groups import COPY_GROUP
from transforms.main_content import DATA
from transforms.parquet import read_manifest, table_files
from transforms.past import REMEMBERED, Arrivals, remembered_of

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "articles"
WITHOUT_MODEL = Config(embedding="none")


def add(output, patterns, config=WITHOUT_MODEL, **given):
    inputs = [f"{EXAMPLES}/{pattern}" for pattern in patterns]
    return batch.run(inputs, output, config, fields={}, additions=Additions(), **given)


def placed(output):
    rows = read_table(output, "articles").to_pylist()
    return {row["article_id"]: row for row in rows}


@pytest.fixture(scope="module")
def at_once(examples_output):
    return placed(examples_output)


def groups(articles, ids):
    members = defaultdict(set)
    for article_id in ids:
        members[articles[article_id]["duplicate_group_id"]].add(article_id)
    return {frozenset(group) for group in members.values() if len(group) > 1}


def test_every_row_of_every_run_is_an_article_or_a_reject(grown, increments):
    output, states = grown
    runs = states[-1][0]["runs"]
    assert len(runs) == len(increments)
    rows = sum(run["rows_read"] for run in runs)
    tables = [read_table(output, name).num_rows for name in ("articles", "rejects")]
    assert rows == sum(tables)
    assert tables[0] == sum(run["articles"] for run in runs)


def test_copies_are_those_of_one_run(grown, at_once):
    articles = grown[1][-1][1]
    both = articles.keys() & at_once.keys()
    # One run keeps a text that a crawler met twice, under a number; increments reject it.
    assert len(both) >= len(at_once) - 1
    found = groups(articles, both)
    assert found == groups(at_once, both)
    assert found


def test_stories_are_nearly_those_of_one_run(grown, at_once):
    articles = grown[1][-1][1]
    both = sorted(articles.keys() & at_once.keys())
    score = bcubed(*([rows[i]["story_id"] for i in both] for rows in (at_once, articles)))
    assert score.f1 > 0.9


def test_every_story_is_there_once_and_lists_its_members(grown):
    output, states = grown
    articles = states[-1][1]
    stories = read_table(output, "stories").to_pylist()
    assert len({row["story_id"] for row in stories}) == len(stories)
    members = defaultdict(set)
    for row in articles.values():
        members[row["story_id"]].add(row["article_id"])
    assert {
        row["story_id"]: {member["article_id"] for member in row["members"]}
        for row in stories
    } == members
    for row in stories:
        assert articles[row["canonical_article_id"]]["relation"] == "canonical"


def test_every_id_lives_on_or_is_followed_through_changes(grown):
    output, states = grown
    merged = {
        row["previous_id"]: row["story_id"]
        for row in read_table(output, "changes").to_pylist()
        if row["change"] == "story_merged"
    }
    live = {row["story_id"] for row in states[-1][1].values()}
    for _, articles in states:
        for article_id, row in articles.items():
            story = row["story_id"]
            while story in merged:
                story = merged[story]
            assert story in live
            assert states[-1][1][article_id]["story_id"] == story


def test_changes_tell_who_joined_and_who_speaks_now(grown):
    output, states = grown
    order = [run["run_id"] for run in states[-1][0]["runs"]]
    rows = read_table(output, "changes").to_pylist()
    changes = defaultdict(list)
    for row in sorted(rows, key=lambda row: order.index(row["run_id"])):
        changes[row["change"]].append(row)
    assert len(changes["story_assigned"]) == len(states[-1][1])
    last = {row["story_id"]: row["article_id"] for row in changes["canonical_changed"]}
    stories = read_table(output, "stories").to_pylist()
    speaks = {row["story_id"]: row["canonical_article_id"] for row in stories}
    assert last
    assert last.items() <= {story: speaks.get(story, last[story]) for story in last}.items()


def test_articles_keep_the_run_they_came_in(grown, increments):
    states = grown[1]
    first = {article_id: row["run_id"] for article_id, row in states[0][1].items()}
    last = {article_id: row["run_id"] for article_id, row in states[-1][1].items()}
    assert first.items() <= last.items()
    assert len(set(last.values())) == len(increments)


def test_the_index_has_every_article(grown):
    output, states = grown
    ids = read_table(output, "index").column("article_id").to_pylist()
    assert sorted(ids) == sorted(states[-1][1])


def test_the_same_run_again_changes_nothing(grown, increments):
    output, states = grown
    assert add(output, increments[1]) == states[-1][0]
    assert json.loads(Path(output, "manifest.json").read_text()) == states[-1][0]


def test_the_command_says_what_was_added_and_that_nothing_was(tmp_path, capsys):
    output = str(tmp_path / "out")

    def run(name):
        inputs = ["--input", f"{EXAMPLES}/{name}", "--output", output]
        assert main(["run", *inputs, "--no-stories", "--incremental"]) == 0
        return capsys.readouterr().out

    assert "added by this run" not in run("articles-4*")
    assert "added by this run" in run("articles-3*")
    assert run("articles-3*") == (
        "nothing new: an earlier run did this, or read every file of it\n"
    )


def test_articles_that_come_again_are_rejected(tmp_path):
    output = str(tmp_path / "out")
    first = add(output, ["articles-1*"])
    lines = (EXAMPLES / "articles-1.jsonl").read_text()
    (tmp_path / "again.jsonl").write_text(lines)
    files = [str(tmp_path / "again.jsonl")]
    second = batch.run(files, output, WITHOUT_MODEL, fields={}, additions=Additions())
    assert second["runs"][1]["articles"] == 0
    assert second["statistics"] == first["statistics"]
    reasons = read_table(output, "rejects").column("detail").to_pylist()
    known = reasons.count("an earlier run wrote the article with this id")
    # One of them was rejected at once, for another had its id.
    assert known >= first["runs"][0]["articles"]


def test_files_that_an_earlier_run_read_are_passed_over(tmp_path):
    output = str(tmp_path / "out")
    config = Config(stories=False)
    first = add(output, ["articles-1*"], config)
    second = add(output, ["articles-1*", "articles-4*"], config)
    assert second["runs"][0] == first["runs"][0]
    alone = batch.run(
        [f"{EXAMPLES}/articles-4*"], str(tmp_path / "alone"), config, fields={}
    )
    assert second["runs"][1] == alone["runs"][0] | {
        "finished_at": second["runs"][1]["finished_at"],
        "articles": second["runs"][1]["articles"],
    }


def test_settings_that_differ_are_named(grown):
    output, _ = grown
    other = Config(embedding="none", min_containment=0.8)
    with pytest.raises(ValueError, match=r"min_containment was 0\.7 and is 0\.8"):
        add(output, ["articles-1*"], other, run_id="other")
    assert (
        differing_settings({"seed": 1, "block_size": 9}, {"seed": 1, "block_size": 8}) == {}
    )


def test_a_model_of_other_content_is_refused_and_one_elsewhere_is_not(tmp_path):
    output, model = str(tmp_path / "out"), tmp_path / "model"
    shutil.copytree(DATA, model)
    add(output, ["articles-4*"], Config(stories=False))
    elsewhere = Config(stories=False, page_model=str(model))
    assert len(add(output, ["articles-3*"], elsewhere)["runs"]) == 2
    (model / "note").write_text("fitted anew")
    with pytest.raises(ValueError, match=r"page model was \w+ and is \w+;"):
        add(output, ["articles-1*"], elsewhere)


def test_furniture_of_a_named_run_is_known_besides_that_of_the_folder(tmp_path):
    folders = [str(tmp_path / name) for name in ("one", "two")]
    for folder, pattern in zip(folders, ("articles-1*", "articles-3*"), strict=True):
        add(folder, [pattern], Config(stories=False))
    apart = [batch.remembered_furniture([folder]).num_rows for folder in folders]
    both = batch.remembered_furniture(folders)
    assert max(apart) <= both.num_rows <= sum(apart)
    assert batch.remembered_furniture(["none"]) is None


def test_old_articles_keep_their_vectors_beside_new_ones_with_theirs(tmp_path):
    output = str(tmp_path / "out")
    config = Config(embedding_tokens=16)
    vectors = []
    for pattern in ("articles-1*", "articles-[234]*"):
        add(output, [pattern], config)
        rows = read_table(output, "index").to_pylist()
        vectors.append({row["article_id"]: row["vector"] for row in rows})
    before, after = vectors
    known = {key: vector for key, vector in before.items() if vector is not None}
    assert known
    assert known == {key: after[key] for key in known}
    once = str(tmp_path / "once")
    batch.run([f"{EXAMPLES}/articles-*"], once, config, fields={})
    grown, whole = placed(output), placed(once)
    both = sorted(grown.keys() & whole.keys())
    score = bcubed(*([rows[i]["story_id"] for i in both] for rows in (whole, grown)))
    assert score.f1 > 0.9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lookback": 0}, "lookback must be above 0 days, got 0"),
        ({"index_days": 3}, "index days must be at least the lookback, got index_days=3"),
    ],
)
def test_days_that_mean_nothing_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Additions(**given)


def test_copies_are_added_to_without_stories(tmp_path):
    output = str(tmp_path / "out")
    config = Config(stories=False)
    for patterns in (["articles-1*"], ["articles-2*", "articles-3*", "articles-4*"]):
        add(output, patterns, config)
    articles = placed(output)
    assert all(row["story_id"] == row["duplicate_group_id"] for row in articles.values())
    once = str(tmp_path / "once")
    batch.run([f"{EXAMPLES}/articles-*"], once, config, fields={})
    other = placed(once)
    both = articles.keys() & other.keys()
    assert groups(articles, both) == groups(other, both)


# Runs as often as it is told, each time in a process of its own, which dies at the given
# call of those that touch the output folder; tells how it ended and how many calls there
# were.
DYING = """
    import os, signal, sys
    from apache_beam.io.filesystems import FileSystems
    from pipeline import batch
    from pipeline.config import Config
    from pipeline.incremental import Additions

    def dying(call):
        def instead(*given, **named):
            calls.append(call)
            if len(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)
        return instead

    for name in ("create", "rename", "delete", "mkdirs"):
        setattr(FileSystems, name, staticmethod(dying(getattr(FileSystems, name))))
    for line in sys.stdin:
        told = line.split()
        moment, calls = int(told[0]), []
        tell, told_by = os.pipe()
        child = os.fork()
        if not child:
            config = Config(stories=False)
            batch.run(told[2:], told[1], config, fields={}, additions=Additions())
            os.write(told_by, str(len(calls)).encode())
            os._exit(0)
        os.close(told_by)
        count = os.fdopen(tell).read() or 0
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), count, flush=True)
"""


@pytest.fixture
def run_dying():
    """Give a function that runs and dies: moment, output and files -> status and calls."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DYING)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(moment, output, files):
        process.stdin.write(f"{moment} {output} {' '.join(files)}\n")
        process.stdin.flush()
        status, calls = process.stdout.readline().split()
        return int(status), int(calls)

    yield run
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_a_run_that_is_killed_leaves_the_folder_as_it_was(tmp_path, run_dying):
    output, reference = str(tmp_path / "out"), str(tmp_path / "reference")
    for folder in (output, reference):
        add(folder, ["articles-4*"], Config(stories=False))
    files = [f"{EXAMPLES}/articles-3*"]
    status, calls = run_dying(0, reference, files)
    assert status == 0
    before = (Path(output) / "manifest.json").read_bytes()
    articles = placed(output)
    moments = sorted({max(1, round(calls * tenth / 10)) for tenth in range(1, 11)})
    assert len(moments) == 10
    for moment in moments:
        status, _ = run_dying(moment, output, files)
        assert status == -signal.SIGKILL
        if (Path(output) / "manifest.json").read_bytes() != before:
            # It died once all was done but to delete what is no longer named.
            assert moment == moments[-1]
            break
        assert placed(output) == articles
    assert run_dying(0, output, files)[0] == 0
    assert placed(output) == placed(reference)
    left = {path.name for path in Path(output).iterdir()}
    assert left == {path.name for path in Path(reference).iterdir()}


WORDS = [
    "".join(syllables)
    for syllables in itertools.product(("ash", "mill", "dun", "west", "har"), repeat=3)
]
SIGN_IN = (
    "Add your place to what you write so that your readers find out where you are\n"
    "When you write with a place added it is kept by us and can be seen by all\n"
    "You can switch places on and off each time and delete the ones that you added"
)


def made(folder, name, *rows):
    """Write articles of (id, title, text, day) of one source."""
    path = folder / f"{name}.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    **{"id": article, "source": "valley.example", "title": title},
                    **{"text": text, "published_at": f"2026-03-{day:02d}"},
                }
            )
            + "\n"
            for article, title, text, day in rows
        )
    )
    return str(path)


def report(number):
    drawn = random.Random(number).choices(WORDS, k=90)
    return "\n".join(" ".join(drawn[at : at + 30]) + "." for at in (0, 30, 60))


def run_by_run(folder, files):
    config = Config(stories=False)
    for file in files:
        batch.run([file], str(folder / "out"), config, fields={}, additions=Additions())
    batch.run(files, str(folder / "once"), config, fields={})
    return placed(str(folder / "out")), placed(str(folder / "once"))


def test_a_sign_in_page_that_comes_once_a_run_is_nobodys_copy(tmp_path):
    titles = ("Ashford Council", "Milltown", "Dunbury Police Desk", "Westley Fire")
    files = [
        made(
            tmp_path,
            f"run{n}",
            (f"page{n}", title, SIGN_IN, 1 + 6 * n),
            (f"report{n}", None, report(n), 1 + 6 * n),
        )
        for n, title in enumerate(titles)
    ]
    grown, once = run_by_run(tmp_path, files)
    assert groups(grown, grown) == groups(once, once) == set()
    # The first two came before it showed; what was written of them stays.
    assert [grown[f"page{n}"]["word_count"] > 0 for n in range(4)] == [True] * 2 + [
        False
    ] * 2
    assert grown["page1"]["duplicate_group_id"] == "page1"
    assert grown["page1"]["story_id"] == "page0"
    live = {
        row["story_id"] for row in read_table(str(tmp_path / "out"), "stories").to_pylist()
    }
    assert live == {row["story_id"] for row in grown.values()}
    changes = read_table(str(tmp_path / "out"), "changes").to_pylist()
    assert [
        row["article_id"] for row in changes if row["change"] == "copy_group_changed"
    ] == ["page1"]
    assert not [
        row
        for row in read_table(str(tmp_path / "out"), "matches").to_pylist()
        if {"page0", "page1"} == {row["article_id"], row["matched_article_id"]}
        and row["accepted"]
    ]


def test_a_slogan_that_comes_once_a_run_is_learnt(tmp_path):
    slogan = "You are reading the early valley edition"
    files = [
        made(tmp_path, f"run{n}", (f"a{n}", None, f"{slogan}\n{report(n)}", 1 + n))
        for n in range(4)
    ]
    grown, once = run_by_run(tmp_path, files)
    assert not any(slogan in row["text"] for row in once.values())
    assert [slogan in grown[f"a{n}"]["text"] for n in range(4)] == [True] * 2 + [False] * 2
    assert groups(grown, grown) == groups(once, once)


def test_lines_are_kept_for_every_article(grown):
    output, states = grown
    rows = read_table(output, "lines")
    assert rows.num_rows == len(states[-1][1])


def test_the_articles_that_wait_are_those_that_stories_are_formed_of(grown):
    output, _ = grown
    manifest = read_manifest(output)
    days = np.arange(1 << 15)
    rows = concatenate(
        [
            remembered_of(path, Arrivals(days, 1.0, 1.0))
            for path in table_files(output, manifest, "index")
        ],
        REMEMBERED,
    )
    keys = column(rows, "article_key")
    recent = np.arange(len(keys)) % 3 > 0
    rows = with_column(rows, "is_recent", pa.array(recent))
    # Some stand for a group now that did not before, and some do no more.
    regrouped = np.sort(keys[::2])
    regrouped = regrouped[: len(regrouped) // 2 * 2]
    standing = np.repeat(regrouped[::2], 2)
    groups = pa.RecordBatch.from_arrays(
        [pa.array(values) for values in (regrouped, standing, standing)], schema=COPY_GROUP
    )
    found = waiting_nodes(rows, groups)
    nodes, vectors = old_nodes(rows, groups)
    assert found.schema.equals(WAITING)
    for name in WAITING.names:
        expected = vectors if name == "vector" else nodes
        assert found.column(name).equals(
            expected.column(name).cast(found.schema.field(name).type)
        )
