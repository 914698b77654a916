"""Meeting places: where the texts of two articles come together to be compared.

Texts are large and lie wherever they were read. Pairs that hang together, directly or
through others, meet in one shard, so that a text travels once and only if it is wanted at
all. A component too large for one place is spread over several, not refused.
"""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, concatenate
from transforms.candidates import PAIR
from transforms.components import connected_components
from transforms.tokens import mix64

# Articles whose texts may meet in one place because they all hang together.
MAX_COMPONENT = 2_000

# A pair and where its texts meet.
PLACED_PAIR = pa.schema(
    [
        *PAIR,
        pa.field("shard", pa.int32(), nullable=False),
        # Other pairs that hang together with this one meet elsewhere.
        pa.field("split", pa.bool_(), nullable=False),
    ]
)

# Where the text of an article is wanted; an article may be wanted in several shards.
PLACE = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
    ]
)


def place_pairs(
    pairs: pa.RecordBatch, *, shards: int, max_component: int = MAX_COMPONENT
) -> pa.RecordBatch:
    """Choose where the texts of each pair meet.

    All pairs that hang together meet in one shard, so that a text travels once. If they are
    of more than `max_component` articles, they are spread over several shards, by the
    first article of each pair, and some texts travel more than once.

    Args:
      pairs: schema PAIR.
      shards: shards that pairs are spread over.
      max_component: articles that hang together and may meet in one shard.

    Returns:
      Schema PLACED_PAIR, in the order of the pairs.
    """
    left, right = column(pairs, "article_key"), column(pairs, "matched_key")
    nodes, labels = connected_components(left, right)
    _, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rows = np.searchsorted(nodes, left)
    parts = -(-sizes[numbers[rows]] // max_component)
    part = _mixed(left) % parts.astype(np.uint64)
    shard = _mixed(labels[rows] + part) % np.uint64(shards)
    columns = [left, right, shard.astype(np.int32), parts > 1]
    return pa.RecordBatch.from_arrays(
        [pa.array(values) for values in columns], schema=PLACED_PAIR
    )


def article_places(placed: pa.RecordBatch) -> pa.RecordBatch:
    """Say in which shards the text of each article is wanted.

    Args:
      placed: schema PLACED_PAIR.

    Returns:
      Schema PLACE, ascending, each place once.
    """
    ends = [placed.column(name) for name in PAIR.names]
    shards = placed.column("shard")
    both = pa.table([pa.chunked_array(ends), pa.chunked_array([shards] * 2)], PLACE.names)
    places = both.group_by(PLACE.names, use_threads=False).aggregate([])
    places = places.sort_by([(name, "ascending") for name in PLACE.names])
    return concatenate(places.cast(PLACE).to_batches(), PLACE)


@numba.njit(cache=True, nogil=True)
def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = np.empty_like(values)
    for i in range(values.size):
        mixed[i] = mix64(values[i])
    return mixed
