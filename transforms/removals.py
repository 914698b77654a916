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

_SHARDS = 8


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
    folded = pc.replace_substring_regex(removed.column("line"), r"\d+", "0")
    rows = pa.Table.from_batches([removed]).append_column("folded", folded)
    together = ["source", "reason", "folded"]
    written = rows.group_by([*together, "line"]).aggregate([([], "count_all")])
    written = written.sort_by([("count_all", "descending"), ("line", "ascending")])
    # In the order of rows, so that the first is the commonest.
    lines = written.group_by(together, use_threads=False).aggregate([("line", "first")])
    groups = rows.group_by(together).aggregate(
        [("article_key", "count_distinct"), ("article_id", "min"), ("word_count", "sum")]
    )
    keys = (lines.column(name).to_pylist() for name in together)
    chosen = dict(
        zip(zip(*keys, strict=True), lines.column("line_first").to_pylist(), strict=True)
    )
    by_source: dict[str | None, list[tuple[int, str, str, int, str]]] = (
        collections.defaultdict(list)
    )
    for source, reason, line, found_in, example, total in zip(
        *(groups.column(name).to_pylist() for name in groups.column_names), strict=True
    ):
        written_as = chosen[source, reason, line]
        by_source[source].append((found_in, written_as, reason, total, example))
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
