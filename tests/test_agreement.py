import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agreement import adjusted_rand, bcubed, group_sizes, pairwise

groupings = (
    st.integers(1, 12)
    .flatmap(
        lambda size: st.tuples(
            st.lists(
                st.sampled_from([None, "a", "b", "c", "d"]), min_size=size, max_size=size
            ),
            st.lists(st.integers(0, 4), min_size=size, max_size=size),
        )
    )
    .filter(lambda both: any(story is not None for story in both[0]))
)


def known_pairs(gold, predicted):
    rows = [row for row, story in enumerate(gold) if story is not None]
    return [
        (gold[i] == gold[j], predicted[i] == predicted[j])
        for i, j in itertools.combinations(rows, 2)
    ]


@given(groupings)
def test_pairwise_scores_are_those_of_counting_pairs(both):
    pairs = known_pairs(*both)
    right = sum(story and group for story, group in pairs)
    found = sum(group for _, group in pairs)
    wanted = sum(story for story, _ in pairs)
    scores = pairwise(*both)
    assert scores.precision == (right / found if found else 1)
    assert scores.recall == (right / wanted if wanted else 1)
    if right:
        assert scores.f1 == pytest.approx(2 * right / (found + wanted))


@given(groupings)
def test_adjusted_rand_index_is_hubert_and_arabies(both):
    pairs = known_pairs(*both)
    right = sum(story and group for story, group in pairs)
    found = sum(group for _, group in pairs)
    wanted = sum(story for story, _ in pairs)
    expected = found * wanted / len(pairs) if pairs else 0
    best = (found + wanted) / 2
    if best == expected:
        assert adjusted_rand(*both) == 1
    else:
        index = (right - expected) / (best - expected)
        assert adjusted_rand(*both) == pytest.approx(index)


@given(groupings)
def test_names_of_groups_change_nothing(both):
    gold, predicted = both
    renamed = [f"group {7 - group}" for group in predicted]
    for measure in (bcubed, pairwise, adjusted_rand):
        assert measure(gold, renamed) == measure(gold, predicted)


def test_only_articles_with_a_gold_story_are_counted():
    sizes = group_sizes(["a", "a", None, "b"], [1, 1, 1, 2])
    assert (sizes.groups, sizes.of_several, sizes.largest) == (2, 1, 2)


def test_alone_everywhere_nothing_is_wrong_and_every_pair_is_missed():
    scores = pairwise(["a", "a"], [1, 2])
    assert (scores.precision, scores.recall, scores.f1) == (1, 0, 0)


@pytest.mark.parametrize("measure", [bcubed, pairwise, adjusted_rand, group_sizes])
def test_what_cannot_be_compared_is_refused(measure):
    with pytest.raises(ValueError, match="equal lengths, got 2 and 1"):
        measure(["a", "b"], [1])
    with pytest.raises(ValueError, match="must have a gold story, got none"):
        measure([None], [1])
