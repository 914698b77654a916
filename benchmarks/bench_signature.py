"""Articles a second from text to MinHash signature, on one core.

    python benchmarks/bench_signature.py

Prints a Markdown table: this project's compiled kernels beside datasketch fed with the
same three-word shingles, on the same generated texts.
"""

import platform
import time
from collections.abc import Callable

import datasketch
import numpy as np
import pyarrow as pa
import xxhash

from transforms.minhash import minhash_signatures
from transforms.tokens import shingle_hashes, tokenize

ARTICLES, WORDS, VOCABULARY, REPEATS, NUM_PERM = 2_000, 400, 50_000, 3, 128


def generated_texts() -> list[str]:
    """Make texts whose words are as unequally frequent as those of a language."""
    rng = np.random.default_rng(0)
    ranks = rng.zipf(1.2, size=(ARTICLES, WORDS)) % VOCABULARY
    return [" ".join(f"word{rank}" for rank in row) for row in ranks]


def compiled(texts: list[str]) -> None:
    tokens = tokenize(pa.array(texts))
    shingles, offsets = shingle_hashes(tokens, 3)
    minhash_signatures(shingles.astype(np.uint32), offsets, num_perm=NUM_PERM, seed=1)


def by_datasketch(texts: list[str]) -> None:
    shingles = [
        {" ".join(words[i : i + 3]).encode() for i in range(len(words) - 2)}
        for words in (text.lower().split() for text in texts)
    ]
    datasketch.MinHash.bulk(
        shingles,
        num_perm=NUM_PERM,
        seed=1,
        scheme="affine32",
        hashfunc=xxhash.xxh32_intdigest,
    )


def rate(function: Callable[[list[str]], None], texts: list[str]) -> float:
    """Give articles a CPU-second, the best of a few repeats after one to warm up."""
    function(texts[:10])
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        function(texts)
        seconds.append(time.process_time() - started)
    return len(texts) / min(seconds)


def main() -> None:
    texts = generated_texts()
    print(f"{ARTICLES:,} texts of {WORDS} words, {platform.machine()}, Python", end=" ")
    print(f"{platform.python_version()}, {NUM_PERM} values\n")
    print("| text to signature | articles a CPU-second |\n| --- | ---: |")
    for name, function in (("newsdedup", compiled), ("datasketch, xxh32", by_datasketch)):
        print(f"| {name} | {rate(function, texts):,.0f} |")


if __name__ == "__main__":
    main()
