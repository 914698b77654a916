"""Removals: what was stripped off a source, counted, so that a wipe-out is seen.

A rule that is wrong is wrong thousands of times. One look at the commonest removed lines
of a source shows it, and the sum of words beside the source's articles shows a source
that lost its text.
"""

import collections
import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import REMOVED
from schemas.batch import concatenate, split_by
from schemas.story import BOILERPLATE
from transforms.recurrence import source_keys

_SHARDS = 64


def summarise_removed(
    removed: pa.RecordBatch, run_id: str, *, lines_per_source: int = 200
) -> pa.RecordBatch:
    """Count what was removed, by source and line.

    Lines that differ in numbers alone are one; the commonest way to write it stands for
    all. A source's commonest lines are listed, the rest summed under the line "", so that
    the words of all rows are the words removed.

    Args:
      removed: REMOVED rows, all that there are of each source.
      run_id: of the run.
      lines_per_source: how many lines of a source are listed.

    Returns:
      BOILERPLATE rows, by source, the commonest line first.
    """
    folded = pc.replace_substring_regex(removed.column("line"), r"\d+", "0").to_pylist()
    groups: dict[tuple[str | None, str, str], list[int]] = collections.defaultdict(list)
    sources = removed.column("source").to_pylist()
    reasons = removed.column("reason").to_pylist()
    for row, key in enumerate(zip(sources, reasons, folded, strict=True)):
        groups[key].append(row)
    articles = removed.column("article_id").to_pylist()
    words = removed.column("word_count").to_pylist()
    lines = removed.column("line").to_pylist()

    by_source: dict[str | None, list[tuple[int, str, str, int, str]]] = (
        collections.defaultdict(list)
    )
    for (source, reason, _), rows in groups.items():
        written = collections.Counter(lines[row] for row in rows)
        line = min(written, key=lambda line: (-written[line], line))
        found_in = {articles[row] for row in rows}
        total = sum(words[row] for row in rows)
        by_source[source].append((len(found_in), line, reason, total, min(found_in)))
    summary = []
    for source in sorted(by_source, key=lambda source: (source is None, source or "")):
        found = sorted(by_source[source], key=lambda entry: (-entry[0], entry[1:]))
        listed, rest = found[:lines_per_source], found[lines_per_source:]
        by_reason: dict[str, list[tuple[int, str, str, int, str]]] = {}
        for entry in rest:
            by_reason.setdefault(entry[2], []).append(entry)
        for reason, entries in sorted(by_reason.items()):
            count, total = sum(e[0] for e in entries), sum(e[3] for e in entries)
            listed.append((count, "", reason, total, min(e[4] for e in entries)))
        summary += [
            (source, reason, line, count, total, example, run_id)
            for count, line, reason, total, example in listed
        ]
    columns = list(zip(*summary, strict=True)) or [()] * len(BOILERPLATE)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(values, field.type)
            for values, field in zip(columns, BOILERPLATE, strict=True)
        ],
        schema=BOILERPLATE,
    )


@dataclasses.dataclass(eq=False)
class SummariseBoilerplate(beam.PTransform):
    """Count what was removed: REMOVED batches in, BOILERPLATE batches out.

    Attributes:
      run_id: of the run, written to every row.
      lines_per_source: how many lines of a source are listed, the rest being summed.
    """

    run_id: str
    lines_per_source: int = 200

    def expand(
        self, removed: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Bring the lines of a source together and count them."""
        return (
            removed
            | "By source" >> beam.FlatMap(self._by_source)
            | "Gather" >> beam.GroupByKey()
            | "Count" >> beam.MapTuple(self._count)
        )

    def _by_source(self, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        shards = source_keys(batch.column("source")) % np.uint64(_SHARDS)
        yield from split_by(batch, shards)

    def _count(self, _: int, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
        return summarise_removed(
            concatenate(batches, REMOVED),
            self.run_id,
            lines_per_source=self.lines_per_source,
        )
