"""What a run that adds to a large folder costs, beside the same articles alone.

    python benchmarks/bench_increments.py --base 100000 --added 1000

Writes a base of generated articles in one run without embeddings, then adds articles to it,
and also runs these alone. Prints a Markdown table of CPU seconds of the whole process
tree, and what reading the index alone takes.
"""

import argparse
import pathlib
import platform
import shutil
import time

import numpy as np
from bench_run import cost
from corpus import write_corpus

from transforms.parquet import read_manifest, table_files
from transforms.past import Arrivals, remembered_of

WITHOUT_MODEL = ["--embedding", "none"]


def split_corpus(folder: pathlib.Path, base: int, added: int) -> list[pathlib.Path]:
    """Write a corpus and cut the last articles off: the newest, as they are in order."""
    write_corpus(folder, base + added)
    lines = (folder / "articles.jsonl").read_bytes().splitlines(keepends=True)
    files = [folder / "base.jsonl", folder / "added.jsonl"]
    for file, part in zip(files, (lines[:base], lines[base:]), strict=True):
        file.write_bytes(b"".join(part))
    return files


def reading_seconds(output: pathlib.Path) -> float:
    """Read the whole index once, as an increment reads what is near in time."""
    manifest = read_manifest(str(output)) or {}
    every_day = np.arange(1 << 15)
    started = time.process_time()
    for path in table_files(str(output), manifest, "index"):
        remembered_of(path, Arrivals(every_day, 1.0, 1.0))
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=100_000)
    parser.add_argument("--added", type=int, default=1_000)
    parser.add_argument(
        "--folder", type=pathlib.Path, default=pathlib.Path("build/increments")
    )
    given = parser.parse_args()
    corpus = given.folder / f"corpus-{given.base + given.added}"
    base, added = split_corpus(corpus, given.base, given.added)
    output = given.folder / "output"
    shutil.rmtree(output, ignore_errors=True)
    first = cost(base, WITHOUT_MODEL, output)
    reading = reading_seconds(output)
    incremental = cost(added, [*WITHOUT_MODEL, "--incremental"], output, overwrite=False)
    alone = cost(added, WITHOUT_MODEL, given.folder / "alone")
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| | CPU seconds | peak MB |")
    print("| --- | ---: | ---: |")
    for name, run in (
        (f"{given.base:,} articles at once", first),
        (f"{given.added:,} alone", alone),
        (f"{given.added:,} added to them", incremental),
    ):
        print(f"| {name} | {run.cpu_seconds:.1f} | {run.peak_bytes / 1e6:,.0f} |")
    print(f"| reading the index | {reading:.1f} | |")


if __name__ == "__main__":
    main()
