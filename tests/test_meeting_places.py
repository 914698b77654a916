import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.candidates import PAIR
from transforms.meeting_places import article_places, place_pairs

edges = st.sets(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda e: e[0] < e[1])
)


def pairs_of(edges):
    rows = [dict(zip(PAIR.names, edge, strict=True)) for edge in sorted(edges)]
    return pa.RecordBatch.from_pylist(rows, schema=PAIR)


@given(edges, st.integers(1, 5), st.integers(1, 40))
def test_both_articles_come_to_where_their_pair_meets(edges, shards, max_component):
    placed = place_pairs(pairs_of(edges), shards=shards, max_component=max_component)
    places = [tuple(row.values()) for row in article_places(placed).to_pylist()]
    wanted = {
        (row[name], row["shard"]) for row in placed.to_pylist() for name in PAIR.names
    }
    assert places == sorted(wanted)
    assert all(0 <= shard < shards for _, shard in places)


@given(edges)
def test_what_hangs_together_meets_in_one_place(edges):
    placed = place_pairs(pairs_of(edges), shards=7, max_component=1_000)
    places = article_places(placed).column("article_key").to_pylist()
    assert len(places) == len(set(places))
    assert not any(placed.column("split").to_pylist())


def test_a_giant_component_is_spread_and_says_so():
    star = pairs_of({(0, i) for i in range(1, 10)} | {(i, i + 1) for i in range(1, 400)})
    placed = place_pairs(star, shards=16, max_component=50)
    assert len(set(placed.column("shard").to_pylist())) > 4
    assert all(placed.column("split").to_pylist())
