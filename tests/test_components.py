import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.components import connected_components

keys = st.integers(0, 9) | st.integers(0, 2**64 - 1)
pairs = st.lists(st.tuples(keys, keys))


def components(edges):
    left, right = (np.array([edge[i] for edge in edges], np.uint64) for i in range(2))
    nodes, labels = connected_components(left, right)
    return dict(zip(nodes.tolist(), labels.tolist(), strict=True))


def test_links_reach_through_others():
    found = components([(5, 3), (9, 5), (7, 8), (4, 4)])
    assert found == {3: 3, 5: 3, 9: 3, 7: 7, 8: 7, 4: 4}


def test_no_pairs_have_no_components():
    assert components([]) == {}


@given(pairs)
def test_ends_share_a_label_that_is_the_smallest_of_its_members(edges):
    found = components(edges)
    assert all(found[left] == found[right] for left, right in edges)
    for label in set(found.values()):
        assert label == min(node for node, own in found.items() if own == label)
    # No more is joined than must be: each node but the first needs an edge.
    joined = len(found) - len(set(found.values()))
    assert joined <= len({frozenset(edge) for edge in edges if edge[0] != edge[1]})


@given(pairs, st.randoms())
def test_order_of_pairs_and_ends_changes_nothing(edges, random):
    turned = [edge[::-1] if random.random() < 0.5 else edge for edge in edges]
    random.shuffle(turned)
    assert components(turned) == components(edges)


def test_pairs_must_have_two_ends():
    with pytest.raises(ValueError, match="two ends"):
        connected_components(np.zeros(2, np.uint64), np.zeros(1, np.uint64))
