"""Window after window: what becomes of articles, what is told of it, what is remembered."""

import collections
import dataclasses
import datetime
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from made_reports import FERRY, MARKET
from pipeline import batch
from pipeline.agreement import bcubed
from pipeline.config import Config
from pipeline.show import read_table
from pipeline.streaming import stream_rules
from schemas.article import ARTICLE, RAW, REJECT
from schemas.batch import column, concatenate
from transforms import micro_batches
from transforms.line_rules import rule_lines
from transforms.micro_batches import NO_MEMORY, place_window, remember
from transforms.parsing import parse_articles
from transforms.past import id_keys
from transforms.reading import read_files
from transforms.windows import REMEMBERED, TABLES, placement_files, write_window

EXAMPLES = Path(__file__).parent.parent / "examples" / "articles"
LATEST = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Let a process remember nothing of the streams of other tests."""
    monkeypatch.setattr(micro_batches, "LATEST", {})


@pytest.fixture(scope="module")
def examples():
    """Give the English example articles, each id once, in the order of their keys."""
    paths = [str(path) for path in sorted(EXAMPLES.iterdir())]
    found = read_files(paths, {}, batch_size=1_000, max_row_bytes=1 << 24)
    articles = concatenate(
        [parse_articles(rows, latest=LATEST)[0] for kind, rows in found if kind == "raw"],
        ARTICLE,
    )
    english = np.array(articles.column("language").to_pylist()) == "en"
    _, first = np.unique(column(articles, "article_key"), return_index=True)
    return articles.take(pa.array(first[english[first]]))


def made(*rows):
    """Make ARTICLE rows of (id, text, message)."""
    raw = [
        {
            "file": f"projects/p/subscriptions/s#{message}",
            "position": 1,
            "id": article_id,
            "source": f"{article_id}.example",
            "title": f"{text.split('. ')[0][:60]}",
            "text": text,
            "published_at": "2026-05-12T08:00:00Z",
            "language": "en",
            "repaired": False,
        }
        for article_id, text, message in rows
    ]
    empty = dict.fromkeys(RAW.names)
    found = pa.RecordBatch.from_pylist([empty | row for row in raw], schema=RAW)
    return parse_articles(found, latest=LATEST)[0]


def unread(*messages):
    rows = [
        {"file": file, "position": 1, "reason": "broken_json", "detail": "made"}
        for file in messages
    ]
    return pa.RecordBatch.from_pylist([{"article_id": None} | row for row in rows], REJECT)


def rules(least=None, config=None, **given):
    settings = {"window_seconds": 300, "lookback": 7.0, "most": 1_000} | given
    found = stream_rules(config or Config(embedding="none"), **settings)
    return found if least is None else dataclasses.replace(found, least=least)


def ends(number, hours=1.0):
    return LATEST + datetime.timedelta(hours=hours * number)


def place(parts, how, memory=NO_MEMORY, hours=1.0):
    """Place parts, each a window; give the windows and what is remembered then."""
    windows = []
    for number, part in enumerate(parts, 1):
        waiting = [part] if isinstance(part, pa.RecordBatch) else part
        window, memory = place_window(waiting, memory, how, "en", ends(number, hours))
        windows.append(window)
    return windows, memory


def split(articles, windows, seed):
    order = np.random.default_rng(seed).permutation(articles.num_rows)
    return [articles.take(pa.array(part)) for part in np.array_split(order, windows)]


def rows(window, table):
    return window.tables[table].to_pylist() if table in window.tables else []


def stand(windows):
    """Give where articles stand after some windows."""
    return {row["article_id"]: row for one in windows for row in rows(one, "placements")}


def groups(articles, name, ids):
    members = collections.defaultdict(set)
    for article_id in ids:
        members[articles[article_id][name]].add(article_id)
    return {frozenset(group) for group in members.values()}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    output = str(tmp_path_factory.mktemp("once") / "out")
    batch.run([f"{EXAMPLES}/*"], output, Config(embedding="none"), fields={})
    return {row["article_id"]: row for row in read_table(output, "articles").to_pylist()}


def test_one_window_with_everything_is_a_batch_run(examples, at_once):
    (window,), _ = place([examples], rules())
    placed = {row["article_id"]: row for row in rows(window, "articles")}
    ids = examples.column("article_id").to_pylist()
    assert sorted(placed) == sorted(ids)
    # Rewrites are told by a run alone; here there is none among the English ones.
    told = ("relation", "matched_article_id", "text", "word_count", "story_id")
    told += ("duplicate_group_id", "jaccard", "containment", "thin", "alien")
    for article_id in ids:
        if at_once[article_id]["relation"] != "wire_rewrite":
            assert {name: placed[article_id][name] for name in told} == {
                name: at_once[article_id][name] for name in told
            }


@pytest.mark.parametrize("seed", range(3))
def test_over_several_windows_copies_are_equal_and_stories_nearly(examples, at_once, seed):
    windows, _ = place(split(examples, 6, seed), rules())
    placed = stand(windows)
    ids = sorted(placed)
    assert len(ids) == examples.num_rows
    score = bcubed(
        *([found[i]["duplicate_group_id"] for i in ids] for found in (at_once, placed))
    )
    # What recurs is learnt of one window: some texts keep a line, and may part.
    assert score.f1 > 0.97
    score = bcubed(*([found[i]["story_id"] for i in ids] for found in (at_once, placed)))
    assert score.f1 > 0.9


def test_copies_over_several_windows_are_those_of_one():
    texts = [FERRY, FERRY.replace("214", "241"), FERRY + " Trains were full.", FERRY]
    articles = made(*((str(n), text, n) for n, text in enumerate(texts)))
    (once,), _ = place([articles], rules())
    ids = [str(n) for n in range(4)]
    expected = groups(stand([once]), "duplicate_group_id", ids)
    assert expected == {frozenset(ids)}
    for order in itertools.permutations(range(4)):
        windows, _ = place([articles.slice(row, 1) for row in order], rules())
        assert groups(stand(windows), "duplicate_group_id", ids) == expected


@pytest.mark.parametrize("seed", range(4))
def test_order_and_batches_within_a_window_change_nothing(examples, seed):
    first, second = split(examples, 2, 9)
    expected, memory = place([first, second], rules())
    random = np.random.default_rng(seed)

    def mixed(articles):
        cuts = np.sort(random.integers(0, articles.num_rows, 3))
        parts = np.split(random.permutation(articles.num_rows), cuts)
        found = [articles.take(pa.array(part)) for part in parts if len(part)]
        # Some came with the rules of their lines, some without.
        return [rule_lines(part) if random.random() < 0.5 else part for part in found]

    windows, again = place([mixed(first), mixed(second)], rules())
    for one, other in zip(windows, expected, strict=True):
        assert one.counts == other.counts
        assert one.tables.keys() == other.tables.keys()
        for table, found in one.tables.items():
            assert found == other.tables[table], table
    assert again.past.standings == memory.past.standings
    assert again.recurring == memory.recurring


def test_a_window_gives_rows_of_the_schemas_that_are_written(examples):
    (window,), memory = place([[examples, unread("m")]], rules())
    for table, found in window.tables.items():
        names = [name for name in TABLES[table].names if name in found.schema.names]
        assert found.schema.names == names
    assert window.counts["placed"] == examples.num_rows == len(rows(window, "raw"))
    assert window.counts["rejected"] == 1
    assert window.counts["remembered_bytes"] > 0
    assert memory.sequence == 1


def test_a_message_that_comes_again_counts_once():
    first = made(("a", FERRY, 1), ("a", FERRY, 1), ("a", FERRY, 2))
    windows, memory = place([first, made(("a", FERRY, 1), ("a", FERRY, 3))], rules())
    assert [one.counts["placed"] for one in windows] == [1, 0]
    assert [one.counts["repeated"] for one in windows] == [2, 2]
    assert [len(rows(one, "raw")) for one in windows] == [1, 0]
    assert not rows(windows[1], "placements")
    assert not rows(windows[1], "rejects")
    assert memory.past.articles.num_rows == 1


def test_one_that_is_forgotten_counts_once_while_its_story_goes_on():
    again = made(("a", FERRY, 1))
    parts = [again, *(made((name, FERRY, name)) for name in "bcd"), again]
    windows, memory = place(parts, rules(most=2))
    assert [one.counts["placed"] for one in windows] == [1, 1, 1, 1, 0]
    assert windows[-1].counts["repeated"] == 1
    remembered = memory.past.articles.column("article_id").to_pylist()
    assert sorted(remembered) == ["c", "d"]
    placed = stand(windows)
    assert {row["duplicate_group_id"] for row in placed.values()} == {"a"}
    assert {row["story_id"] for row in placed.values()} == {"a"}


def test_a_copy_group_keeps_its_id_while_any_of_its_members_is_remembered(tmp_path):
    """Nobody can be compared any more with the article that most were compared with."""
    output, how = str(tmp_path), rules(least=0, most=4)
    parts = [made((f"{n:02}", FERRY, n)) for n in range(14)]
    windows, memory = place(parts, how)
    for window in windows:
        write_window(window, output)
    assert memory.past.articles.num_rows == 4
    assert {row["duplicate_group_id"] for row in stand(windows).values()} == {"00"}
    changed = [row for one in windows for row in rows(one, "changes")]
    assert "copy_group_changed" not in {row["change"] for row in changed}
    micro_batches.LATEST.clear()
    anew = remember(output, "en", how)
    assert anew.past.standings == memory.past.standings
    for known in (anew, memory):
        window, _ = place_window([made(("x", FERRY, 99))], known, how, "en", ends(20))
        (placed,) = rows(window, "articles")
        assert placed["duplicate_group_id"] == "00"


def test_copies_of_a_forgotten_article_stay_its_copies():
    """Two parts of one report share nothing; the report that held both is forgotten."""
    whole = " ".join(
        f"{part} A second passage told of the {n} boats that were near and of their crews."
        for n, part in enumerate((FERRY, MARKET))
    )
    texts = [("whole", whole), ("one", FERRY), ("two", MARKET), ("new", FERRY)]
    windows, memory = place(
        [made((*text, n)) for n, text in enumerate(texts)], rules(most=2)
    )
    assert {row["duplicate_group_id"] for row in stand(windows).values()} == {"whole"}
    assert stand(windows[:3])["one"]["relation"] == "partial_reprint"
    assert stand(windows)["two"]["relation"] == "partial_reprint"
    window, _ = place_window([made(("m", MARKET, 9))], memory, rules(most=2), "en", ends(9))
    (placed,) = rows(window, "articles")
    assert placed["duplicate_group_id"] == "whole"


def test_an_id_with_other_content_is_a_reject_and_is_received_all_the_same():
    other = made(("a", FERRY.replace("ferry", "liner"), 2))
    first, memory = place([made(("a", FERRY, 1))], rules())
    windows, memory = place([[other, other], other], rules(), memory)
    assert [one.counts["rejected"] for one in windows] == [1, 0]
    (reject,) = rows(windows[0], "rejects")
    assert (reject["article_id"], reject["reason"]) == ("a", "repeated_id")
    assert reject["file"].endswith("#2")
    (received,) = rows(windows[0], "raw")
    assert received["id"] == "a"
    assert "liner" in received["text"]
    assert not rows(windows[1], "raw")
    assert not rows(windows[1], "rejects")
    assert memory.past.articles.num_rows == 1
    assert len(rows(first[0], "raw")) == 1


def test_two_contents_of_an_id_in_one_window_do_not_depend_on_their_order():
    articles = made(("a", FERRY, 1), ("a", FERRY.replace("ferry", "liner"), 2))
    found = []
    for order in ([0, 1], [1, 0]):
        (window,), _ = place([articles.take(pa.array(order))], rules())
        assert (window.counts["placed"], window.counts["rejected"]) == (1, 1)
        assert len(rows(window, "raw")) == 2
        found.append(window.tables)
    assert found[0] == found[1]


def test_rejects_that_come_again_are_listed_once():
    windows, _ = place([[unread("1", "2", "1")], [unread("2", "3")]], rules())
    assert [[row["file"] for row in rows(one, "rejects")] for one in windows] == [
        ["1", "2"],
        ["3"],
    ]
    assert [one.counts["rejected"] for one in windows] == [2, 1]


# Windows, how long and how much is remembered.
LONG = {"most": 1_000}
SHORT = {"least": 3, "most": 12, "lookback": 0.2}


@pytest.mark.parametrize(("seed", "how"), [(1, LONG), (2, SHORT), (3, SHORT), (4, LONG)])
def test_every_id_lives_on_or_is_followed_through_changes(examples, seed, how):
    placed = {}
    memory = NO_MEMORY
    for part in split(examples, 9, seed):
        (window,), memory = place([part], rules(**how), memory)
        before, placed = placed, placed | stand([window])
        told = collections.defaultdict(set)
        for row in rows(window, "changes"):
            told[row["change"]].add(
                (row["article_id"], row["previous_id"], row["story_id"])
            )
        for article_id, was in before.items():
            now = placed[article_id]
            old, new = was["story_id"], now["story_id"]
            assert old == new or (
                told["story_merged"] & {(None, old, new)}
                or told["story_assigned"] & {(article_id, old, new)}
            )
            old = was["duplicate_group_id"]
            assert old == now["duplicate_group_id"] or (
                told["copy_group_changed"] & {(article_id, old, new)}
            )
        merged = {old: new for _, old, new in told["story_merged"]}
        assert len(merged) == len(told["story_merged"])
        live = {row["story_id"] for row in placed.values()}
        for row in before.values():
            assert row["story_id"] in live or merged[row["story_id"]] in live
        speaks = {
            story: {
                row["story_id"]: article_id
                for article_id, row in found.items()
                if row["relation"] == "canonical"
            }
            for story, found in (("was", before), ("now", placed))
        }
        # One speaks for every story, and who does not any more is told.
        assert speaks["now"].keys() == live
        assert told["canonical_changed"] == {
            (speaks["now"][story], was, story)
            for story, was in speaks["was"].items()
            if story in live and speaks["now"][story] != was
        }


@pytest.mark.parametrize("stories", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_holds_together(examples, seed, stories):
    config = Config(embedding="none", stories=stories)
    memory, placed = NO_MEMORY, {}
    for part in split(examples, 8, seed):
        (window,), memory = place([part], rules(config=config, **SHORT), memory)
        placed |= stand([window])
        past = memory.past
        standings = past.standings.to_pylist()
        known = [row["article_key"] for row in standings]
        live = set(column(past.articles, "article_key").tolist())
        assert known == sorted(set(known))
        assert live <= set(known)
        for edges, among in ((past.copy_edges, set(known)), (past.story_edges, live)):
            for name in ("article_key", "matched_key"):
                assert set(column(edges, name).tolist()) <= among
        for row in standings:
            assert placed[row["article_id"]] == row
            names = pa.array([row["story_id"], row["duplicate_group_id"]])
            assert id_keys(names).tolist() == [row["story_key"], row["group_key"]]
            assert (
                stories or row["story_id"] == placed[row["duplicate_group_id"]]["story_id"]
            )
        of_group = collections.defaultdict(set)
        for row in standings:
            of_group[row["group_key"]].add(row["story_key"])
        assert {len(found) for found in of_group.values()} == {1}


def test_a_story_keeps_its_name_though_its_first_article_is_forgotten():
    texts = [f"{FERRY} A tug stood by, report {number} said." for number in range(12)]
    parts = [made((f"{n:02}", text, n)) for n, text in enumerate(texts)]
    windows, memory = place(parts, rules(most=2))
    placed = stand(windows)
    assert {row["story_id"] for row in placed.values()} == {"00"}
    assert memory.past.articles.num_rows == 2
    changes = [row for one in windows for row in rows(one, "changes")]
    spoke = [row for row in changes if row["change"] == "canonical_changed"]
    assert spoke
    assert {row["story_id"] for row in spoke} == {"00"}
    canonical = [i for i, row in placed.items() if row["relation"] == "canonical"]
    assert canonical == [spoke[-1]["article_id"]]
    # Who spoke last for the story was told to have spoken before.
    for one, other in itertools.pairwise(spoke):
        assert other["previous_id"] == one["article_id"]


def test_memory_stays_bounded_over_many_windows():
    how = rules(least=0, most=20, lookback=0.5)
    how = dataclasses.replace(how, most_known=10)
    memory, sizes = NO_MEMORY, []
    for number in range(40):
        text = f"{FERRY} It was the {number}th time, ward {number * 7} said at {number}."
        other = f"Council {number} met on item {number * 3}. " * 6
        part = made((f"a{number}", text, number), (f"b{number}", other, number + 1_000))
        window, memory = place_window([part], memory, how, "en", ends(number))
        sizes.append(window.counts["remembered_articles"])
        past = memory.past
        assert past.articles.num_rows == sizes[-1] <= 20
        assert past.story_edges.num_rows <= 20 * 19 / 2
    assert sum(sizes[-5:]) == 5 * 20
    # Of the forgotten of stories that go on so many are known, and what gives a name.
    names = {
        row[k]
        for row in past.standings.to_pylist()
        for k in ("story_id", "duplicate_group_id")
    }
    assert past.standings.num_rows <= 20 + 10 + len(names)


SYLLABLES = ("den", "far", "gol", "pim", "vus", "tor", "ka", "lo", "mi", "ru", "te", "sa")
WORDS = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=3)]


def test_in_a_long_replay_every_part_of_what_is_remembered_stops_growing():
    """Articles, what recurs at their source this week, and rejects; each as it was."""
    random = np.random.default_rng(0)
    config = Config(embedding="none", stories=False)
    how = rules(least=0, lookback=15 / 24, config=config)
    memory, noted, parts = NO_MEMORY, 0, []
    for number in range(100):
        # A slogan is furniture of the source for ten windows.
        slogan = " ".join(WORDS[number // 10 * 7 : number // 10 * 7 + 6]).capitalize()
        text = f"{' '.join(random.choice(WORDS, 40)).capitalize()}.\n{slogan}"
        part = made(("a", text, number))
        source = part.schema.get_field_index("source")
        part = part.set_column(source, "source", pa.array(["sound.example"]))
        key = pa.array([number + 1], pa.uint64())
        part = part.set_column(0, "article_key", key)
        part = part.set_column(1, "article_id", pa.array([f"{number:03}"]))
        came = [part, unread(f"m{number}")]
        window, memory = place_window(came, memory, how, "en", ends(number))
        noted += len(rows(window, "recurring"))
        parts.append({name: window.counts[name] for name in REMEMBERED})
    assert noted >= 8
    for name in REMEMBERED[:-1]:
        sizes = [one[name] for one in parts]
        assert max(sizes[25:50]) == max(sizes[75:]), name
        assert max(sizes) < 30, name
    assert parts[-1]["remembered_rejects"] == parts[-1]["remembered_articles"]
    first, last = (
        max(one["remembered_bytes"] for one in parts[k : k + 25]) for k in (25, 75)
    )
    assert last < 1.1 * first


def test_what_is_older_than_the_lookback_goes_unless_it_is_among_the_least():
    parts = [made((name, f"{FERRY} {name}", name)) for name in "abcdef"]
    for least, left in ((0, 3), (4, 4), (99, 6)):
        windows, memory = place(parts, rules(least=least, lookback=2 / 24))
        assert memory.past.articles.num_rows == left
        assert sum(one.counts["forgotten"] for one in windows) == 6 - left


@pytest.mark.parametrize(("seed", "how"), [(1, LONG), (2, SHORT), (3, SHORT)])
def test_a_job_that_begins_anew_goes_on_as_if_it_had_never_stopped(
    examples, tmp_path, seed, how
):
    output, how = str(tmp_path), rules(**how)
    random = np.random.default_rng(seed)
    memory, parts, learnt = NO_MEMORY, split(examples, 9, seed), 0
    for number, part in enumerate(parts, 1):
        if number > 1:
            # Some of what came before comes again.
            rest = np.flatnonzero(
                np.isin(
                    column(examples, "article_key"), memory.past.standings[0].to_numpy()
                )
            )
            again = examples.take(pa.array(random.choice(rest, 2)))
            part = concatenate([part, again], ARTICLE)
        micro_batches.LATEST.clear()
        anew = remember(output, "en", how)
        assert anew.sequence == memory.sequence
        other, _ = place_window([part], anew, how, "en", ends(number))
        window, memory = place_window([part], memory, how, "en", ends(number))
        assert window.tables.keys() == other.tables.keys()
        for table, found in window.tables.items():
            assert found == other.tables[table], table
        assert window.counts == other.counts | {
            "remembered_bytes": window.counts["remembered_bytes"]
        }
        write_window(window, output)
        learnt += len(rows(window, "recurring"))
    assert learnt > 0


def test_a_process_that_goes_on_need_not_read(tmp_path):
    output, how = str(tmp_path), rules()
    window, memory = place_window([made(("a", FERRY, 1))], NO_MEMORY, how, "en", ends(1))
    assert remember(output, "en", how) is NO_MEMORY
    write_window(window, output)
    micro_batches.LATEST[output, "en"] = memory
    assert remember(output, "en", how) is memory
    window, _ = place_window([made(("b", FERRY, 2))], memory, how, "en", ends(2))
    write_window(window, output)
    # Another process placed one since.
    assert remember(output, "en", how).past.articles.num_rows == 2


def test_a_window_that_died_is_placed_anew(tmp_path):
    output, how = str(tmp_path), rules()
    first, memory = place_window([made(("a", FERRY, 1))], NO_MEMORY, how, "en", ends(1))
    write_window(first, output)
    died, _ = place_window([made(("b", FERRY, 2))], memory, how, "en", ends(2))
    Path(output, write_window(died, output)[-1]).unlink()
    anew = remember(output, "en", how)
    assert anew.sequence == 1
    assert not list(Path(output).glob("*/*-000002-*"))
    both = made(("b", FERRY, 2), ("c", FERRY, 3))
    window, _ = place_window([both], anew, how, "en", ends(2))
    write_window(window, output)
    assert window.counts["placed"] == 2
    assert len(placement_files(output)) == 2


def test_no_more_is_remembered_anew_than_was(tmp_path):
    output, how = str(tmp_path), rules(least=0, most=3)
    memory = NO_MEMORY
    for number in range(8):
        part = made((str(number), f"{FERRY} {number}", number))
        window, memory = place_window([part], memory, how, "en", ends(number))
        write_window(window, output)
    micro_batches.LATEST.clear()
    past = remember(output, "en", how).past
    assert sorted(past.articles.column("article_id").to_pylist()) == ["5", "6", "7"]
    assert past.standings == memory.past.standings


def test_where_forgotten_articles_stand_is_written_again_while_their_story_goes_on(
    tmp_path,
):
    """What is older than the lookback is not read; a name must not be lost with it."""
    output, how = str(tmp_path), rules(least=0, most=1, lookback=0.5)
    memory = NO_MEMORY
    for number in range(30):
        part = made((f"{number:02}", f"{FERRY} Report {number}.", number))
        window, memory = place_window([part], memory, how, "en", ends(number))
        write_window(window, output)
    for path in placement_files(output)[:10]:
        Path(path).unlink()
    micro_batches.LATEST.clear()
    past = remember(output, "en", how).past
    assert past.standings == memory.past.standings
    assert past.standings.num_rows == 30
    assert set(past.standings.column("story_id").to_pylist()) == {"00"}


def sorted_rows(batch):
    return sorted(batch.to_pylist(), key=lambda row: row["article_key"])


def test_embeddings_are_made_once_and_remembered(examples, tmp_path):
    config = Config(embedding_tokens=16)
    output, how = str(tmp_path), rules(config=config)
    windows, memory = place(split(examples, 3, 5), how)
    for window in windows:
        write_window(window, output)
    late = [row for one in windows for row in rows(one, "vectors")]
    assert late
    anew = remember(output, "en", how).past
    assert sorted_rows(anew.vectors) == sorted_rows(memory.past.vectors)
    embedded = sum(one.counts["embedded"] for one in windows)
    assert embedded > 0
    vectors = memory.past.vectors
    assert vectors.num_rows == embedded
    assert len(set(column(vectors, "article_key").tolist())) == embedded
    indexed = [row for one in windows for row in rows(one, "index")]
    assert len(indexed) == examples.num_rows
    held = {row["article_key"]: row["vector"] for row in vectors.to_pylist()}
    for row in indexed:
        assert row["vector"] is None or row["vector"] == held[row["article_key"]]
    (once,), _ = place([examples], rules(config=config))
    ids = examples.column("article_id").to_pylist()
    stories = [[stand(one)[i]["story_id"] for i in ids] for one in ([once], windows)]
    assert bcubed(*stories).f1 > 0.9
