import dataclasses
import gzip
import itertools
import json
import pathlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agreement import bcubed
from pipeline.fitting import (
    THRESHOLDS,
    as_embedded,
    best_threshold,
    predict,
    regression,
)
from pipeline.labelled import (
    Labelled,
    days_around,
    fingerprint_corpus,
    halves,
    published_on,
    read_labelled,
)
from pipeline.large_stories import (
    measure_large_stories,
    pair_similarity,
    source_stories,
    with_large_story,
)
from pipeline.made_stories import MADE, enlarged, with_made_stories
from pipeline.tune import tune
from schemas.article import RAW
from schemas.batch import column, list_column, with_column
from transforms.main_content import DATA
from transforms.story_model import read_story_model
from transforms.story_scoring import MIN_SCORE, score_block
from transforms.undecided import undecided_keys

PEOPLE = [
    "Ada",
    "Brock",
    "Carmen",
    "Dmitri",
    "Elsa",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Luis",
]
PLACES = [
    "Arden",
    "Belmont",
    "Corvale",
    "Dunmore",
    "Eastby",
    "Farrow",
    "Glenholt",
    "Harwick",
]
DEEDS = [
    "bridge",
    "library",
    "harbour",
    "orchard",
    "museum",
    "tunnel",
    "stadium",
    "windmill",
]
WORDS = [
    "council",
    "budget",
    "winter",
    "market",
    "teacher",
    "railway",
    "river",
    "council",
    "engine",
    "garden",
    "report",
    "meeting",
    "season",
    "village",
    "committee",
    "weather",
    "machine",
    "school",
    "letter",
    "station",
    "evening",
    "plan",
    "farmer",
    "kitchen",
    "bottle",
    "picture",
    "mountain",
    "number",
    "history",
    "question",
]


def corpus(stories, seed=0, per_story=3):
    """Make articles of stories that never happened: names, a place, a deed, filler."""
    random = np.random.default_rng(seed)
    rows = []
    for story in range(stories):
        person, other = random.choice(PEOPLE, 2, replace=False)
        place, deed = random.choice(PLACES), random.choice(DEEDS)
        surname = f"Q{''.join(random.choice(list('aeioulmnrst'), 6))}"
        day = 1 + int(random.integers(27))
        for number in range(per_story):
            filler = " ".join(random.choice(WORDS, 40))
            rows.append(
                {
                    "id": f"{seed}-{story}-{number}",
                    "url": f"https://site{number}.example/{seed}/{story}",
                    "published_at": f"2020-{1 + story % 12:02}-{day:02}",
                    "title": f"The {deed} of {place} and {person} {surname}",
                    "text": f"In {place}, {person} {surname} opened the {deed} today. "
                    f"The mayor, {other} {surname[::-1].title()}, was there. {filler}. "
                    f"People of {place} walked to the {deed} with {surname}.",
                    "story": f"s{seed}-{story}",
                }
            )
    return rows


def written(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def labelled(tmp_path):
    raw, stories = read_labelled(written(tmp_path / "a" / "x.jsonl", corpus(20)))
    prints = fingerprint_corpus(raw).drop_columns(["position"])
    return Labelled("a", prints, np.array(stories, dtype=object))


def test_equal_groupings_agree_whatever_their_names():
    found = bcubed(["a", "a", "b"], [7, 7, 9])
    assert (found.precision, found.recall, found.f1) == (1, 1, 1)


def test_bcubed_of_bagga_and_baldwins_kind_of_example():
    found = bcubed(["a", "a", "a", "b"], [1, 1, 2, 2])
    assert found.precision == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert found.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)


def test_articles_without_a_gold_story_are_left_out():
    assert bcubed(["a", None, "a"], [1, 1, 1]).f1 == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1))
def test_swapping_the_groupings_swaps_precision_and_recall(rows):
    gold, predicted = [row[0] for row in rows], [str(row[1]) for row in rows]
    one, other = bcubed(gold, predicted), bcubed(predicted, gold)
    assert one.precision == pytest.approx(other.recall)
    assert one.f1 == pytest.approx(other.f1)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [(["a"], [1, 2], "equal lengths, got 1 and 2"), ([None], [1], "got none")],
)
def test_groupings_that_cannot_be_compared_are_refused(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        bcubed(gold, predicted)


def test_stories_stay_with_their_articles_across_a_blank_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "1", "text": "a", "story": "s"}\n\n{"id": "2", "text": "b"}\n')
    raw, stories = read_labelled(path)
    assert raw.column("position").to_pylist() == [1, 2]
    assert stories == ["s", None]


def test_a_line_that_is_no_object_is_named(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "1", "text": "a"}\n[1]\n')
    with pytest.raises(ValueError, match="line 2: it holds a list"):
        read_labelled(path)
    path.write_text('{"id": "1"\n')
    with pytest.raises(ValueError, match="line 1:"):
        read_labelled(path)


def test_compressed_labelled_articles_are_read(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "1", "text": "a", "story": "s"}\n'))
    raw, stories = read_labelled(path)
    assert raw.column("id").to_pylist() == ["1"]
    assert stories == ["s"]


def test_halves_share_no_story_and_the_first_is_earlier(labelled):
    first, second = halves(labelled)
    assert not set(first.stories) & set(second.stories)
    assert len(first.stories) + len(second.stories) == 60
    days = [half.fingerprints.column("day").to_numpy() for half in (first, second)]
    assert days[0].max() <= days[1].min()


def test_undated_sibling_stories_stay_in_one_half(labelled):
    names = [f"{number}{kind}" for number in range(10) for kind in ("one", "two")]
    stories = np.array([names[row // 3] for row in range(60)], dtype=object)
    index = labelled.fingerprints.schema.get_field_index("day")
    undated = labelled.fingerprints.set_column(
        index, labelled.fingerprints.schema.field("day"), pa.nulls(60, pa.int32())
    )
    first, second = halves(Labelled("a", undated, stories))
    topics = [{story.rstrip("onetw") for story in half.stories} for half in (first, second)]
    assert topics[0]
    assert topics[1]
    assert not topics[0] & topics[1]


def test_made_members_mix_the_evidence_of_the_story(labelled):
    made = enlarged(labelled, "s0-0", 20, seed=1)
    assert set(made.stories) == {MADE + "s0-0"}
    assert made.fingerprints.schema.equals(labelled.fingerprints.schema)
    real = labelled.take(np.flatnonzero(labelled.stories == "s0-0"))
    known, _ = list_column(real.fingerprints, "names")
    found, offsets = list_column(made.fingerprints, "names")
    for start, end in itertools.pairwise(offsets):
        own = found[start:end]
        assert (np.diff(own.astype(object)) > 0).all()
        assert np.isin(own, known).mean() > 0.5


def test_equal_seeds_make_equal_members(labelled):
    one, two = (enlarged(labelled, "s0-0", 5, seed=3) for _ in range(2))
    assert one.fingerprints.equals(two.fingerprints)


def test_made_stories_take_the_place_of_real_ones(labelled):
    found = with_made_stories(labelled, (10, 12))
    made = [story for story in found.stories if story.startswith(MADE)]
    assert len(made) == 22
    assert len(found.stories) == 60 - 6 + 22


def test_articles_around_a_set_join_it_without_gold(labelled):
    around = dataclasses.replace(labelled, midst=labelled.fingerprints.slice(0, 7))
    found = around.in_midst()
    assert found.fingerprints.num_rows == len(found.stories) == 67
    assert set(found.stories[60:]) == {None}
    assert halves(around)[0].midst.equals(around.midst)
    with pytest.raises(ValueError, match="a must have articles around it, got none"):
        labelled.in_midst()


def test_articles_of_the_days_around_are_chosen(labelled):
    (day,) = labelled.fingerprints.slice(0, 1).column("day").to_pylist()
    days = days_around(labelled.fingerprints.slice(0, 1))
    assert days.tolist() == [day - 1, day, day + 1]
    found = published_on(labelled.fingerprints, days[:2])
    assert set(found.column("day").to_pylist()) <= {day - 1, day}
    assert found.num_rows


@pytest.fixture(scope="module")
def model():
    return read_story_model(DATA)


def test_large_stories_are_measured_among_the_others(labelled, model):
    found = measure_large_stories(labelled, model, sizes=(8, 12), sources=2)
    assert [(one.size, one.members) for one in found] == [(8, 3), (8, 3), (12, 3), (12, 3)]
    assert all(one.recall > 0.9 for one in found)
    # The made-up articles are more alike than news: one story of three takes in another.
    assert {one.story: one.strangers for one in found} == {"s0-0": 3, "s0-18": 0}
    assert found == measure_large_stories(labelled, model, sizes=(8, 12), sources=2)


def test_only_what_is_undecided_is_scored_with_its_vector(labelled, model):
    plain = labelled.fingerprints
    assert as_embedded(plain, model) is plain
    vectors = np.random.default_rng(0).normal(size=(plain.num_rows, 8)).astype("f2")
    seen = column(as_embedded(with_column(plain, "vector", vectors), model), "vector")
    edges = score_block(plain, model, min_score=MIN_SCORE)
    keys = undecided_keys(edges, threshold=model.threshold)
    undecided = np.isin(column(plain, "article_key"), keys)
    assert 0 < undecided.sum() < len(undecided)
    np.testing.assert_array_equal(seen[undecided], vectors[undecided])
    assert not seen[~undecided].any()


def test_a_large_story_stands_in_the_place_of_the_real_one(labelled):
    found = with_large_story(labelled, "s0-0", 9, seed=1)
    assert len(found.stories) == 60 - 3 + 9
    assert set(found.stories[-9:]) == {MADE + "s0-0"}
    assert "s0-0" not in found.stories


def test_made_pairs_are_about_as_alike_as_real_ones(labelled, model):
    real = pair_similarity(labelled, np.flatnonzero(labelled.stories == "s0-0"), model)
    mixed = with_large_story(labelled, "s0-0", 12, seed=1)
    made = pair_similarity(mixed, np.arange(len(mixed.stories))[-12:], model)
    assert len(real) == 3
    assert len(made) == 66
    assert abs(np.median(real) - np.median(made)) < 0.2


def test_too_few_stories_to_enlarge_are_refused(labelled):
    with pytest.raises(ValueError, match="at least 21 stories of three articles, got 20"):
        source_stories(labelled, 21)


def test_regression_finds_the_number_that_decides():
    random = np.random.default_rng(0)
    columns = random.normal(size=(2000, 2))
    weights = regression(
        [columns], [columns[:, 0] > 0], [np.ones(2000)], ("a", "b"), strength=1.0
    )
    assert weights.weights["a"] > 20 * abs(weights.weights["b"])


def test_tuned_settings_are_written_twice_alike_and_read_back(tmp_path):
    gold = [
        written(tmp_path / "a" / "gold.jsonl", corpus(40, seed=1)),
        written(tmp_path / "b" / "gold.jsonl", corpus(40, seed=2)),
    ]
    background = [written(tmp_path / "c" / "rest.jsonl", corpus(2400, seed=3, per_story=1))]
    scores = tune(gold, background, tmp_path / "one", embedding_model=None)
    tune(gold, background, tmp_path / "two", embedding_model=None)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["background_en.parquet", "story_model.json"]
    for name in files:
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    model = read_story_model(tmp_path / "one")
    assert model.made_from["bcubed"] == scores
    assert set(scores) == {
        "second halves",
        "second in hundreds",
        "first halves",
        "first in hundreds",
        "left out",
    }
    assert min(score["f1"] for by_set in scores.values() for score in by_set.values()) > 0.9


def test_tuning_without_labelled_articles_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one file of labelled articles"):
        tune([], [], tmp_path, embedding_model=None)


def test_the_lowest_threshold_near_the_best_is_taken():
    means = np.full(len(THRESHOLDS), 0.5)
    means[3:12] = 0.9
    means[7] = 0.909
    assert best_threshold(means) == THRESHOLDS[3]


SEEDS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "seeds"


@pytest.mark.skipif(not SEEDS.is_dir(), reason="needs ../shared/data/seeds")
def test_the_five_seeds_are_one_story_with_the_shipped_model():
    raw = pa.RecordBatch.from_pylist(
        [
            {
                "file": path.name,
                "position": number,
                "text": path.read_text(encoding="utf-8"),
                "repaired": False,
            }
            for number, path in enumerate(sorted(SEEDS.glob("*.txt")), 1)
        ],
        schema=RAW,
    )
    model = read_story_model(DATA)
    assert len(set(predict(fingerprint_corpus(raw), model).tolist())) == 1
