import hypothesis.extra.numpy as hnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fingerprint import FINGERPRINT, NUM_PERM
from transforms.background import (
    NO_BACKGROUND,
    background_densities,
    make_background,
    read_background,
    write_background,
)
from transforms.rarity import RaritySettings, weigh_articles
from transforms.term_vectors import (
    NO_FREQUENCIES,
    Frequencies,
    document_shares,
    find_terms,
    heaviest_terms,
    inverse_document_frequencies,
    number_part,
    number_terms,
    sparse_vectors,
)


def fingerprints(articles, language="en"):
    """Make FINGERPRINT rows of lists of term keys; every term is a name, too."""
    rows = []
    for key, terms in enumerate(articles):
        terms = sorted(set(terms))
        counts = [1] * len(terms)
        rows.append(
            {field.name: None if field.nullable else 0 for field in FINGERPRINT}
            | {
                "article_key": key,
                "article_id": str(key),
                "language": language,
                "word_count": 100,
                "has_title": True,
                "thin": False,
                "alien": False,
                "signature": [key + 1] * NUM_PERM,
                "passage_keys": [],
                "terms": terms,
                "term_counts": counts,
                "lead_terms": terms[:2],
                "lead_term_counts": counts[:2],
                "names": terms,
                "name_counts": counts,
                "lead_names": terms[:2],
                "lead_name_counts": counts[:2],
                "numbers": [],
                "event_days": [],
                "ages": [],
                "lead_ages": [],
            }
        )
    return pa.RecordBatch.from_pylist(rows, schema=FINGERPRINT)


def background_of(articles):
    return make_background(
        fingerprints(articles), min_documents=1, vector_terms=64, min_share=1 / 3000
    )


def shares(counts, documents, background=NO_FREQUENCIES, **changed):
    numbers = {"prior_documents": 100, "batch_weight": 0.5, "min_share": 1 / 3000}
    return document_shares(
        np.arange(len(counts), dtype=np.uint64),
        np.array(counts),
        documents,
        background,
        **(numbers | changed),
    )


def test_number_terms_gives_back_the_keys():
    vocabulary, numbers = number_terms(np.array([9, 3, 9, 7], np.uint64))
    assert vocabulary.tolist() == [3, 7, 9]
    assert vocabulary[numbers].tolist() == [9, 3, 9, 7]


@given(hnp.arrays(np.uint64, st.integers(0, 50), elements=st.integers(0, 2**64 - 1)))
def test_terms_are_numbered_in_ascending_order(keys):
    keys = np.concatenate([keys, keys[::2], np.arange(7000, dtype=np.uint64)])
    vocabulary, numbers = number_terms(keys)
    expected, places = np.unique(keys, return_inverse=True)
    np.testing.assert_array_equal(vocabulary, expected)
    np.testing.assert_array_equal(numbers, places)


def test_terms_of_a_part_have_the_numbers_of_the_whole():
    keys, numbers = np.array([3, 5, 9, 3, 4], np.uint64), np.array([0, 2, 3, 0, 1])
    found = number_part(
        keys,
        np.array([0, 3, 5]),
        numbers.astype(np.int32),
        np.array([5, 9, 4, 8], np.uint64),
        np.array([0, 2, 4]),
    )
    assert found.tolist() == [2, 3, 1, -1]


def test_unknown_terms_have_no_number():
    vocabulary = np.array([3, 7, 9], np.uint64)
    assert find_terms(vocabulary, np.array([7, 8, 2, 99])).tolist() == [1, -1, -1, -1]
    assert find_terms(vocabulary[:0], np.array([7])).tolist() == [-1]


def test_five_articles_of_one_story_do_not_make_its_words_common():
    (alone,) = shares([5], 5)
    assert alone < 0.05


def test_a_word_of_the_batch_weighs_less_than_in_the_background_alone():
    background = Frequencies(np.array([0], np.uint64), np.array([10], np.int32), 10_000)
    (still,) = shares([0], 1000, background)
    (moved,) = shares([800], 1000, background)
    (batch_alone,) = shares([800], 1000)
    assert still == pytest.approx(10.5 / 10_001)
    assert still < moved < batch_alone
    assert moved == pytest.approx(np.sqrt(still * 800 / 1101))


def test_a_word_that_is_rarer_in_the_batch_keeps_the_share_of_the_background():
    background = Frequencies(np.array([0], np.uint64), np.array([5000], np.int32), 10_000)
    assert shares([1], 1000, background) == pytest.approx(5000.5 / 10_001)


def test_without_a_background_few_articles_do_not_make_a_word_common():
    few_common, few_rare = shares([10, 1], 20)
    many_common, many_rare = shares([5_000, 1], 10_000)
    assert few_common / few_rare < 5
    assert many_common > 0.45
    assert many_common / many_rare > 1_000


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20), st.integers(0, 5000))
def test_shares_stay_between_the_floor_and_one(counts, prior):
    found = shares(counts, 500, prior_documents=prior)
    assert (found >= 1 / 3000).all()
    assert (found <= 1).all()


def test_a_floor_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"min_share must be above 0, got 0"):
        shares([1], 1, min_share=0)


# The compiled function is built at its first call.
@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(0.125, 8, width=32)))
def test_vectors_have_length_one(idf):
    terms = np.arange(len(idf), dtype=np.int32)
    vectors = sparse_vectors(
        terms, np.ones(len(idf), np.int64), np.array([0, len(idf)]), idf
    )
    assert np.linalg.norm(vectors.weights) == pytest.approx(1, abs=1e-5)


def test_an_article_without_terms_has_no_weight():
    vectors = sparse_vectors(
        np.array([0], np.int32),
        np.array([2]),
        np.array([0, 0, 1]),
        np.array([3.0], np.float32),
    )
    assert vectors.weights.tolist() == [1.0]
    assert np.diff(vectors.offsets).tolist() == [0, 1]


def test_the_heaviest_terms_are_kept_and_ties_go_to_the_lower_number():
    kept = heaviest_terms(
        np.array([0, 4, 5]), np.array([0.5, 0.5, 0.1, 0.7, 0.2], np.float32), 2
    )
    assert kept.tolist() == [True, False, False, True, True]


@given(
    hnp.arrays(np.float32, st.integers(0, 60), elements=st.sampled_from([0, 0.5, 1, 2])),
    st.integers(1, 20),
)
def test_the_heaviest_terms_are_the_first_of_a_stable_sort(weights, most):
    kept = heaviest_terms(np.array([0, len(weights)]), weights, most)
    expected = np.argsort(-weights, kind="stable")[:most]
    assert set(np.flatnonzero(kept)) == set(expected[weights[expected] > 0])


def test_idf_is_rounded_so_that_all_machines_agree():
    assert inverse_document_frequencies(np.array([1 / 3000])).tolist() == [
        np.float32(8.0064)
    ]


def test_density_is_the_mean_cosine_with_the_nearest_background_articles():
    background = background_of([[1, 2], [1, 2], [3, 4]])
    articles = fingerprints([[1, 2], [5, 6]])
    weighed = weigh_articles(articles, background, RaritySettings(neighbours=2))
    np.testing.assert_allclose(weighed.densities, [1, 0], atol=0.01)


@given(st.integers(0, 10_000))
def test_densities_are_those_of_all_cosines(seed):
    random = np.random.default_rng(seed)
    background = background_of(
        [random.integers(0, 60, random.integers(1, 30)).tolist() for _ in range(150)]
    )
    articles = fingerprints(
        [random.integers(0, 80, random.integers(0, 30)).tolist() for _ in range(4)]
    )
    weighed = weigh_articles(articles, background, RaritySettings(neighbours=5))
    vectors = np.zeros((80, 150), np.float32)
    terms = np.repeat(background.terms.keys, np.diff(background.offsets))
    vectors[terms.astype(int), background.postings] = background.weights
    own = np.zeros((4, 80), np.float32)
    rows = np.repeat(np.arange(4), np.diff(weighed.background_terms.offsets))
    keys = weighed.vocabulary[weighed.background_terms.terms].astype(int)
    own[rows, keys] = weighed.background_terms.weights
    nearest = np.sort(own @ vectors, axis=1)[:, -5:]
    np.testing.assert_allclose(weighed.densities, nearest.mean(axis=1), atol=1e-5)


def test_a_background_smaller_than_the_neighbours_is_refused():
    background = background_of([[1, 2]])
    articles = fingerprints([[1, 2]])
    weighed = weigh_articles(articles, background, RaritySettings(neighbours=1))
    with pytest.raises(ValueError, match=r"at least neighbours=2 articles, got 1"):
        background_densities(
            weighed.terms, np.array([1, 2], np.uint64), background, neighbours=2
        )


def test_without_a_background_every_article_has_the_default_density():
    weighed = weigh_articles(
        fingerprints([[1, 2], [3]], "sw"), NO_BACKGROUND, RaritySettings()
    )
    assert weighed.densities.tolist() == [np.float32(RaritySettings.default_density)] * 2


def test_articles_of_a_large_story_may_count_less_in_the_frequencies():
    articles = fingerprints([[1, 2]] * 6 + [[3, 4]] * 2)
    all_alike = weigh_articles(articles, NO_BACKGROUND, RaritySettings())
    counts = np.array([1 / 6] * 6 + [1] * 2)
    one_story = weigh_articles(articles, NO_BACKGROUND, RaritySettings(), counts=counts)
    assert all_alike.term_idf[0] < all_alike.term_idf[2]
    assert one_story.term_idf[0] > one_story.term_idf[2]


def test_articles_weighed_again_keep_what_the_background_decides():
    articles, rarity = fingerprints([[1, 2], [1, 3]]), RaritySettings(neighbours=1)
    background = background_of([[1, 2], [3, 9]])
    before = weigh_articles(articles, background, rarity)
    counts = np.array([0.5, 0.5])
    found = weigh_articles(articles, background, rarity, counts=counts, before=before)
    again = weigh_articles(articles, background, rarity, counts=counts)
    assert found.densities is before.densities
    np.testing.assert_array_equal(found.densities, again.densities)
    np.testing.assert_array_equal(
        found.background_terms.weights, again.background_terms.weights
    )
    np.testing.assert_array_equal(found.term_idf, again.term_idf)


def test_weights_do_not_depend_on_the_order_of_the_articles():
    articles = fingerprints([[1, 2, 3], [2, 3], [9, 1]])
    background = background_of([[1, 2], [3, 9]])
    rarity = RaritySettings(neighbours=1)
    forward = weigh_articles(articles, background, rarity)
    backward = weigh_articles(articles.take(pa.array([2, 1, 0])), background, rarity)
    np.testing.assert_array_equal(forward.term_idf, backward.term_idf)
    np.testing.assert_array_equal(forward.densities, backward.densities[::-1])


def test_lead_terms_that_the_article_does_not_have_are_refused():
    articles = fingerprints([[1, 2]])
    broken = articles.set_column(
        articles.schema.get_field_index("lead_terms"),
        FINGERPRINT.field("lead_terms"),
        pa.array([[1, 7]], pa.list_(pa.uint64())),
    )
    with pytest.raises(ValueError, match="lead_terms must all be among"):
        weigh_articles(broken, NO_BACKGROUND, RaritySettings())


def test_a_background_reads_back_as_it_was_written(tmp_path):
    background = background_of([[1, 2, 2**63], [2, 3], [3, 4, 5]])
    write_background(background, tmp_path / "one.parquet")
    write_background(background, tmp_path / "two.parquet")
    again = read_background(tmp_path / "one.parquet")
    assert again.documents == 3
    assert again.terms.keys.tolist() == [1, 2, 3, 4, 5, 2**63]
    for field in ("offsets", "postings", "weights"):
        np.testing.assert_array_equal(getattr(again, field), getattr(background, field))
    one, two = (tmp_path / f"{name}.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_file_that_is_no_background_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"must hold schema newsdedup\.background"):
        read_background(tmp_path / "x.parquet")


def test_an_empty_background_is_refused():
    with pytest.raises(ValueError, match="must hold 1 to 65535 articles, got 0"):
        background_of([])
