"""How two articles of one story stand to each other."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import relations
from transforms.relations import (
    Alignment,
    Chain,
    RewriteRule,
    align,
    chain,
    is_wire_rewrite,
    may_be_rewrite,
    novelty,
)


def test_examples_in_docstrings_hold():
    assert doctest.testmod(relations).failed == 0


def test_a_text_aligns_with_itself_in_order():
    cosines = np.eye(8, dtype=np.float32)
    assert align(cosines, min_cosine=0.6) == Alignment(8, 1.0, 1.0)


def test_the_same_sentences_backwards_are_aligned_in_reverse_order():
    cosines = np.eye(8, dtype=np.float32)
    assert align(cosines[:, ::-1], min_cosine=0.6) == Alignment(8, 1.0, -1.0)


def test_sentences_that_mean_different_things_do_not_pair():
    assert align(np.zeros((4, 4), np.float32), min_cosine=0.6).pairs == 0


def test_a_text_without_sentences_aligns_with_nothing():
    assert align(np.zeros((0, 8), np.float32), min_cosine=0.6) == Alignment(0, 0.0, 0.0)


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 10_000))
def test_alignment_does_not_depend_on_which_text_comes_first(m, n, seed):
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-1, 1, size=(m, n)).astype(np.float32)
    one, other = align(cosines, min_cosine=0.1), align(cosines.T, min_cosine=0.1)
    assert one.pairs == other.pairs
    assert one.share == pytest.approx(other.share)
    assert one.order == pytest.approx(other.order)


@pytest.mark.parametrize(
    "alignment",
    [Alignment(5, 0.9, 1.0), Alignment(10, 0.4, 1.0), Alignment(10, 0.9, 0.5)],
)
def test_few_pairs_a_small_share_or_another_order_make_no_rewrite(alignment):
    assert not is_wire_rewrite(alignment, Chain(6, 0.6, 0.3, 4.0), RewriteRule())


def test_sentences_alike_in_either_direction_make_no_rewrite():
    close = Alignment(10, 0.9, 0.9)
    assert is_wire_rewrite(close, Chain(9, 0.8, 0.3, 2.1), RewriteRule())
    assert not is_wire_rewrite(close, Chain(9, 0.8, 0.3, 1.9), RewriteRule())


def test_sentences_that_are_close_but_few_in_order_make_no_rewrite():
    close = Alignment(10, 0.9, 0.9)
    assert is_wire_rewrite(close, Chain(9, 0.5, 0.23, 2.5), RewriteRule())
    assert not is_wire_rewrite(close, Chain(9, 0.5, 0.22, 2.5), RewriteRule())


@pytest.mark.parametrize(
    "related", [Chain(7, 0.9, 0.1, 4.0), Chain(9, 0.5, 0.1, 4.0), Chain(9, 0.9, 0.1, 2.9)]
)
def test_a_free_rewrite_needs_many_related_sentences_and_a_clear_order(related):
    apart = Alignment(2, 0.2, 1.0)
    assert is_wire_rewrite(apart, Chain(9, 0.75, 0.1, 3.5), RewriteRule())
    assert not is_wire_rewrite(apart, related, RewriteRule())


def test_a_chain_runs_through_both_texts_in_order():
    cosines = np.eye(8, dtype=np.float32)
    found = chain(cosines, related_cosine=0.35)
    assert (found.pairs, found.share) == (8, 1.0)
    assert found.strength == pytest.approx(0.65)
    # Against the order, one pair is all that there is.
    assert found.contrast == pytest.approx(8.0)
    assert chain(cosines[:, ::-1], related_cosine=0.35).pairs == 1
    assert chain(cosines[:, :0], related_cosine=0.35) == Chain(0, 0.0, 0.0, 0.0)


@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 10_000))
def test_a_chain_does_not_depend_on_which_text_comes_first(m, n, seed):
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-1, 1, size=(m, n)).astype(np.float32)
    one, other = (
        chain(cosines, related_cosine=0.1),
        chain(cosines.T, related_cosine=0.1),
    )
    assert one.strength == pytest.approx(other.strength)
    assert one.contrast == pytest.approx(other.contrast)
    assert one.pairs <= min(m, n)


@pytest.mark.parametrize(
    "shared", [Chain(5, 0.9, 0.4, 4.0), Chain(9, 0.9, 0.2, 4.0), Chain(9, 0.9, 0.4, 1.7)]
)
def test_only_texts_whose_sentences_share_words_in_order_are_read(shared):
    assert may_be_rewrite(Chain(6, 0.5, 0.25, 1.9), RewriteRule())
    assert not may_be_rewrite(shared, RewriteRule())


def test_novelty_is_the_share_of_lead_terms_that_are_new():
    known = np.array([1, 2, 3], np.uint64)
    assert novelty(np.array([2, 3, 4, 5], np.uint64), known) == 0.5
    assert novelty(np.array([], np.uint64), known) == 0.0
