import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import column, with_column
from schemas.fingerprint import FINGERPRINT, NUM_PERM
from schemas.match import STORY_EDGE
from schemas.past import VECTOR
from transforms.background import NO_BACKGROUND
from transforms.clustering import ScoreStories
from transforms.context import (
    CONTEXT_FEATURES,
    article_counts,
    context_features,
    score_graph,
    unscored_pairs,
)
from transforms.main_content import DATA
from transforms.pair_features import (
    EMBEDDED_FEATURES,
    PAIR_FEATURES,
    article_facts,
    pair_features,
)
from transforms.pair_scoring import pair_probabilities, probabilities
from transforms.rarity import RaritySettings, weigh_articles
from transforms.story_model import Weights, context_names, read_story_model
from transforms.story_scoring import (
    compared,
    open_block,
    score_articles,
    score_block,
    score_opened,
    with_vectors,
)

DAY = 86400


@pytest.fixture(scope="module")
def model():
    return read_story_model(DATA)


def fingerprints(*articles):
    """Make FINGERPRINT rows; each article is a dict of what differs from a plain one."""
    rows = []
    for number, given_ in enumerate(articles):
        terms = sorted(given_.get("terms", range(100 * number, 100 * number + 30)))
        names = sorted(given_.get("names", terms[:5]))
        day = given_.get("day")
        rows.append(
            {
                "article_key": given_.get("key", number),
                "article_id": str(number),
                "source": None,
                "credited_source": None,
                "language": "en",
                "published": None if day is None else day * DAY,
                "day": day,
                "word_count": given_.get("word_count", 300),
                "removed_word_count": 0,
                "has_title": True,
                "thin": False,
                "alien": False,
                "text_key": number,
                "signature": given_.get("signature", [number + 1] * NUM_PERM),
                "passage_keys": [],
                "terms": terms,
                "term_counts": [1] * len(terms),
                "lead_terms": terms[:10],
                "lead_term_counts": [1] * len(terms[:10]),
                "names": names,
                "name_counts": [1] * len(names),
                "lead_names": names[:3],
                "lead_name_counts": [1] * len(names[:3]),
                "numbers": [],
                "event_days": sorted(given_.get("event_days", [])),
                "ages": sorted(given_.get("ages", [])),
                "lead_ages": sorted(given_.get("ages", [])),
            }
        )
    return pa.RecordBatch.from_pylist(rows, schema=FINGERPRINT)


def features_of(*articles):
    """Give the features of the first two of some articles, by name."""
    batch = fingerprints(*articles)
    weighed = weigh_articles(batch, NO_BACKGROUND, RaritySettings())
    (row,) = pair_features(np.array([[0, 1]], np.int32), weighed, article_facts(batch))
    return dict(zip(EMBEDDED_FEATURES, row.tolist(), strict=True))


def two_stories():
    """Six articles: three of one story, two of another, one of its own."""
    return fingerprints(
        *(
            {"terms": [*range(1000, 1030), *range(number, number + 5)], "day": 17000}
            for number in (0, 10, 20)
        ),
        *(
            {"terms": [*range(2000, 2030), *range(number, number + 5)], "day": 17001}
            for number in (30, 40)
        ),
        {"terms": range(3000, 3040), "day": 17001},
    )


def test_articles_with_equal_terms_have_cosine_one():
    found = features_of({"terms": range(9)}, {"terms": range(9)})
    assert found["term_cosine"] == pytest.approx(1)
    assert found["lead_terms_found"] == pytest.approx(1)
    assert found["lead_names_found"] == pytest.approx(1)


def test_articles_without_a_common_term_share_nothing():
    found = features_of({}, {})
    for name in ("term_cosine", "rare_term_share", "lead_name_cosine", "containment"):
        assert found[name] == 0


def test_days_are_compared_by_event_and_by_publication():
    found = features_of(
        {"day": 17000, "event_days": [16900]}, {"day": 17010, "event_days": [16900]}
    )
    assert found["same_event_day"] == 1
    assert found["event_gap"] == 0
    assert found["published_apart"] == 1
    assert found["published_together"] == 0
    assert found["publication_gap"] == pytest.approx(np.log(11) / np.log(366))


def test_an_article_without_a_date_is_compared_without_a_gap():
    found = features_of({"day": 17000}, {"day": None})
    assert found["undated"] == 1
    for name in ("publication_gap", "published_together", "published_apart", "event_gap"):
        assert found[name] == 0


def test_an_undated_text_still_names_the_day_of_its_event():
    found = features_of({"day": 17000}, {"day": None, "event_days": [16999]})
    assert found["same_event_day"] == 1


def test_ages_agree_or_differ():
    assert features_of({"ages": [34, 7]}, {"ages": [34]})["shared_ages"] > 0
    assert features_of({"ages": [34]}, {"ages": [35]})["ages_differ"] == 1
    assert features_of({"ages": [34]}, {})["ages_differ"] == 0


def test_containment_follows_from_jaccard_and_lengths():
    half = [1] * 64 + [2] * 64
    found = features_of({"signature": [1] * NUM_PERM}, {"signature": half})
    # Jaccard 1/2 of two sets of equal size: two thirds of each are common.
    assert found["containment"] == pytest.approx(2 / 3)


def test_thin_articles_contain_nothing_though_their_signatures_agree():
    zero = {"signature": [0] * NUM_PERM}
    assert features_of(zero, zero)["containment"] == 0


def test_the_cosine_of_vectors_is_unknown_where_one_is_missing():
    batch = fingerprints({}, {}, {}).append_column(
        "vector", pa.FixedSizeListArray.from_arrays(pa.array([1.0, 0, 0.6, 0.8, 0, 0]), 2)
    )
    weighed = weigh_articles(batch, NO_BACKGROUND, RaritySettings())
    pairs = np.array([[0, 1], [0, 2]], np.int32)
    found = pair_features(pairs, weighed, article_facts(batch))[:, -1]
    np.testing.assert_allclose(found, [0.6, np.nan], atol=1e-6)


@given(st.integers(0, 10_000))
def test_features_are_finite_and_do_not_depend_on_the_order_of_a_pair(seed):
    random = np.random.default_rng(seed)
    articles = [
        {
            "terms": set(random.integers(1, 60, random.integers(0, 20)).tolist()),
            "day": int(random.integers(17000, 17020)) if random.random() < 0.7 else None,
            "numbers": [],
            "event_days": set(random.integers(16990, 17010, 2).tolist()),
            "ages": set(random.integers(1, 20, random.integers(0, 3)).tolist()),
            "word_count": int(random.integers(1, 600)),
        }
        for _ in range(2)
    ]
    one = list(features_of(*articles).values())
    other = list(features_of(*articles[::-1]).values())
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert np.isfinite(one[:-1]).all()


def test_weights_of_other_numbers_are_refused():
    weights = Weights(0.0, {"a": 1.0, "b": 1.0})
    with pytest.raises(ValueError, match=r"missing=\['c'\] and unknown=\['b'\]"):
        probabilities(np.zeros((1, 2)), weights, ("a", "c"))


def test_probability_of_no_evidence_is_that_of_the_bias():
    weights = Weights(-1.0, {"a": 5.0})
    (found,) = probabilities(np.zeros((1, 1)), weights, ("a",))
    assert found == pytest.approx(1 / (1 + np.e))


def test_pairs_with_vectors_are_weighed_by_weights_of_their_own():
    pair = Weights(0.0, dict.fromkeys(PAIR_FEATURES, 0.0))
    embedded = Weights(0.0, {**pair.weights, "vector_cosine": 2.0})
    features = np.zeros((2, len(EMBEDDED_FEATURES)), np.float32)
    features[:, -1] = [np.nan, 1]
    found = pair_probabilities(features, pair, embedded)
    np.testing.assert_allclose(found, [0.5, 1 / (1 + np.exp(-2))], rtol=1e-6)


def test_articles_that_share_a_likely_partner_are_found():
    pairs = np.array([[0, 1], [1, 2], [2, 3]], np.int32)
    graph = score_graph(pairs, np.array([0.9, 0.2, 0.05], np.float32), 4, above=0.03)
    found = unscored_pairs(graph, pairs, strong=0.3, weak=0.1, most=10)
    assert found.tolist() == [[0, 2]]


def test_a_pair_that_was_scored_and_is_unlikely_is_not_found_again():
    pairs = np.array([[0, 1], [0, 2], [1, 2]], np.int32)
    graph = score_graph(pairs, np.array([0.9, 0.0, 0.9], np.float32), 3, above=0.03)
    assert not len(unscored_pairs(graph, pairs, strong=0.3, weak=0.1, most=10))


def test_rows_that_did_not_change_are_not_walked_again():
    pairs = np.array([[0, 1], [1, 2], [3, 4], [4, 5]], np.int32)
    graph = score_graph(pairs, np.full(4, 0.9, np.float32), 6, above=0.03)
    new = np.array([False, False, False, True, False, False])
    found = unscored_pairs(graph, pairs, strong=0.3, weak=0.1, most=10, new=new)
    assert found.tolist() == [[3, 5]]


def test_every_article_loses_pairs_alike_when_a_block_has_too_many():
    # Two stars: the tips of each share its middle.
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [5, 6], [5, 7]], np.int32)
    graph = score_graph(pairs, np.full(6, 0.9, np.float32), 8, above=0.03)

    def found(total: int) -> list[list[int]]:
        kept = unscored_pairs(graph, pairs, strong=0.3, weak=0.1, most=10, total=total)
        return kept.tolist()

    every = [[1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4], [6, 7]]
    # Each pair is found from both of its articles.
    assert found(14) == every
    # One for each of six articles, as two would be twelve less the lone pair's two.
    assert found(9) == [[1, 2], [1, 3], [1, 4], [6, 7]]
    assert found(5) == []


def test_context_of_a_triangle():
    pairs = np.array([[0, 1], [0, 2], [1, 2]], np.int32)
    scores = np.full(3, 0.8, np.float32)
    graph = score_graph(pairs, scores, 3, above=0.03)
    features, crowds = context_features(pairs, scores, graph, crowd=12.0)
    first = dict(zip(CONTEXT_FEATURES, features[0].tolist(), strict=True))
    assert first["logit"] == pytest.approx(np.log(4), rel=1e-5)
    assert first["common_partners"] == pytest.approx((0.64 + 1.6) / 2.28, rel=1e-5)
    assert first["common_weight"] == pytest.approx(np.log(1.64), rel=1e-5)
    assert first["fewest_partners"] == pytest.approx(np.log(2.6), rel=1e-5)
    assert first["support"] == pytest.approx(0, abs=1e-6)
    assert first["supported"] == 1
    np.testing.assert_allclose(crowds, 1.6, rtol=1e-6)


def test_partners_beyond_a_crowd_are_not_counted():
    pairs = np.array(list(itertools.combinations(range(30), 2)), np.int32)
    scores = np.full(len(pairs), 0.9, np.float32)
    graph = score_graph(pairs, scores, 30, above=0.03)
    features, crowds = context_features(pairs, scores, graph, crowd=12.0)
    first = dict(zip(CONTEXT_FEATURES, features[0].tolist(), strict=True))
    for name in ("common_weight", "most_partners", "fewest_partners"):
        assert first[name] == pytest.approx(np.log(13), rel=1e-5)
    np.testing.assert_allclose(crowds, 29 * 0.9, rtol=1e-5)


def test_an_article_of_a_large_story_counts_less():
    pairs = np.array(list(itertools.combinations(range(9), 2)), np.int32)
    scores = np.full(len(pairs), 0.5, np.float32)
    counts = article_counts(pairs, scores, 10, above=0.03, large=2.0)
    assert counts.tolist() == [0.5] * 9 + [1.0]
    assert article_counts(pairs, scores, 10, above=0.5, large=2.0).tolist() == [1.0] * 10


def test_a_pair_alone_has_no_support():
    pairs = np.array([[0, 1]], np.int32)
    scores = np.array([0.8], np.float32)
    graph = score_graph(pairs, scores, 2, above=0.03)
    features, _ = context_features(pairs, scores, graph, crowd=12.0)
    first = dict(zip(CONTEXT_FEATURES, features[0].tolist(), strict=True))
    assert first["support"] == first["least_support"] == first["supported"] == 0


def test_a_context_weight_of_an_unknown_number_is_refused():
    weights = Weights(0.0, {**dict.fromkeys(CONTEXT_FEATURES, 0.0), "x_nothing": 1.0})
    with pytest.raises(ValueError, match=r"unknown=\['x_nothing'\]"):
        context_names(weights)


def test_the_shipped_model_reads_and_tells_two_stories_apart(model):
    scored = score_articles(open_block([two_stories()], model), model)
    by_pair = {
        tuple(pair): score
        for pair, score in zip(scored.pairs.tolist(), scored.second, strict=True)
    }
    together = [*itertools.combinations(range(3), 2), (3, 4)]
    assert all(by_pair[pair] > 0.5 for pair in together)
    assert all(score < 0.1 for pair, score in by_pair.items() if pair not in together)


def test_edges_do_not_depend_on_the_order_of_the_articles(model):
    articles = two_stories()
    forward = score_block(articles, model, min_score=0.01)
    backward = score_block(articles.take(pa.array(range(5, -1, -1))), model, min_score=0.01)
    assert forward.equals(backward)
    assert forward.schema.equals(STORY_EDGE)


def test_edges_do_not_depend_on_the_parts_in_which_articles_come(model):
    articles = two_stories()
    parts = [articles.slice(4), articles.slice(1, 3), articles.slice(0, 1)]
    whole = score_block(articles, model, min_score=0.01)
    assert score_block(parts, model, min_score=0.01).equals(whole)


@pytest.mark.parametrize("new", range(6))
def test_pairs_that_are_asked_about_score_as_if_all_were_new(model, new):
    articles = two_stories()
    whole = score_block(articles, model, min_score=0.01)
    is_new = np.arange(6) == new
    asked = with_column(articles, "is_asked", pa.array(is_new))
    ends = np.stack([column(whole, name) for name in ("article_key", "matched_key")], 1)
    expected = (ends == new).any(axis=1)
    known = whole.filter(pa.array(~expected))
    found = score_block(asked, model, min_score=0.01, known=known)
    assert found.select(["article_key", "matched_key"]).equals(
        whole.filter(pa.array(expected)).select(["article_key", "matched_key"])
    )
    assert column(found, "story_score") == pytest.approx(
        column(whole, "story_score")[expected], abs=1e-6
    )


def test_an_open_block_with_vectors_scores_as_one_that_came_with_them(model):
    articles = two_stories()
    vectors = np.eye(6, 4, dtype=np.float16) + np.float16(0.1)
    vectors[5] = 0
    backward = articles.take(pa.array(range(5, -1, -1)))
    opened = open_block([backward], model)
    plain = score_opened(opened, model, min_score=0.01)
    with_both = score_opened(opened.with_vectors(vectors), model, min_score=0.01)
    came = with_column(articles, "vector", vectors)
    assert with_both.equals(score_block(came, model, min_score=0.01))
    assert not with_both.equals(plain)
    assert plain.equals(score_block(articles, model, min_score=0.01))


def test_stored_vectors_and_late_ones_become_what_scoring_reads():
    lists = pa.array([[1.0, 0.0], None, None], pa.list_(pa.float16()))
    articles = with_column(two_stories().slice(0, 3), "vector", lists)
    late = pa.RecordBatch.from_pylist(
        [
            {"article_key": 9, "vector": [1.0, 0.0]},
            {"article_key": 1, "vector": [0.0, 1.0]},
        ],
        schema=VECTOR,
    )
    found = with_vectors(articles, 2, [late])
    assert column(found, "vector").tolist() == [[1, 0], [0, 1], [0, 0]]
    assert "vector" not in with_vectors(articles, 0, []).schema.names
    assert with_vectors(found, 2, [late]).equals(found)


def test_scoring_reads_no_other_columns(model):
    articles = two_stories()
    edges = score_block(compared(articles), model, min_score=0.01)
    assert edges.equals(score_block(articles, model, min_score=0.01))


@pytest.mark.parametrize("count", [0, 1])
def test_a_block_of_fewer_than_two_articles_has_no_edge(model, count):
    assert score_block(two_stories().slice(0, count), model, min_score=0.01).num_rows == 0


def test_a_model_of_another_version_is_refused(tmp_path):
    stored = json.loads((DATA / "story_model.json").read_text())
    stored["version"] = 0
    (tmp_path / "story_model.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"must hold newsdedup\.story_model version 1"):
        read_story_model(tmp_path)


def test_the_shipped_data_files_are_small():
    sizes = [path.stat().st_size for path in DATA.glob("*") if path.is_file()]
    assert sum(sizes) < 8_000_000


def test_transform_groups_two_stories_and_leaves_a_stranger_alone(apply, tmp_path):
    articles = two_stories()
    outputs = apply(ScoreStories(str(tmp_path)), [articles.slice(0, 2), articles.slice(2)])
    members = [row for batch in outputs["stories"] for row in batch.to_pylist()]
    assert members == [
        {"article_key": key, "story_key": 0 if key < 3 else 3} for key in range(5)
    ]
    edges = [row for batch in outputs["edges"] for row in batch.to_pylist()]
    assert {(row["article_key"], row["matched_key"]) for row in edges} == {
        (0, 1),
        (0, 2),
        (1, 2),
        (3, 4),
    }


def test_transform_without_articles_gives_no_story(apply, tmp_path):
    outputs = apply(ScoreStories(str(tmp_path)), [])
    assert sum(batch.num_rows for batch in outputs["stories"]) == 0
