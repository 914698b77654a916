import datetime
import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from schemas.article import CLEANED
from schemas.match import COPY_EVIDENCE
from transforms.copies import FindCopies, edges_of_shard, wanted_articles
from transforms.copy_groups import COPY_GROUP
from transforms.fingerprint import fingerprint_articles
from transforms.meeting_places import PLACE, PLACED_PAIR
from transforms.speakers import COPIED
from transforms.spilling import spill
from transforms.verification import CopyThresholds

WORDS = ["".join(letters) for letters in itertools.product("bdklmnprst", "aeiou", "lnrst")]
FIRST_DAY = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)


def words(count, seed):
    return random.Random(seed).choices(WORDS, k=count)


def cleaned(texts, day=lambda number: 0):
    """Rows of CLEANED, one a text, keyed from 1."""
    rows = [
        {
            "article_key": number,
            "article_id": f"a{number}",
            "url": None,
            "source": f"s{number}.example",
            "published_at": FIRST_DAY + datetime.timedelta(days=day(number)),
            "title": None,
            "text": " ".join(text),
            "language": "en",
            "content_key": number,
            "file": "made.jsonl",
            "position": number,
            "notes": [],
            "credited_source": None,
            "word_count": len(text),
            "removed_word_count": 0,
            "thin": len(text) < 25,
            "alien": False,
        }
        for number, text in enumerate(texts, start=1)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CLEANED)


@pytest.fixture
def corpus():
    """Twelve texts: 1, 2, 3 and 7 are one, 4 a brief in 5, the rest strangers or thin."""
    base, long = words(200, 1), words(300, 2)
    return cleaned(
        [
            base,
            base,
            [*base[:100], "other", *base[101:]],
            long[100:180],
            long,
            words(150, 3),
            base[:140],
            words(150, 4),
            words(20, 5),
            words(20, 5),
            words(150, 6),
            words(150, 7),
        ]
    )


@pytest.fixture
def found(apply, tmp_path):
    """Give what finds the copies among articles, in batches that wait on disk."""

    def find(articles, batch_size=5, **settings):
        parts = [
            articles.slice(first, batch_size)
            for first in range(0, articles.num_rows, batch_size)
        ]
        inputs = {
            "fingerprints": [fingerprint_articles(part) for part in parts],
            "cleaned": [spill(part, str(tmp_path)) for part in parts],
        }
        return apply(FindCopies(**settings), inputs)

    return find


@pytest.fixture
def run(found):
    """Give what finds the edges, ascending, and the groups of articles."""

    def find(articles, batch_size=5, **settings):
        outputs = found(articles, batch_size, **settings)
        edges = pa.Table.from_batches(outputs["edges"], schema=COPY_EVIDENCE)
        keys = ("article_key", "matched_key")
        edges = edges.sort_by([(name, "ascending") for name in keys])
        return edges, pa.Table.from_batches(outputs["groups"], schema=COPY_GROUP)

    return find


def test_copies_are_found_compared_and_grouped(run, corpus):
    edges, groups = run(corpus)
    relations = {
        (row["article_key"], row["matched_key"]): row["relation"]
        for row in edges.to_pylist()
    }
    assert relations == {
        (1, 2): "exact_copy",
        (1, 3): "near_copy",
        (2, 3): "near_copy",
        (7, 1): "near_copy",
        (7, 2): "near_copy",
        (7, 3): "near_copy",
        (4, 5): "partial_reprint",
    }
    group_of = {row["article_key"]: row["group_key"] for row in groups.to_pylist()}
    assert group_of == {1: 1, 2: 1, 3: 1, 7: 1, 4: 4, 5: 4}


def test_an_edge_names_its_articles_and_the_time_between_them(run):
    base = words(200, 1)
    articles = cleaned([base, base[:150]], day=lambda number: 2 * number)
    edges, _ = run(articles)
    (edge,) = edges.to_pylist()
    # The first is the shorter, and here the later one.
    assert (edge["article_id"], edge["matched_article_id"]) == ("a2", "a1")
    assert edge["gap_days"] == -2


@pytest.mark.parametrize(
    ("batch_size", "shards", "order"), [(12, 1, 1), (1, 8, -1), (4, 3, -1)]
)
def test_batches_shards_and_order_change_nothing(run, corpus, batch_size, shards, order):
    expected = run(corpus)
    turned = corpus.take(pa.array(np.arange(corpus.num_rows)[::order]))
    assert run(turned, batch_size, shards=shards) == expected


def test_a_component_that_is_split_gives_the_same_edges(run):
    base = words(200, 1)
    texts = [[*base[:place], "other", *base[place + 1 :]] for place in range(0, 200, 10)]
    whole, whole_groups = run(cleaned(texts))
    split, split_groups = run(cleaned(texts), max_component=3)
    assert split == whole
    assert split_groups == whole_groups


def test_an_edge_shows_the_passages_that_both_texts_hold(run, corpus):
    edges, _ = run(corpus)
    texts = corpus.column("text").to_pylist()
    for edge in edges.to_pylist():
        left, right = texts[edge["article_key"] - 1], texts[edge["matched_key"] - 1]
        assert edge["passages"]
        for passage in edge["passages"]:
            one = left[passage["start"] : passage["end"]]
            assert one == right[passage["matched_start"] : passage["matched_end"]]


def test_who_is_a_copy_is_told_without_its_text(found, corpus):
    copies = found(corpus)["copied"]
    rows = pa.Table.from_batches(copies, schema=COPIED).to_pylist()
    assert {row["article_key"] for row in rows} == {1, 2, 3, 4, 5, 7}
    assert all(row["headline"] and not row["has_title"] for row in rows)


def test_articles_without_copies_give_no_edges_and_no_groups(run):
    edges, groups = run(cleaned([words(100, seed) for seed in range(4)]))
    assert (edges.num_rows, groups.num_rows) == (0, 0)


def test_thresholds_and_window_reach_their_stages(run, corpus):
    spread = cleaned(
        [text.split() for text in corpus.column("text").to_pylist()],
        lambda number: 2 * number,
    )
    assert run(spread, window_days=1)[0].num_rows == 0
    strict = CopyThresholds(max_gap_days=3, reuse_jaccard=1)
    relations = run(spread, thresholds=strict)[0].column("relation").to_pylist()
    assert sorted(filter(None, relations)) == ["exact_copy", "near_copy", "partial_reprint"]


def test_a_wanted_article_goes_to_each_of_its_places():
    articles = cleaned([words(30, seed) for seed in range(3)])
    places = pa.RecordBatch.from_pylist(
        [
            {"article_key": 1, "shard": 4},
            {"article_key": 3, "shard": 2},
            {"article_key": 3, "shard": 4},
            {"article_key": 9, "shard": 4},
        ],
        schema=PLACE,
    )
    found = {
        shard: batch.column("article_key").to_pylist()
        for shard, batch in wanted_articles(articles, places)
    }
    assert found == {2: [3], 4: [1, 3]}
    assert list(wanted_articles(articles.slice(1, 1), places)) == []


def test_times_before_1970_and_none_travel_as_whole_seconds():
    articles = cleaned([words(30, 0), words(30, 1)])
    times = pa.array([-1_500_000, None], CLEANED.field("published_at").type)
    place = articles.schema.get_field_index("published_at")
    articles = articles.set_column(place, CLEANED.field("published_at"), times)
    places = pa.RecordBatch.from_pylist(
        [{"article_key": 1, "shard": 0}, {"article_key": 2, "shard": 0}], schema=PLACE
    )
    ((_, batch),) = wanted_articles(articles, places)
    assert batch.column("published").to_pylist() == [-2, None]


def test_transform_agrees_with_function(run, corpus):
    expected, _ = run(corpus)
    pairs = [
        {"article_key": left, "matched_key": right, "shard": 0, "split": False}
        for left, right in [(1, 2), (1, 3), (1, 7), (2, 3), (2, 7), (3, 7), (4, 5)]
    ]
    places = pa.RecordBatch.from_pylist(
        [{"article_key": key, "shard": 0} for key in (1, 2, 3, 4, 5, 7)], schema=PLACE
    )
    ((_, articles),) = wanted_articles(corpus, places)
    placed = pa.RecordBatch.from_pylist(pairs, schema=PLACED_PAIR)
    edges, copied = edges_of_shard([articles], placed, CopyThresholds())
    assert copied.column("article_key").to_pylist() == [1, 2, 3, 4, 5, 7]
    assert pa.Table.from_batches([edges]).select(COPY_EVIDENCE.names) == expected
    assert edges.column("matched_word_count").to_pylist()[:2] == [200, 200]
