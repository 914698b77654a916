"""New articles beside those that came before: copies, stories, names, what is told."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_reports import FERRY, MARKET, RETOLD
from pipeline.config import Config
from pipeline.streaming import stream_rules
from schemas.article import RAW
from schemas.batch import column, concatenate
from schemas.past import STANDING
from schemas.story import ARTICLES, CHANGES, INDEX
from transforms import asking_again, assigning
from transforms.assigning import assign
from transforms.boilerplate import strip_batch
from transforms.embedding_model import DEFAULT_MODEL
from transforms.line_rules import rule_lines
from transforms.micro_batches import NO_MEMORY
from transforms.parsing import parse_articles
from transforms.past import id_keys
from transforms.remembering import NO_PAST, forget

LATEST = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


def rules(**given):
    return stream_rules(
        Config(**{"embedding": "none"} | given),
        window_seconds=300,
        lookback=7.0,
        most=1_000,
    )


def arrived(*rows, how=None):
    """Make what `assign` takes of (id, text, hour of its publication)."""
    raw = [
        {
            "file": f"s#{article_id}",
            "position": 1,
            "id": article_id,
            "source": f"{article_id}.example",
            "title": text.split(" on ")[0],
            "text": text,
            "published_at": f"2026-05-12T{hour:02}:00:00Z",
            "language": "en",
            "repaired": False,
        }
        for article_id, text, hour in rows
    ]
    empty = dict.fromkeys(RAW.names)
    found = pa.RecordBatch.from_pylist([empty | row for row in raw], schema=RAW)
    articles, _ = parse_articles(found, latest=LATEST)
    cleaned, _ = strip_batch(rule_lines(articles), NO_MEMORY.recurring, thin_words=25)
    return (how or rules()).fingerprint.fingerprint(cleaned)


def place(windows, how=None, most=1_000):
    """Place windows of articles, of which so many are remembered; give what became."""
    how = how or rules()
    past, assigned = NO_PAST, []
    for number, rows in enumerate(windows, 1):
        label = f"20260512T{number:02}0000Z-{number:06d}"
        assigned.append(assign(arrived(*rows, how=how), past, how.assigning, label))
        kept = {"least": 0, "most": most, "most_known": 1_000}
        past = forget(assigned[-1].past, before="", **kept)
    return assigned, past


def stand(assigned):
    """Give where articles stand after some windows."""
    return {row["article_id"]: row for one in assigned for row in one.placed.to_pylist()}


def stories(assigned):
    return {i: row["story_id"] for i, row in stand(assigned).items()}


def copies(assigned):
    return {i: row["duplicate_group_id"] for i, row in stand(assigned).items()}


def changes(assigned, kind):
    return [
        (row["article_id"], row["story_id"], row["previous_id"])
        for one in assigned
        for row in one.tables["changes"].to_pylist()
        if row["change"] == kind
    ]


def test_articles_join_the_copies_and_stories_that_came_before():
    assigned, past = place(
        [[("a", FERRY, 1), ("m", MARKET, 1)], [("b", FERRY, 2)], [("c", RETOLD, 3)]]
    )
    assert stories(assigned) == {"a": "a", "m": "m", "b": "a", "c": "a"}
    assert copies(assigned) == {"a": "a", "m": "m", "b": "a", "c": "c"}
    assert sorted(changes(assigned, "story_assigned")) == [
        ("a", "a", None),
        ("b", "a", None),
        ("c", "a", None),
        ("m", "m", None),
    ]
    assert past.articles.num_rows == 4


@pytest.mark.parametrize("asked", [0, 100])
def test_where_few_come_pairs_of_those_before_are_scored_again(asked, monkeypatch):
    # So that what is scored is told, though little differs among four articles.
    monkeypatch.setattr(asking_again, "DIFFERENT", 0.0)
    monkeypatch.setattr(assigning, "ASKED", asked)
    assigned, past = place([[("a", FERRY, 1), ("c", RETOLD, 2)], [("m", MARKET, 3)]])
    again = [
        (row["article_id"], row["matched_article_id"], row["run_id"])
        for row in assigned[1].tables["matches"].to_pylist()
    ]
    assert again == ([("c", "a", "20260512T020000Z-000002")] if asked else [])
    assert past.story_edges.num_rows == 1
    assert stories(assigned) == {"a": "a", "c": "a", "m": "m"}


def test_tables_hold_the_new_articles_alone():
    assigned, _ = place([[("a", FERRY, 1)], [("b", FERRY, 2)]])
    for one, article_id in zip(assigned, "ab", strict=True):
        for table, schema in (("articles", ARTICLES), ("index", INDEX)):
            assert one.tables[table].schema.names == schema.names
            assert one.tables[table].column("article_id").to_pylist() == [article_id]
        assert one.tables["changes"].schema == CHANGES
        assert one.placed.schema == STANDING
    (match,) = [row for row in assigned[1].tables["matches"].to_pylist() if row["relation"]]
    assert {match["article_id"], match["matched_article_id"]} == {"a", "b"}
    assert match["relation"] == "exact_copy"


def test_who_stands_as_before_is_not_placed_again():
    assigned, _ = place([[("a", FERRY, 1), ("m", MARKET, 1)], [("b", FERRY, 2)]])
    placed = assigned[1].placed.column("article_id").to_pylist()
    assert "m" not in placed
    assert "b" in placed


@settings(max_examples=10)
@given(st.permutations(range(6)), st.integers(1, 5))
def test_the_order_of_rows_changes_nothing(order, cut):
    articles = arrived(
        *((f"f{n}", f"{FERRY} It was report {n}.", n) for n in range(3)),
        ("r", RETOLD, 4),
        ("m", MARKET, 5),
        ("n", f"{MARKET} More soon.", 6),
    )
    how, label = rules().assigning, "20260512T010000Z-000001"
    begun = assign(arrived(("first", FERRY, 0)), NO_PAST, how, label).past
    later = "20260512T020000Z-000002"
    expected = assign(articles, begun, how, later)
    parts = [articles.take(pa.array(part)) for part in (order[:cut], order[cut:])]
    found = assign(concatenate(parts, articles.schema), begun, how, later)
    assert found.tables == expected.tables
    assert found.placed == expected.placed
    assert found.past == expected.past


def test_a_group_goes_on_when_who_stood_for_it_is_forgotten():
    """Whoever is at hand stands for the group: else nobody would meet it any more."""
    windows = [[("a", FERRY, 1)], [("b", FERRY, 2)], [("m", MARKET, 3)]]
    _, past = place(windows, most=2)
    assert past.articles.column("article_id").to_pylist() == ["b", "m"]
    assigned, _ = place([*windows, [("c", RETOLD, 4)]], most=2)
    assert stories(assigned)["c"] == "a"
    assigned, _ = place([*windows, [("d", FERRY, 4)]], most=2)
    assert copies(assigned)["d"] == stories(assigned)["d"] == "a"


@pytest.mark.parametrize("with_stories", [True, False])
def test_a_copy_group_keeps_its_name_and_story_as_its_members_are_forgotten(with_stories):
    how = rules(stories=with_stories)
    windows = [[(f"{n:02}", FERRY, n)] for n in range(10)]
    assigned, past = place(windows, how, most=8)
    assert set(copies(assigned).values()) == set(stories(assigned).values()) == {"00"}
    assert past.articles.num_rows == 8
    assert not changes(assigned, "story_merged")
    assert not changes(assigned, "copy_group_changed")


def test_who_speaks_in_place_of_a_forgotten_article_is_told():
    assigned, _ = place([[("a", FERRY, 1)], [("b", RETOLD, 2)], [("c", FERRY, 3)]], most=1)
    placed = stand(assigned)
    assert stories(assigned)["b"] == "a"
    assert [i for i, row in placed.items() if row["relation"] == "canonical"] != ["a"]
    spoke = changes(assigned, "canonical_changed")
    assert spoke[0][2] == "a"
    assert {story for _, story, _ in spoke} == {"a"}


def test_a_story_that_is_part_of_another_is_told_to_be():
    """The second report of a copy group joins what its first article began."""
    half = FERRY.split(". ")
    first, second = ". ".join(half[:3]) + ".", ". ".join(half[2:])
    windows = [[("a", first, 1), ("b", second, 2)], [("c", FERRY, 3)]]
    assigned, _ = place(windows)
    before, after = stories(assigned[:1]), stories(assigned)
    moved = {(None, after[i], before[i]) for i in "ab" if after[i] != before[i]}
    assert moved == set(changes(assigned[1:], "story_merged"))
    assert len(set(after.values())) == 1


def test_every_name_is_that_of_an_article_of_the_story():
    texts = [FERRY, RETOLD, MARKET]
    windows = [[(f"{n}{i}", text, n) for i, text in enumerate(texts)] for n in range(5)]
    for most in (2, 5, 100):
        assigned, past = place(windows, most=most)
        placed = stand(assigned)
        for row in placed.values():
            assert placed[row["story_id"]]["story_id"] == row["story_id"]
            group = placed[row["duplicate_group_id"]]
            assert group["duplicate_group_id"] == row["duplicate_group_id"]
            assert group["story_id"] == row["story_id"]
        for name, key in (("story_id", "story_key"), ("duplicate_group_id", "group_key")):
            keys = id_keys(past.standings.column(name))
            np.testing.assert_array_equal(keys, column(past.standings, key))


def test_embeddings_are_made_once():
    how = rules(embedding="all", embedding_tokens=16)
    assert how.assigning.embedding_model == DEFAULT_MODEL
    assigned, past = place([[("a", FERRY, 1)], [("b", RETOLD, 2), ("m", MARKET, 2)]], how)
    assert [one.embedded for one in assigned] == [1, 2]
    assert past.vectors.num_rows == 3
    first = assigned[0].past.vectors
    assert past.vectors.slice(0, 1) == first
    (indexed,) = assigned[0].tables["index"].column("vector").to_pylist()
    assert indexed == first.column("vector")[0].as_py()
    np.testing.assert_allclose(np.linalg.norm(indexed), 1, atol=1e-3)


def test_no_more_are_embedded_than_is_their_share(monkeypatch):
    """Of few articles a hundred may be; where more are already, it is nobody's turn."""
    how = rules(embedding="undecided", embedding_tokens=16)
    monkeypatch.setattr("transforms.assigning.LEAST", 0)
    windows = [[(f"{n}{i}", f"{RETOLD} {n}", n) for i in range(3)] for n in range(3)]
    _, past = place(windows, how)
    assert past.vectors.num_rows <= 0.25 * past.articles.num_rows
