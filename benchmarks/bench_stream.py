"""A stream of generated articles through the keyed assigner, on Beam's test stream.

    python benchmarks/bench_stream.py --articles 10000 --windows 20
    python benchmarks/bench_stream.py --replay

Prints a Markdown table: articles a CPU-second from message to Parquet, with and without
stories, and what is remembered of the language at the end, which is the state of its key.
Without stories and with only 1,000 articles remembered, memory must not grow: the last
column is what the process held at its largest.

With --replay it places a generated day, 288 windows of five minutes, one after another in
one process as `newsdedup stream` does, and prints what is held every four hours. Articles
are remembered for six hours (--hours): from then on nothing may grow.
"""

import argparse
import dataclasses
import json
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import time

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from corpus import write_corpus

from pipeline.config import Config
from pipeline.streaming import PlaceStream, place_messages, stream_rules
from transforms import streams
from transforms.messages import Message

WAYS = {
    "copies alone": (Config(stories=False), 100_000),
    "copies alone, 1,000 remembered": (Config(stories=False), 1_000),
    "no embedding": (Config(embedding="none"), 100_000),
    "default": (Config(), 100_000),
}
WINDOWS_A_DAY, WINDOWS_A_ROW, ARTICLES_A_WINDOW = 288, 48, 20
SUBSCRIPTION = "projects/bench/subscriptions/articles"
WINDOW_SECONDS = 300
BEGAN = 1_780_000_000


def place(lines: list[bytes], windows: int, way: str, output: pathlib.Path) -> None:
    """Run a stream in this process; print what it took as JSON."""
    config, most = WAYS[way]
    rules = stream_rules(config, window_seconds=WINDOW_SECONDS, lookback=7, most=most)
    stream = TestStream()
    for number in range(windows):
        came = BEGAN + number * WINDOW_SECONDS
        own = enumerate(lines[number::windows])
        stream = stream.add_elements(
            [
                TimestampedValue(
                    Message(line, f"{number}-{at}", came * 10**6, {}, ""), came
                )
                for at, line in own
            ]
        ).advance_watermark_to(came + WINDOW_SECONDS)
    pipeline = beam.Pipeline(
        runner=BundleBasedDirectRunner(), options=PipelineOptions([], streaming=True)
    )
    pipeline | stream | PlaceStream(SUBSCRIPTION, str(output), rules, {})
    remembered = {}

    def noting(waiting, memory, rules, language, end):
        window, now = place_window(waiting, memory, rules, language, end)
        remembered[language] = now.past
        return window, now

    place_window, streams.place_window = streams.place_window, noting
    started = time.process_time()
    # Without pickling the messages of the test stream, which no other runner could take.
    pipeline.run(test_runner_api=False).wait_until_finish()
    past = max(remembered.values(), key=lambda past: past.articles.num_rows)
    told = {
        "seconds": time.process_time() - started,
        "articles": past.articles.num_rows,
        "bytes": sum(batch.nbytes for batch in past),
        "embedded": past.vectors.num_rows,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(told))


def resident_bytes() -> int:
    """Give the memory that this process holds now."""
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def replay(lines: list[bytes], way: str, hours: float, output: pathlib.Path) -> None:
    """Place a day in this process; print a table of what is held."""
    config, most = WAYS[way]
    rules = stream_rules(
        config, window_seconds=WINDOW_SECONDS, lookback=hours / 24, most=most
    )
    # In a day fewer come than are remembered of a thin feed.
    rules = dataclasses.replace(rules, least=0)
    place = PlaceStream(SUBSCRIPTION, str(output), rules, {})
    names = ("articles", "standings", "recurring", "rejects")
    print("| windows | " + " | ".join(names) + " | state kB | resident MB | seconds |")
    print("| ---: " * 8 + "|")
    for number in range(WINDOWS_A_DAY):
        came = BEGAN + number * WINDOW_SECONDS
        own = [*lines[number::WINDOWS_A_DAY], b"no article"]
        messages = [
            Message(line, f"{number}-{at}", came * 10**6, {}, "")
            for at, line in enumerate(own)
        ]
        counts = place_messages(messages, place, PipelineOptions([]))
        if (number + 1) % WINDOWS_A_ROW == 0:
            told = [f"{counts[f'remembered_{name}']:,}" for name in names]
            print(
                f"| {number + 1} | {' | '.join(told)} "
                f"| {counts['remembered_bytes'] / 1e3:,.0f} "
                f"| {resident_bytes() / 1e6:,.0f} | {time.process_time():,.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/stream"))
    parser.add_argument("--only", nargs="*", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--replay", action="store_true", help="a day, window by window")
    parser.add_argument("--hours", type=float, default=6, help="remembered in a replay")
    given = parser.parse_args()
    if given.replay:
        given.articles = WINDOWS_A_DAY * ARTICLES_A_WINDOW
    corpus = given.folder / f"corpus-{given.articles}"
    write_corpus(corpus, given.articles)
    if given.way:
        lines = (corpus / "articles.jsonl").read_bytes().splitlines()
        place(lines, given.windows, given.way, given.folder / "live")
        return
    print(f"{platform.machine()}, Python {platform.python_version()}")
    if given.replay:
        lines = (corpus / "articles.jsonl").read_bytes().splitlines()
        for way in given.only:
            print(f"\n{way}, {given.articles:,} articles, {given.hours:g} hours\n")
            shutil.rmtree(given.folder / "live", ignore_errors=True)
            replay(lines, way, given.hours, given.folder / "live")
        return
    print(f"{given.articles:,} articles in {given.windows} windows\n")
    print("| | articles a CPU-second | embedded | remembered | MB | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for way in given.only:
        shutil.rmtree(given.folder / "live", ignore_errors=True)
        command = [sys.executable, *sys.argv, "--way", way]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        told = json.loads(out.splitlines()[-1])
        print(
            f"| {way} | {given.articles / told['seconds']:,.0f} | {told['embedded']:,} "
            f"| {told['articles']:,} | {told['bytes'] / 1e6:,.1f} "
            f"| {told['peak'] / 1e6:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
