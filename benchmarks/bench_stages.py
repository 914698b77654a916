"""Microseconds an article in each stage, on batches, without a runner.

    python benchmarks/bench_stages.py ARTICLES.jsonl.gz --articles 6000

ARTICLES as for bench_run.py. Prints a Markdown table: CPU time of the stage functions, in
the order of the pipeline, each run once before it is timed. What shuffles, comparing
copies and writing cost is in bench_run.py, which runs everything.
"""

import argparse
import datetime
import pathlib
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from bench_run import first_lines
from corpus import write_corpus

from pipeline.config import Config
from schemas.batch import concatenate
from schemas.fingerprint import FINGERPRINT
from transforms.boilerplate import learn_recurring, strip_batch
from transforms.clustering import NODE, group_stories
from transforms.embedding import embed, embedding_text
from transforms.fingerprint import fingerprint_articles
from transforms.line_rules import rule_lines
from transforms.linkage import ABSENT
from transforms.parsing import parse_articles
from transforms.reading import MAX_ROW_BYTES, read_files
from transforms.story_model import shared_story_model
from transforms.story_scoring import MIN_SCORE, score_block

BATCH = 1_000
EMBEDDED = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("articles", type=pathlib.Path, nargs="?")
    parser.add_argument("--articles", dest="count", type=int, default=6_000)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/run"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    file = given.folder / f"{given.count}.jsonl"
    if given.articles is None:
        write_corpus(given.folder / f"corpus-{given.count}", given.count)
        file = given.folder / f"corpus-{given.count}" / "articles.jsonl"
    else:
        first_lines(given.articles, given.count, file)
    config = Config()
    model = shared_story_model(config.story_model_folder)
    latest = datetime.datetime.now(datetime.UTC)
    rows: list[tuple[str, float]] = []

    def timed(name: str, work: Callable[[], Any], count: int = given.count) -> Any:
        work()
        started = time.process_time()
        result = work()
        rows.append((name, (time.process_time() - started) / count * 1e6))
        return result

    def read() -> list[pa.RecordBatch]:
        found = read_files([str(file)], {}, batch_size=BATCH, max_row_bytes=MAX_ROW_BYTES)
        return [batch for kind, batch in found if kind == "raw"]

    raw = timed("read", read)
    parsed = timed("parse", lambda: [parse_articles(one, latest=latest)[0] for one in raw])
    ruled = timed("rule lines", lambda: [rule_lines(one) for one in parsed])
    recurring = timed("learn what recurs", lambda: learn_recurring(ruled))
    cleaned = timed(
        "strip furniture", lambda: [strip_batch(one, recurring)[0] for one in ruled]
    )
    timed(
        "fingerprint, copies alone",
        lambda: [fingerprint_articles(one, stories=False) for one in cleaned],
    )
    prints = timed(
        "fingerprint, with stories", lambda: [fingerprint_articles(one) for one in cleaned]
    )
    block = concatenate([one.select(FINGERPRINT.names) for one in prints], FINGERPRINT)
    edges = timed(
        "score stories, once", lambda: score_block(block, model, min_score=MIN_SCORE)
    )
    timed(
        "link stories, once",
        lambda: group_stories(
            block.select(NODE.names), edges, threshold=model.threshold, absent=ABSENT
        ),
    )
    leads = [
        embedding_text(title, text, max_tokens=config.embedding_tokens)
        for one in cleaned
        for title, text in zip(
            one.column("title").to_pylist(), one.column("text").to_pylist(), strict=True
        )
    ][:EMBEDDED]
    timed(
        "embed, an article that is embedded",
        lambda: embed(
            leads, model=config.embedding_model, max_tokens=config.embedding_tokens
        ),
        len(leads),
    )
    words = np.mean([one.column("word_count").to_numpy().mean() for one in cleaned])
    print(f"{given.count:,} articles of {words:.0f} words, ", end="")
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| stage | µs an article |")
    print("| --- | ---: |")
    for name, microseconds in rows:
        print(f"| {name} | {microseconds:,.0f} |")


if __name__ == "__main__":
    main()
