import numpy as np
import pytest
from scipy.spatial.distance import pdist

from pipeline import baselines
from pipeline.baselines import (
    all_vectors,
    baseline_scores,
    best_cut,
    cosine_distances,
    minhash_groups,
    pair_cosines,
    tfidf_vectors,
)
from pipeline.gold import Pair

FERRY = "the ferry left the northern harbour at noon with sixty passengers and nine crew"
BAKERY = "a bakery in the old town sells bread that is older than the town itself today"


def articles(*rows):
    return [
        {"article_id": str(i), "title": None, "text": text, "story": story}
        for i, (text, story) in enumerate(rows)
    ]


ARTICLES = articles(
    (FERRY, "ferry"), (f"{FERRY} on board", "ferry"), (BAKERY, "bakery"), ("Fog", None)
)


def scores(given=ARTICLES, pairs=(), **changed):
    texts = [article["text"] for article in given]
    settings = {"embedded": {}, "embedding_model": None, "embedding_tokens": 8, **changed}
    return baseline_scores(given, texts, pairs, **settings)


def test_minhash_groups_texts_that_share_their_shingles():
    groups = minhash_groups(
        [FERRY, f"{FERRY} on board", BAKERY, FERRY.upper(), "Fog", "Fog"]
    )
    assert groups[0] == groups[1] == groups[3]
    assert len(set(groups[[0, 2, 4, 5]].tolist())) == 4, "too short a text is alone"


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_cosine_distances_are_scipys_however_many_rows_at_a_time(rows, monkeypatch):
    monkeypatch.setattr(baselines, "_ROWS_AT_A_TIME", rows)
    vectors = np.random.default_rng(0).normal(size=(7, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(cosine_distances(vectors), pdist(vectors, "cosine"))


def test_sparse_and_dense_vectors_are_the_same_to_them():
    sparse = tfidf_vectors([FERRY, BAKERY, FERRY + BAKERY, "…"])
    dense = sparse.toarray()
    np.testing.assert_allclose(
        cosine_distances(sparse), cosine_distances(dense), atol=1e-12
    )
    rows, pairs = {"a": 0, "b": 2}, [Pair("a", "b", "dup"), Pair("a", "unknown", "not")]
    one, other = (pair_cosines(vectors, rows, pairs) for vectors in (sparse, dense))
    assert one == pytest.approx(other)
    assert one["a", "unknown"] == 0


def test_average_link_is_cut_where_the_gold_stories_are_met_best():
    vectors = np.array([[1, 0], [0.805, np.sqrt(1 - 0.805**2)], [0, 1]])
    assert best_cut(vectors, ["a", "a", "b"])[0] == pytest.approx(0.8)
    assert len(set(best_cut(vectors, ["a", "b", "c"])[1].tolist())) == 3
    assert len(set(best_cut(vectors, ["a", "a", "a"])[1].tolist())) == 1
    assert best_cut(vectors[:1], ["a"])[1].tolist() == [0]


def test_every_method_scores_stories_and_pairs():
    found = scores(pairs=[Pair("0", "1", "dup"), Pair("0", "2", "not")])
    assert len(found) == 2
    for method in found.values():
        assert method["stories"]["bcubed"]["f1"] == 1
        assert method["pairs"]["precision"] == 1
    assert found["TF-IDF"]["pairs_at_best"]["recall"] == 1


def test_what_is_not_labelled_is_not_scored():
    unknown = [{**article, "story": None} for article in ARTICLES]
    assert all(method == {} for method in scores(unknown).values())
    assert all("pairs" not in method for method in scores().values())


def test_vectors_of_the_run_are_taken_where_there_are_any():
    embedded = {str(i): np.array([3.0, 4.0], np.float16) for i in range(4)}
    vectors = all_vectors(ARTICLES, embedded, model="not looked for", tokens=8)
    np.testing.assert_allclose(vectors, [[0.6, 0.8]] * 4)
    assert len(scores(embedded=embedded, embedding_model="not looked for")) == 3


def test_too_many_articles_are_skipped_with_a_sentence(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_ARTICLES", 3)
    assert scores() == {
        "skipped": "4 articles are more than the 3 of which all pairs are compared"
    }
