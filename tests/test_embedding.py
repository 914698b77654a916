"""Texts to vectors, on the real model."""

import numpy as np
import pyarrow as pa
import pytest

from schemas.batch import column
from transforms.embedding import (
    EmbedArticles,
    embed,
    embedding_text,
)
from transforms.embedding_model import DEFAULT_MODEL

TEXTS = [
    "The ferry struck a reef and sank.",
    "A passenger boat hit rocks and went down.",
    "The central bank left its rates alone.",
    *(f"Line {i} of a list about " + "nothing at all " * i for i in range(60)),
]


def test_a_title_stands_before_the_beginning_of_the_text():
    assert (
        embedding_text("Dam breaks", "It broke.", max_tokens=4) == "Dam breaks\nIt broke."
    )
    assert embedding_text(None, "x" * 100, max_tokens=4) == "x" * 32


@pytest.mark.model
def test_vectors_are_of_length_one_and_tell_meanings_apart():
    vectors = embed(TEXTS[:3], model=DEFAULT_MODEL, max_tokens=64)
    np.testing.assert_allclose((vectors**2).sum(axis=1), 1, rtol=1e-5)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > cosines[0, 2] + 0.2


@pytest.mark.model
def test_a_vector_does_not_depend_on_its_neighbours_to_the_last_bit():
    together = embed(TEXTS, model=DEFAULT_MODEL, max_tokens=64)
    for i in (0, 1, 31, 62):
        (alone,) = embed([TEXTS[i]], model=DEFAULT_MODEL, max_tokens=64)
        np.testing.assert_array_equal(alone, together[i])


@pytest.mark.model
def test_only_the_chosen_are_embedded(apply):
    batch = pa.RecordBatch.from_pydict(
        {
            "title": ["Dam", None],
            "text": ["It broke.", "x"],
            "is_open": [True, False],
            "alien": [False, False],
        }
    )
    (found,) = apply(EmbedArticles(DEFAULT_MODEL, 64, "is_open"), [batch])
    vectors = column(found, "vector")
    assert vectors.dtype == np.float16
    (expected,) = embed(["Dam\nIt broke."], model=DEFAULT_MODEL, max_tokens=64)
    np.testing.assert_array_equal(vectors[0], expected.astype(np.float16))
    assert not vectors[1].any()
