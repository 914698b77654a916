"""One run, ten runs that add, and a stream, on labelled articles: do they agree?

    python benchmarks/modes.py ARTICLES.jsonl.gz --embedding undecided

ARTICLES are JSON lines with id, published_at and story. In ten runs and in a stream they
come in the order of publication; shuffled by up to a day; and, in a stream, 5 % of them up
to five days late besides. A window of the stream is five minutes of that order, which is
one article where news is thin; it is placed by the function that the keyed assigner
calls. Prints a Markdown table, and what copy groups are other ones than in one run.
"""

import argparse
import collections
import datetime
import gzip
import json
import pathlib
import shutil

import numpy as np
import pyarrow as pa

from pipeline import batch
from pipeline.agreement import bcubed
from pipeline.config import EMBEDDINGS, Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from pipeline.streaming import stream_rules
from schemas.batch import split_by
from transforms.listing import matched_files
from transforms.micro_batches import NO_MEMORY, place_window
from transforms.parsing import parse_articles
from transforms.reading import read_files

PARTS = 10
WINDOW_SECONDS = 300
DAY = 86_400
LATE_SHARE, LATE_DAYS = 0.05, 5
SEED = 7

Placed = dict[str, tuple[str, str]]


def arrivals(published: np.ndarray, order: str) -> np.ndarray:
    """Give when articles come, in seconds, in one of the orders."""
    random = np.random.default_rng(SEED)
    came = published.copy()
    if order != "in order":
        came += random.uniform(0, DAY, len(came))
    if order == "shuffled, 5 % late":
        late = random.random(len(came)) < LATE_SHARE
        came[late] += random.uniform(0, LATE_DAYS * DAY, late.sum())
    return came


def in_runs(parts: list[list[bytes]], config: Config, folder: pathlib.Path) -> Placed:
    """Place articles by runs of which each adds a part."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "parts").mkdir(parents=True)
    for number, lines in enumerate(parts):
        file = folder / "parts" / f"{number:02d}.jsonl"
        file.write_bytes(b"".join(lines))
        batch.run(
            [str(file)], str(folder / "out"), config, fields={}, additions=Additions()
        )
    names = ["article_id", "story_id", "duplicate_group_id"]
    rows = read_table(str(folder / "out"), "articles", names).to_pylist()
    return {row["article_id"]: (row["story_id"], row["duplicate_group_id"]) for row in rows}


def in_windows(articles: pa.RecordBatch, came: np.ndarray, config: Config) -> Placed:
    """Place articles as a stream does, language by language."""
    rules = stream_rules(config, window_seconds=WINDOW_SECONDS, lookback=7, most=100_000)
    languages = articles.column("language").dictionary_encode()
    names = languages.dictionary.to_pylist()
    memories = dict.fromkeys(names, NO_MEMORY)
    placed: Placed = {}
    numbers = (came // WINDOW_SECONDS).astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        end = datetime.datetime.fromtimestamp(
            float(numbers[rows[0]] + 1) * WINDOW_SECONDS, datetime.UTC
        )
        own = articles.take(pa.array(rows))
        codes = languages.take(pa.array(rows)).indices.to_numpy()
        for code, part in split_by(own, codes):
            name = names[code]
            window, memories[name] = place_window([part], memories[name], rules, name, end)
            for row in window.tables["placements"].to_pylist():
                placed[row["article_id"]] = (row["story_id"], row["duplicate_group_id"])
    return placed


def groups(placed: Placed, ids: list[str]) -> set[frozenset[str]]:
    """Give the copy groups of two or more."""
    found = collections.defaultdict(set)
    for article_id in ids:
        found[placed[article_id][1]].add(article_id)
    return {frozenset(group) for group in found.values() if len(group) > 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("articles", type=pathlib.Path)
    parser.add_argument("--embedding", choices=EMBEDDINGS, default=Config.embedding)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/modes"))
    given = parser.parse_args()
    config = Config(embedding=given.embedding)
    with gzip.open(given.articles) as file:
        lines = file.read().splitlines(keepends=True)
    rows = [json.loads(line) for line in lines]
    story = {str(row["id"]): row.get("story") for row in rows}
    (raw,) = (
        found
        for name, found in read_files(
            matched_files([str(given.articles)]),
            {},
            batch_size=len(rows) + 1,
            max_row_bytes=1 << 24,
        )
        if name == "raw"
    )
    articles, _ = parse_articles(raw, latest=datetime.datetime.now(datetime.UTC))
    times = articles.column("published_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
    published = np.where(np.isnan(times), np.nanmax(times), times) / 1e6
    by_id = dict(zip((str(row["id"]) for row in rows), lines, strict=True))
    ids = articles.column("article_id").to_pylist()
    once = in_runs([lines], config, given.folder / "once")
    gold = [article_id for article_id in ids if story.get(article_id) is not None]

    print(f"{given.articles.name}, --embedding {given.embedding}\n")
    print("| | stories against one run, B³ F1 | against labels | copy groups equal |")
    print("| --- | ---: | ---: | ---: |")

    def told(name: str, placed: Placed) -> None:
        against = bcubed(*([found[one][0] for one in ids] for found in (once, placed)))
        right = bcubed([story[one] for one in gold], [placed[one][0] for one in gold])
        both = [groups(found, ids) for found in (once, placed)]
        equal = f"{len(both[0] & both[1])} of {len(both[0])}"
        if others := both[1] - both[0]:
            equal += f", {len(others)} other"
        print(f"| {name} | {against.f1:.4f} | {right.f1:.4f} | {equal} |", flush=True)

    told("one run", once)
    for order in ("in order", "shuffled", "shuffled, 5 % late"):
        came = arrivals(published, order)
        if order != "shuffled, 5 % late":
            ordered = [by_id[ids[row]] for row in np.argsort(came, kind="stable")]
            size = -(-len(ordered) // PARTS)
            parts = [ordered[at : at + size] for at in range(0, len(ordered), size)]
            told(f"ten runs, {order}", in_runs(parts, config, given.folder / "ten"))
        told(f"stream, {order}", in_windows(articles, came, config))


if __name__ == "__main__":
    main()
