"""Windows: what a stream writes, a few files every five minutes, and what it reads again.

Each window of a language writes a file of each table that has rows, and last one of
`placements`. Only a window that has this one counts: of an attempt that died the other
files may stand there, and the next one removes them. A file is never written to again, and
its name says what it holds, so that an attempt that is repeated writes the same files.

Where an article stands now is its latest row of `placements`. What an earlier job of the
stream wrote is all that a later one needs to go on as if it had been the same: beside the
tables of a run there are `recurring`, of what was learnt to recur, and `vectors`, of what
was embedded later than it was placed.
"""

import contextlib
import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from apache_beam.coders import IterableCoder, StrUtf8Coder, TupleCoder, VarIntCoder

from schemas.article import RECEIVED, REJECT
from schemas.batch import RecordBatchCoder, column, concatenate, with_column
from schemas.match import COPY_EVIDENCE, MATCH, STORY_EVIDENCE
from schemas.past import LEARNT, PLACEMENTS, REFUSED, STANDING, VECTOR, VECTORS
from schemas.story import ARTICLES, BOILERPLATE, CHANGES, INDEX, LINES
from transforms import storage
from transforms.continuing import ledger_rows
from transforms.pair_scoring import GRAPH_FLOOR
from transforms.parquet import REPEATING, ROW_GROUP_SIZE
from transforms.past import (
    as_written_now,
    copy_edges_of,
    id_keys,
    read_part,
    story_edges_of,
)
from transforms.remembering import Past, latest_rows, refused
from transforms.resolving import EARLIER_ARTICLE, INDEXED, as_before
from transforms.story_articles import STORY_ARTICLE

# In the order in which they are written.
TABLES = {
    "raw": RECEIVED,
    "articles": ARTICLES,
    "index": INDEX,
    "matches": MATCH,
    "vectors": VECTORS,
    "lines": LINES,
    "recurring": LEARNT,
    "boilerplate": BOILERPLATE,
    "rejects": REJECT,
    "changes": CHANGES,
    "placements": PLACEMENTS,
}
LAST = "placements"
# Where files wait that are being written.
_PARTS = "_parts"

_NAME = re.compile(r"(\d{8}T\d{6}Z-\d{6,})-([a-z]{2,3})-([0-9a-f]{8})\.parquet")


# Of the counters. Articles that were placed; that had come before; rows rejected;
# articles embedded, and forgotten.
NAMESPACE = "stream"
COUNTED = ("placed", "repeated", "rejected", "embedded", "forgotten")
# What is remembered of the language: articles, those of which it is known where they
# stand, what recurs, rejects, and the bytes of all.
REMEMBERED = (
    "remembered_articles",
    "remembered_standings",
    "remembered_recurring",
    "remembered_rejects",
    "remembered_bytes",
)


class Window(NamedTuple):
    """What a window of a language came to.

    Attributes:
      language: its key.
      label: when it ended, and its number; labels of a language sort in time.
      tables: rows by table, those of `TABLES`; PLACEMENTS without `run_id`.
      counts: what there is to count, by name: those of `COUNTED` add up over windows,
        of those of `REMEMBERED` the largest tells most.
    """

    language: str
    label: str
    tables: Mapping[str, pa.RecordBatch]
    counts: Mapping[str, int]


# A window in the order of its fields: texts, then named tables, then named numbers.
_WINDOW = TupleCoder(
    [
        StrUtf8Coder(),
        StrUtf8Coder(),
        IterableCoder(TupleCoder([StrUtf8Coder(), RecordBatchCoder()])),
        IterableCoder(TupleCoder([StrUtf8Coder(), VarIntCoder()])),
    ]
)


class WindowCoder(beam.coders.Coder):
    """Encodes a Window by Beam's own coders and Arrow's: a pickle would be a program."""

    def encode(self, window: Window) -> bytes:
        """Give the bytes of a window."""
        language, label, tables, counts = window
        return bytes(_WINDOW.encode((language, label, tables.items(), counts.items())))

    def decode(self, encoded: bytes) -> Window:
        """Give back the window of these bytes."""
        language, label, tables, counts = _WINDOW.decode(encoded)
        return Window(language, label, dict(tables), dict(counts))

    def is_deterministic(self) -> bool:
        """Equal windows give equal bytes."""
        return True

    def to_type_hint(self) -> type[Window]:
        """Name the type that Beam looks this coder up by."""
        return Window


beam.coders.registry.register_coder(Window, WindowCoder)


def window_label(end: datetime.datetime, sequence: int) -> str:
    """Name a window by its end, in UTC, and its number."""
    return f"{end.astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}-{sequence:06d}"


def window_of(stem: str) -> str:
    """Give the label of a window, of the stem of its files."""
    return "-".join(stem.split("-")[:2])


def window_end(stem: str) -> datetime.datetime:
    """Give the end of a window, of its label or of the stem of its files."""
    end = datetime.datetime.strptime(stem.split("-")[0], "%Y%m%dT%H%M%SZ")
    return end.replace(tzinfo=datetime.UTC)


def window_sequence(stem: str) -> int:
    """Give the number of a window, of the stem of its files."""
    return int(stem.split("-")[1])


def write_window(window: Window, output: str) -> list[str]:
    """Write the files of a window; give their names, that of `placements` last."""
    names = []
    rows = {name: window.tables[name] for name in TABLES if name in window.tables}
    standing = rows.get(LAST, pa.RecordBatch.from_pylist([], schema=STANDING))
    label = pa.repeat(window.label, standing.num_rows)
    rows[LAST] = pa.RecordBatch.from_arrays([*standing.columns, label], schema=PLACEMENTS)
    token = _token(rows)
    for table, batch in rows.items():
        if not batch.num_rows and table != LAST:
            continue
        name = f"{table}/{window.label}-{window.language}-{token}.parquet"
        _write(output, name, batch.cast(TABLES[table]))
        names.append(name)
    return names


def _token(rows: Mapping[str, pa.RecordBatch]) -> str:
    """Give 8 hexadecimal digits that tell what a window holds."""
    digest = xxhash.xxh3_64()
    for table, names in (("raw", ["id"]), ("rejects", ["file", "position"])):
        if table in rows:
            for name in names:
                values = rows[table].column(name).to_pylist()
                digest.update("\n".join(map(str, values)).encode())
    return digest.hexdigest()[:8]


def _write(output: str, name: str, batch: pa.RecordBatch) -> None:
    """Write a file whole: elsewhere first, for where it belongs somebody may read it."""
    path = storage.join(output, name)
    if storage.exists(path):
        return
    waiting = storage.join(output, _PARTS, name.replace("/", "-"))
    for folder in (storage.join(output, name.split("/")[0]), storage.join(output, _PARTS)):
        # Another thread may make it at this moment.
        with contextlib.suppress(OSError):
            storage.make_folder(folder)
    with storage.created(waiting) as stream:
        pq.write_table(
            pa.Table.from_batches([batch]),
            stream,
            compression="zstd",
            row_group_size=ROW_GROUP_SIZE,
            use_dictionary=[name for name in REPEATING if name in batch.schema.names],
        )
    storage.move([(waiting, path)])


def windows_written(output: str, language: str) -> list[str]:
    """Give the windows of a language that count, `<label>-<language>-<token>`, in time."""
    stems = (stem for stem, _ in _files(output, LAST, language))
    return sorted(stems, key=window_sequence)


def remove_unfinished(output: str, language: str) -> None:
    """Remove the files of windows of which an attempt died."""
    written = set(windows_written(output, language))
    left = [
        path
        for table in TABLES
        for stem, path in _files(output, table, language)
        if stem not in written
    ]
    parts = storage.join(output, _PARTS, f"*-{language}-*.parquet")
    left += [found.path for found in storage.matching(parts)]
    storage.delete(left)


def _files(output: str, table: str, language: str) -> list[tuple[str, str]]:
    """Give the files of a table: their stems and paths."""
    pattern = storage.join(output, table, f"*-{language}-*.parquet")
    files = []
    for found in storage.matching(pattern):
        name = found.path.rpartition("/")[2]
        if _NAME.fullmatch(name):
            files.append((name.removesuffix(".parquet"), found.path))
    return files


def placement_files(output: str) -> list[str]:
    """Give the files of `placements` of all languages, those of later windows last.

    Raises:
      ValueError: if there is none.
    """
    files = _files(output, LAST, "*")
    if not files:
        raise ValueError(f"a stream must have written to {output}, found no {LAST} there")
    return [path for _, path in sorted(files, key=lambda file: window_sequence(file[0]))]


def read_standings(paths: Sequence[str]) -> pa.RecordBatch:
    """Give where articles stand: STANDING rows, ascending, the latest of each.

    Args:
      paths: of files of `placements`, those of later windows last.
    """
    read = [read_part(path, STANDING.names) for path in reversed(paths)]
    return _latest(concatenate(read, STANDING))


class Written(NamedTuple):
    """What a stream wrote of a language, as far as it is read again.

    Attributes:
      past: articles, and what was found of them, in the order in which they came.
      recurring: LEARNT rows, ascending: of what was learnt the latest row.
      refused: REFUSED rows, ascending.
    """

    past: Past
    recurring: pa.RecordBatch
    refused: pa.RecordBatch


def read_windows(output: str, language: str, *, since: str, least: int) -> Written:
    """Read what an earlier job of a stream wrote of a language.

    Args:
      output: folder of the stream.
      language: its key.
      since: windows with a lower label are not read, if the others hold enough, nor
        later ones that are.
      least: articles that are enough.
    """
    paths = {table: dict(_files(output, table, language)) for table in TABLES}
    standings: list[pa.RecordBatch] = []
    found: dict[str, list[pa.RecordBatch]] = {table: [] for table in TABLES}
    counts: dict[str, int] = {}
    stems = windows_written(output, language)
    for number in reversed(range(len(stems))):
        # Windows end in another order than they are numbered in, where some are late.
        newest = max(stems[: number + 1])
        newer = sum(count for stem, count in counts.items() if stem > newest)
        if newest < since and newer >= least:
            break
        stem = stems[number]
        for table in ("articles", "index", "vectors", "lines", "recurring"):
            if stem in paths[table]:
                found[table].append(read_part(paths[table][stem]))
        if stem in paths["rejects"]:
            rejects = read_part(paths["rejects"][stem], ["file", "position"])
            found["rejects"].append(refused(rejects, window_of(stem)))
        for table, read in (("copies", copy_edges_of), ("stories", story_edges_of)):
            if stem in paths["matches"]:
                found.setdefault(table, []).append(read(paths["matches"][stem]))
        standings.append(read_part(paths[LAST][stem], STANDING.names))
        counts[stem] = found["articles"][-1].num_rows if stem in paths["articles"] else 0
    latest = _latest(concatenate(standings, STANDING))
    rows = [as_written_now(batch, ARTICLES) for batch in found["articles"]]
    articles = concatenate(rows, ARTICLES)
    prints = concatenate(found["index"], INDEX)
    made = prints.select(VECTOR.names).cast(VECTOR)
    made = made.filter(made.column("vector").is_valid())
    late = concatenate(found["vectors"], VECTORS).select(VECTOR.names).cast(VECTOR)
    past = Past(
        articles=_in_order(_as_remembered(articles, prints, latest)),
        vectors=concatenate([made, late], VECTOR),
        standings=latest,
        copy_edges=_between(found.get("copies", []), COPY_EVIDENCE, prints),
        story_edges=_likely(_between(found.get("stories", []), STORY_EVIDENCE, prints)),
        lines=concatenate(found["lines"], LINES),
    )
    return Written(
        past,
        latest_rows(found["recurring"], LEARNT),
        latest_rows(found["rejects"], REFUSED),
    )


def _in_order(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Sort STORY_ARTICLE rows as they came: window by window, each by their keys."""
    windows = articles.column("run_id").dictionary_encode()
    numbers = [window_sequence(label) for label in windows.dictionary.to_pylist()]
    came = np.array(numbers, np.int64)[windows.indices.to_numpy()]
    return articles.take(pa.array(np.lexsort((column(articles, "article_key"), came))))


def _latest(standings: pa.RecordBatch) -> pa.RecordBatch:
    """Keep the first row of each article, which is its latest; ascending."""
    _, rows = np.unique(column(standings, "article_key"), return_index=True)
    return standings.take(pa.array(rows))


def _as_remembered(
    articles: pa.RecordBatch, prints: pa.RecordBatch, standings: pa.RecordBatch
) -> pa.RecordBatch:
    """Make STORY_ARTICLE rows of ARTICLES and INDEX rows of the same articles."""
    keys = id_keys(articles.column("article_id"))
    stand = standings.take(pa.array(ledger_rows(standings, keys)))
    given = with_column(articles, "article_key", pa.array(keys))
    for name in ("group_key", "story_key", "representative_key"):
        given = with_column(given, name, stand.column(name))
    nothing = pa.RecordBatch.from_pylist([], schema=VECTOR)
    remembered = as_before(
        given.select(EARLIER_ARTICLE.names).cast(EARLIER_ARTICLE),
        prints.select(INDEXED.names).cast(INDEXED),
        nothing,
    )
    contents = stand.column("content_key")
    return with_column(remembered, "content_key", contents).cast(STORY_ARTICLE)


def _between(
    edges: Sequence[pa.RecordBatch], schema: pa.Schema, articles: pa.RecordBatch
) -> pa.RecordBatch:
    """Join edges, later ones first, and keep the latest of each pair of articles."""
    joined = concatenate(edges, schema)
    ends = np.stack([column(joined, name) for name in ("article_key", "matched_key")], 1)
    _, latest = np.unique(np.sort(ends, axis=1), axis=0, return_index=True)
    latest = np.sort(latest)
    here = np.isin(ends[latest], column(articles, "article_key")).all(axis=1)
    return joined.take(pa.array(latest[here]))


def _likely(edges: pa.RecordBatch) -> pa.RecordBatch:
    """Leave out pairs of which it was told last that they are hardly alike."""
    near = column(edges, "story_score") >= np.float32(GRAPH_FLOOR)
    return edges.filter(pa.array(near))


class _WriteWindows(beam.DoFn):
    """Writes windows, and counts."""

    def __init__(self, output: str) -> None:
        self.output = output
        metrics = beam.metrics.Metrics
        self.counters = {name: metrics.counter(NAMESPACE, name) for name in COUNTED}
        self.sizes = {name: metrics.distribution(NAMESPACE, name) for name in REMEMBERED}

    def process(self, window: Window) -> Iterator[str]:
        yield from write_window(window, self.output)
        for name, counter in self.counters.items():
            counter.inc(window.counts[name])
        for name, size in self.sizes.items():
            size.update(window.counts[name])


@dataclasses.dataclass(eq=False)
class WriteWindows(beam.PTransform):
    """Write windows; give the names of their files.

    Attributes:
      output: folder of the stream.
    """

    output: str

    def expand(self, windows: beam.PCollection[Window]) -> beam.PCollection[str]:
        """Write one after another."""
        return windows | "Write" >> beam.ParDo(
            _WriteWindows(self.output)
        ).with_output_types(str)
