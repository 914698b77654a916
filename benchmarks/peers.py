"""Other tools on the same job: JSON lines of articles to groups of copies.

    python benchmarks/peers.py rensa articles.jsonl groups.jsonl

Each is used as its documentation shows, with three-word shingles of the text as it is,
128 values in 32 bands of 4, pairs confirmed where the signatures agree in half of their
values, and connected pairs as groups. Writes one line an article: its id and its group.
"""

import json
import pathlib
import sys
from collections.abc import Iterator, Sequence

import orjson

NUM_PERM, BANDS, ROWS, THRESHOLD, SHINGLE = 128, 32, 4, 0.5, 3

_CHUNK = 2_000


def read(path: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """Give the id and the shingles of every article."""
    with path.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            words = row["text"].lower().split()
            shingles = {
                " ".join(words[start : start + SHINGLE])
                for start in range(max(len(words) - SHINGLE + 1, 1))
            }
            yield row["id"], list(shingles)


def connected(size: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Give the lowest member of each article's group."""
    parent = list(range(size))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(one) for one in range(size)]


def by_rensa(path: pathlib.Path) -> tuple[list[str], list[int]]:
    """Group by rensa's RMinHash and its LSH."""
    import rensa

    ids: list[str] = []
    sketches: list[rensa.RMinHash] = []
    waiting: list[list[str]] = []
    for name, shingles in read(path):
        ids.append(name)
        waiting.append(shingles)
        if len(waiting) == _CHUNK:
            sketches += rensa.RMinHash.from_token_sets(waiting, NUM_PERM, 42)
            waiting = []
    if waiting:
        sketches += rensa.RMinHash.from_token_sets(waiting, NUM_PERM, 42)
    index = rensa.RMinHashLSH(THRESHOLD, NUM_PERM, BANDS)
    index.insert_many(sketches)
    pairs = [
        (one, other)
        for one, found in enumerate(index.query_all(sketches))
        for other in found
        if other > one and sketches[one].jaccard(sketches[other]) >= THRESHOLD
    ]
    return ids, connected(len(ids), pairs)


def by_datasketch(path: pathlib.Path) -> tuple[list[str], list[int]]:
    """Group by datasketch's MinHash, fast scheme and fast hash, and its LSH."""
    import datasketch
    import xxhash

    index = datasketch.MinHashLSH(params=(BANDS, ROWS), num_perm=NUM_PERM)
    ids: list[str] = []
    sketches: list[datasketch.MinHash] = []
    pairs: list[tuple[int, int]] = []
    waiting: list[set[bytes]] = []

    def sign() -> None:
        made = datasketch.MinHash.bulk(
            waiting,
            num_perm=NUM_PERM,
            seed=1,
            scheme="affine32",
            hashfunc=xxhash.xxh32_intdigest,
        )
        for sketch in made:
            number = len(sketches)
            pairs.extend(
                (other, number)
                for other in index.query(sketch)
                if sketches[other].jaccard(sketch) >= THRESHOLD
            )
            index.insert(number, sketch, check_duplication=False)
            sketches.append(sketch)
        waiting.clear()

    for name, shingles in read(path):
        ids.append(name)
        waiting.append({shingle.encode() for shingle in shingles})
        if len(waiting) == _CHUNK:
            sign()
    if waiting:
        sign()
    return ids, connected(len(ids), pairs)


PEERS = {"rensa": by_rensa, "datasketch": by_datasketch}


def main() -> None:
    name, articles, output = sys.argv[1:]
    ids, groups = PEERS[name](pathlib.Path(articles))
    with pathlib.Path(output).open("w", encoding="utf-8") as file:
        for article, group in zip(ids, groups, strict=True):
            file.write(json.dumps({"id": article, "group": ids[group]}) + "\n")


if __name__ == "__main__":
    main()
