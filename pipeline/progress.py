"""How far a run is: counted inside the pipeline, shown by the process that started it.

Each stage counts articles into a Beam counter, which every runner shows in its own way.
A run in this process counts into a tally as well, and a thread draws it: a bar for every
stage on a terminal, a line for every stage otherwise.
"""

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_LINES = 30.0


@dataclasses.dataclass
class _Tally:
    """Articles that have left a stage, and when the stage began and last gave a batch."""

    began: float
    articles: int = 0
    last: float = 0.0

    @property
    def rate(self) -> float:
        """Articles a second."""
        return self.articles / max(self.last - self.began, 1e-3)


# Of the run in this process: its start, then the stages in the order in which they first
# gave a batch.
_START = ""
_TALLIES: dict[str, _Tally] = {_START: _Tally(0.0)}


def _stages() -> list[tuple[str, _Tally]]:
    return list(_TALLIES.items())[1:]


class _Count(beam.DoFn):
    def __init__(self, stage: str, articles_in: Callable[[Any], int]) -> None:
        self.stage = stage
        self.articles_in = articles_in
        self.counter = beam.metrics.Metrics.counter("newsdedup", stage.replace(" ", "_"))

    def process(self, element: Any) -> Iterator[Any]:
        articles = self.articles_in(element)
        self.counter.inc(articles)
        if self.stage not in _TALLIES:
            # A stage begins where the one before it left off.
            _TALLIES[self.stage] = _Tally(max(tally.last for tally in _TALLIES.values()))
        tally = _TALLIES[self.stage]
        tally.articles += articles
        tally.last = time.monotonic()
        yield element


def _rows(batch: pa.RecordBatch) -> int:
    return int(batch.num_rows)


@dataclasses.dataclass(eq=False)
class CountArticles(beam.PTransform):
    """Pass elements on and count their articles for whoever watches.

    Stages that run as one should be counted as one, at the last of them.

    Attributes:
      stage: what has been done to them, for a person.
      articles_in: gives the articles of an element; of a batch, its rows.
    """

    stage: str
    articles_in: Callable[[Any], int] = _rows

    def expand(self, elements: beam.PCollection[Any]) -> beam.PCollection[Any]:
        """Count."""
        return elements | "Count" >> beam.ParDo(
            _Count(self.stage, self.articles_in)
        ).with_output_types(elements.element_type)


@contextlib.contextmanager
def shown(*, quiet: bool) -> Iterator[None]:
    """Draw the progress of the run in this process on standard error while it lasts."""
    _TALLIES.clear()
    _TALLIES[_START] = _Tally(time.monotonic(), last=time.monotonic())
    if quiet:
        yield
        return
    draw = _draw_bars if sys.stderr.isatty() else _write_lines
    finished = threading.Event()
    thread = threading.Thread(target=draw, args=(finished,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _draw_bars(finished: threading.Event) -> None:
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>8,.0f}/s"),
    )
    tasks = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:
        while True:
            ended = finished.wait(_SECONDS_BETWEEN_LOOKS)
            tallies = _stages()
            total = max((tally.articles for _, tally in tallies), default=0)
            for stage, tally in tallies:
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=None, rate=0.0)
                progress.update(
                    tasks[stage],
                    completed=tally.articles,
                    total=tally.articles if ended else total,
                    rate=tally.rate,
                )
            if ended:
                return


def _write_lines(finished: threading.Event) -> None:
    """Write a line when the next stage has begun, and now and then during a long one."""
    written: set[str] = set()
    spoken = time.monotonic()
    while True:
        ended = finished.wait(_SECONDS_BETWEEN_LOOKS)
        stages = _stages()
        for stage, tally in stages if ended else stages[:-1]:
            if stage not in written:
                written.add(stage)
                spoken = time.monotonic()
                _write_line(stage, tally)
        if ended:
            return
        if stages and time.monotonic() - spoken > _SECONDS_BETWEEN_LINES:
            spoken = time.monotonic()
            _write_line(f"{stages[-1][0]}, so far", stages[-1][1])


def _write_line(stage: str, tally: _Tally) -> None:
    line = f"{stage}: {tally.articles:,} articles, {tally.rate:,.0f}/s"
    print(line, file=sys.stderr, flush=True)
