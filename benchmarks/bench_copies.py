"""Copies only, JSON lines to groups: articles a CPU-second and what is found, with peers.

    pip install -e '.[peers]'
    python benchmarks/bench_copies.py --small 20000 --large 100000

Prints a Markdown table. The rate is marginal, between the two sizes: what starting an
interpreter and importing libraries costs is left out of all of them. CPU time is that of
the whole process tree. A planted pair is found if both are in one group; a pair of one
group is right if both come from one original.
"""

import argparse
import json
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable

import duckdb
from corpus import KINDS, write_corpus
from peers import PEERS, connected

Groups = dict[str, str]


def cpu_seconds(command: list[str]) -> float:
    """Run a command; give the CPU time of its whole process tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def newsdedup(articles: pathlib.Path, folder: pathlib.Path) -> tuple[float, Groups]:
    """Run this project; a partial reprint is in the group of what it reprints."""
    output = folder / "newsdedup"
    command = [sys.executable, "-m", "pipeline", "run", "--no-stories", "--quiet"]
    seconds = cpu_seconds(
        [*command, "--overwrite", "--input", str(articles), "--output", str(output)]
    )
    rows = duckdb.sql(
        f"SELECT article_id, duplicate_group_id FROM '{output}/articles/*.parquet'"
    )
    return seconds, dict(rows.fetchall())


def peer(name: str) -> Callable[[pathlib.Path, pathlib.Path], tuple[float, Groups]]:
    """Give what runs a peer."""

    def run(articles: pathlib.Path, folder: pathlib.Path) -> tuple[float, Groups]:
        output = folder / f"{name}.jsonl"
        script = pathlib.Path(__file__).with_name("peers.py")
        seconds = cpu_seconds(
            [sys.executable, str(script), name, str(articles), str(output)]
        )
        with output.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return seconds, {row["id"]: row["group"] for row in rows}

    return run


def scores(groups: Groups, corpus: pathlib.Path) -> dict[str, float]:
    """Give the recall of each kind of planted copy and the precision of all pairs."""
    with (corpus / "pairs.jsonl").open(encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines]
    planted, found = Counter(), Counter()
    for pair in pairs:
        planted[pair["kind"]] += 1
        found[pair["kind"]] += groups[pair["a"]] == groups[pair["b"]]
    ids = sorted(groups)
    number = {name: row for row, name in enumerate(ids)}
    origin = connected(len(ids), [(number[pair["a"]], number[pair["b"]]) for pair in pairs])
    members = defaultdict(list)
    for name, group in groups.items():
        members[group].append(origin[number[name]])
    made = sum(len(rows) * (len(rows) - 1) for rows in members.values())
    right = sum(
        count * (count - 1) for rows in members.values() for count in Counter(rows).values()
    )
    result = {kind: found[kind] / planted[kind] for kind in KINDS}
    return {**result, "precision": right / made if made else 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", default=["newsdedup", *PEERS])
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench"))
    given = parser.parse_args()
    corpora = [given.folder / f"corpus-{size}" for size in (given.small, given.large)]
    for corpus, size in zip(corpora, (given.small, given.large), strict=True):
        write_corpus(corpus, size)
    print(f"{given.small:,} and {given.large:,} generated articles of 395 words, ", end="")
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    columns = ["articles a CPU-second", "precision", *KINDS]
    print("| tool | " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for name in given.only:
        run = newsdedup if name == "newsdedup" else peer(name)
        with tempfile.TemporaryDirectory() as folder:
            spent = []
            for corpus in corpora:
                seconds, groups = run(corpus / "articles.jsonl", pathlib.Path(folder))
                spent.append(seconds)
        found = scores(groups, corpora[1])
        rate = (given.large - given.small) / (spent[1] - spent[0])
        cells = [f"{found[key]:.3f}" for key in ("precision", *KINDS)]
        print(f"| {name} | {rate:,.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
