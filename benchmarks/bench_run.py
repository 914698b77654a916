"""The whole run: articles a CPU-second, what was embedded, peak memory.

    python benchmarks/bench_run.py ARTICLES.jsonl.gz --small 4000 --large 24000

ARTICLES are JSON lines, plain or .gz; without them the generator of `corpus.py` makes
some. Prints a Markdown table with a row for each way of running. Rates and memory are
marginal, between the two sizes: what starting an interpreter and importing libraries
costs is left out. CPU time is that of the whole process tree.
"""

import argparse
import gzip
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
from typing import NamedTuple

from corpus import write_corpus

WAYS = {
    "copies alone": ["--no-stories"],
    "no embedding": ["--embedding", "none"],
    "default": [],
    "all embedded": ["--embedding", "all"],
}


class Cost(NamedTuple):
    """What one run took."""

    cpu_seconds: float
    peak_bytes: int
    embedded: int
    articles: int


def cost(
    articles: pathlib.Path,
    flags: list[str],
    output: pathlib.Path,
    *,
    overwrite: bool = True,
) -> Cost:
    """Run once in a process of its own."""
    command = [sys.executable, "-m", "pipeline", "run", "--quiet", *flags]
    command += ["--overwrite"] if overwrite else []
    paths = ["--input", str(articles), "--output", str(output)]
    process = subprocess.Popen([*command, *paths], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join([*command, *paths])} failed")
    found = json.loads((output / "manifest.json").read_text())["statistics"]
    return Cost(
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * 1024,
        found["embedded_articles"],
        found["articles"],
    )


def first_lines(source: pathlib.Path, count: int, file: pathlib.Path) -> None:
    """Copy the first lines of JSON lines."""
    with (
        gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb") as lines,
        file.open("wb") as copied,
    ):
        copied.writelines(itertools.islice(lines, count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("articles", type=pathlib.Path, nargs="?")
    parser.add_argument("--small", type=int, default=4_000)
    parser.add_argument("--large", type=int, default=24_000)
    parser.add_argument("--only", nargs="*", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/run"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    inputs = []
    for size in (given.small, given.large):
        file = given.folder / f"{size}.jsonl"
        if given.articles is None:
            write_corpus(given.folder / f"corpus-{size}", size)
            file = given.folder / f"corpus-{size}" / "articles.jsonl"
        else:
            first_lines(given.articles, size, file)
        inputs.append(file)
    of = given.articles.name if given.articles else "the generator"
    print(f"{given.small:,} and {given.large:,} articles of {of}, ", end="")
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| run | articles a CPU-second | ms an article | embedded | ", end="")
    print("peak MB | kB an article |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in given.only:
        small, large = (cost(file, WAYS[name], given.folder / "output") for file in inputs)
        articles = large.articles - small.articles
        seconds = (large.cpu_seconds - small.cpu_seconds) / articles
        memory = (large.peak_bytes - small.peak_bytes) / articles
        print(
            f"| {name} | {1 / seconds:,.0f} | {seconds * 1e3:.2f} | "
            f"{large.embedded / large.articles:.0%} | {large.peak_bytes / 1e6:,.0f} | "
            f"{memory / 1e3:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
