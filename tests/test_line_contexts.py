"""Line contexts: a context leaves out the line it is of, and versions have one context."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.line_contexts import (
    NO_DAY,
    SKETCH_SIZE,
    article_sketches,
    count_contexts,
    line_contexts,
    names_other_articles,
)
from transforms.line_words import hash_words
from transforms.lines import read_lines
from transforms.recurrence import headline_keys

NONE = 0xFFFFFFFF


def contexts_of(text: str, title: str = ""):
    lines = read_lines(pa.array([text]))
    words = hash_words(lines)
    ruled = np.zeros(len(words.keys), dtype=np.bool_)
    titles = headline_keys(pa.array([title]))
    found = article_sketches(lines.offsets, words.keys, words.hashes, words.offsets, ruled)
    return line_contexts(
        lines.offsets, words.keys, ruled, titles, *found, ~ruled, titles != 0
    )


def sketches(*rows: list[int]) -> np.ndarray:
    filled = np.full((len(rows), SKETCH_SIZE), NONE, dtype=np.uint32)
    for row, values in enumerate(rows):
        filled[row, : len(values)] = values
    return filled


def count(*rows: list[int]) -> int:
    """Give how many unlike contexts rows have, one article each."""
    _, _, unlike = count_contexts(
        np.array([0, len(rows)]),
        np.arange(len(rows), dtype=np.uint64),
        np.full(len(rows), NO_DAY, dtype=np.int32),
        sketches(*rows),
    )
    return int(unlike[0])


def test_a_context_leaves_out_the_line_it_is_of():
    _, _, _, contexts = contexts_of("one two three four five six seven eight nine\nten")
    assert (contexts[0] == NONE).all()
    assert (contexts[1] != NONE).sum() == 2


def test_a_title_has_a_context_without_its_own_line():
    text = "one two three four five six seven eight\nnine ten eleven twelve and so on to it"
    _, of_title, _, contexts = contexts_of(text, text.split("\n")[0])
    assert of_title.tolist() == [False, False, True]
    assert contexts[2].tolist() == contexts[0].tolist()


def test_the_first_and_last_three_lines_are_the_edge():
    _, _, edge, _ = contexts_of("\n".join("abcdefgh"))
    assert edge.tolist() == [True] * 3 + [False] * 2 + [True] * 3


def test_what_is_not_asked_for_is_left_out():
    text = "one two three four five six seven eight\nnine ten"
    lines = read_lines(pa.array([text]))
    words = hash_words(lines)
    nothing = np.zeros(2, dtype=np.bool_)
    found = article_sketches(
        lines.offsets, words.keys, words.hashes, words.offsets, nothing
    )
    wanted = np.array([False, True])
    titles = np.zeros(1, dtype=np.uint64)
    chosen, *_ = line_contexts(
        lines.offsets, words.keys, nothing, titles, *found, wanted, titles != 0
    )
    assert chosen.tolist() == [1]


@given(st.lists(st.integers(0, 9), min_size=8, max_size=60))
def test_a_sketch_holds_the_smallest_hashes_in_their_order(numbers):
    text = " ".join(f"w{number:c}" for number in [97 + n for n in numbers])
    lines = read_lines(pa.array([text]))
    words = hash_words(lines)
    (sketch,), (owner,) = article_sketches(
        lines.offsets, words.keys, words.hashes, words.offsets, np.zeros(1, np.bool_)
    )
    held = sketch[sketch != NONE]
    runs = {tuple(numbers[at : at + 8]) for at in range(len(numbers) - 7)}
    assert held.tolist() == sorted(set(held.tolist()))
    assert len(held) == min(SKETCH_SIZE, len(runs))
    assert (owner[: len(held)] == 0).all()
    assert (owner[len(held) :] == -1).all()


def test_contexts_that_share_enough_are_one():
    assert count([1, 2, 3], [7, 8, 9], [4, 5, 6]) == 3
    assert count([*range(12)], [*range(9, 30, 1)][:12]) == 1
    assert count([*range(12)], [*range(10, 22)]) == 2
    assert count([], [], [1]) == 1


@given(st.lists(st.integers(0, 60), max_size=9, unique=True).map(sorted))
def test_a_context_is_like_itself(context):
    assert count(context, context) == (1 if context else 0)


def links(*rows: tuple[int, bool, list[int]]) -> bool:
    """Tell whether lines and titles (article, of a title, context) make a link."""
    article, of_title, contexts = zip(*rows, strict=True)
    return bool(
        names_other_articles(
            np.array([0, len(rows)]),
            np.array(article, dtype=np.uint64),
            np.array(of_title),
            sketches(*contexts),
        )[0]
    )


def test_a_line_links_to_an_article_of_another_context():
    assert links((1, True, [1, 2, 3]), (2, False, [7, 8, 9]))
    assert not links((1, True, [1, 2, 3]), (2, False, [1, 2, 3]))
    assert not links((1, True, [1, 2, 3]), (1, False, [7, 8, 9]))
    assert not links((1, False, [1, 2, 3]), (2, False, [7, 8, 9]))
    assert not links((1, True, [1, 2, 3]), (2, False, []))


def test_the_title_of_a_column_is_no_link():
    rows = [(n, True, [10 * n + 1, 10 * n + 2]) for n in range(21)]
    assert links(*rows[:20], (99, False, [7000, 8000]))
    assert not links(*rows, (99, False, [7000, 8000]))
