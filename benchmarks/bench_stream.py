"""A stream of generated articles through the keyed assigner, on Beam's test stream.

    python benchmarks/bench_stream.py --articles 10000 --windows 20

Prints a Markdown table: articles a CPU-second from message to Parquet, with and without
stories, and what is remembered of the language at the end, which is the state of its key.
Without stories and with only 1,000 articles remembered, memory must not grow: the last
column is what the process held at its largest.
"""

import argparse
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
from pipeline.streaming import PlaceStream, stream_rules
from transforms import streams
from transforms.messages import Message

WAYS = {
    "copies alone": (Config(stories=False), 100_000),
    "copies alone, 1,000 remembered": (Config(stories=False), 1_000),
    "no embedding": (Config(embedding="none"), 100_000),
    "default": (Config(), 100_000),
}
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
    pipeline.run().wait_until_finish()
    past = max(remembered.values(), key=lambda past: past.articles.num_rows)
    told = {
        "seconds": time.process_time() - started,
        "articles": past.articles.num_rows,
        "bytes": sum(batch.nbytes for batch in past),
        "embedded": past.vectors.num_rows,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/stream"))
    parser.add_argument("--only", nargs="*", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    corpus = given.folder / f"corpus-{given.articles}"
    write_corpus(corpus, given.articles)
    if given.way:
        lines = (corpus / "articles.jsonl").read_bytes().splitlines()
        place(lines, given.windows, given.way, given.folder / "live")
        return
    print(f"{platform.machine()}, Python {platform.python_version()}")
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
