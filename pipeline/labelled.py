"""Labelled articles: read, cleaned and fingerprinted as in a run, and split.

Labelled articles are a sample of the news of their days. Where the rest is at hand, they
carry it along (`Labelled.midst`).
"""

import contextlib
import dataclasses
import datetime
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import xxhash

from schemas.article import RAW
from schemas.batch import column, concatenate, with_column
from transforms import storage
from transforms.boilerplate import learn_recurring, strip_batch
from transforms.embedding import embed, embedding_text
from transforms.fingerprint import fingerprint_articles
from transforms.formats import Reject, Row, raw_values
from transforms.line_rules import rule_lines
from transforms.parsing import parse_articles
from transforms.reading import MAX_ROW_BYTES

# Stands for the day of an article without a date; of no use but to be unlike all days.
_NO_DAY = -(2**31)


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Articles of one set with their gold stories.

    Attributes:
      name: of the set.
      fingerprints: FINGERPRINT rows, and `vector` where embedded.
      stories: shape (n,), of str or None: the gold story of each article.
      midst: FINGERPRINT rows, and `vector`, of articles without gold that were published
        among these; None if there are none.
    """

    name: str
    fingerprints: pa.RecordBatch
    stories: npt.NDArray[np.object_]
    midst: pa.RecordBatch | None = None

    def take(self, rows: npt.NDArray[np.integer]) -> "Labelled":
        """Give some of the articles, in the same midst."""
        return Labelled(
            self.name,
            self.fingerprints.take(pa.array(rows)),
            self.stories[rows],
            self.midst,
        )

    def without_vectors(self) -> "Labelled":
        """Give the same articles as if nothing were embedded."""
        return Labelled(
            self.name,
            _without_vectors(self.fingerprints),
            self.stories,
            None if self.midst is None else _without_vectors(self.midst),
        )

    def in_midst(self) -> "Labelled":
        """Give the articles together with those around them, which have no gold.

        Raises:
          ValueError: if there are none around them.
        """
        if self.midst is None:
            raise ValueError(f"{self.name} must have articles around it, got none")
        schema = self.fingerprints.schema
        return Labelled(
            self.name,
            concatenate([self.fingerprints, self.midst.cast(schema)], schema),
            np.concatenate(
                [self.stories, np.full(self.midst.num_rows, None, dtype=object)]
            ),
        )


def _without_vectors(fingerprints: pa.RecordBatch) -> pa.RecordBatch:
    names = [name for name in fingerprints.schema.names if name != "vector"]
    return fingerprints.select(names)


def read_labelled(path: Path | str) -> tuple[pa.RecordBatch, list[str | None]]:
    """Read articles and their gold stories from JSON lines, plain or .gz.

    Returns:
      RAW rows, and the field `story` of each: the gold story, None if it has none.

    Raises:
      ValueError: if the file is empty, or a line is no JSON object or no article, with
        its number.
    """
    rows: list[dict[str, object]] = []
    stories: list[str | None] = []
    for number, row in json_objects(path):
        # As a run reads it, but that nothing is passed over.
        values = raw_values(Row(number, row, False), {}, MAX_ROW_BYTES)
        story = row.get("story")
        if isinstance(values, Reject):
            raise ValueError(f"{path}, line {number}: {values.detail}")
        if not isinstance(story, str | None):
            raise ValueError(
                f"{path}, line {number}: story must be text, got {story!r:.40}"
            )
        texts, repaired = values
        texts["language"] = texts["language"] or row.get("lang")
        stories.append(story)
        place = {"file": Path(path).name, "position": len(stories), "repaired": repaired}
        rows.append({**place, **texts})
    if not rows:
        raise ValueError(f"{path} must hold articles, got an empty file")
    return pa.RecordBatch.from_pylist(rows, schema=RAW), stories


def json_objects(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read JSON lines, plain or .gz; give the number of each line and its object.

    Raises:
      ValueError: if the file cannot be read or a line is no JSON object.
    """
    number = 0
    try:
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context(storage.opened(str(path)))
            if str(path).endswith(".gz"):
                lines = stack.enter_context(cast(Any, gzip.GzipFile(fileobj=lines)))
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = orjson.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"it holds a {type(row).__name__}")
                yield number, row
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{path} must hold a JSON object on every line, line {number}: {error}"
        ) from error


def fingerprint_corpus(
    raw: pa.RecordBatch,
    *,
    embedding_model: str | None = None,
    embedding_tokens: int = 128,
    days: npt.NDArray[np.int32] | None = None,
    rows: int = 2000,
) -> pa.RecordBatch:
    """Parse, clean and fingerprint articles with the functions that a run uses.

    Args:
      raw: RAW rows, read in one piece: what a source repeats is learnt of all of them.
      embedding_model: as in `transforms.embedding`; None: nothing is embedded.
      embedding_tokens: tokens of an article that are embedded.
      days: days since 1970 whose articles are embedded, the rest get zeros; None: all.
      rows: articles that are worked on at a time.

    Returns:
      FINGERPRINT rows with the column `position` of their origin, and `vector` if
      embedded. Rows that are no article and repeats of an id are left out.
    """
    latest = datetime.datetime.now(datetime.UTC)
    parsed = [
        parse_articles(raw.slice(start, rows), latest=latest)[0]
        for start in range(0, raw.num_rows, rows)
    ]
    parsed = [rule_lines(batch) for batch in parsed]
    recurring = learn_recurring(parsed)
    done = []
    for batch in parsed:
        cleaned, _ = strip_batch(batch, recurring)
        prints = with_column(
            fingerprint_articles(cleaned), "position", batch.column("position")
        )
        if embedding_model is not None:
            day = prints.column("day").fill_null(_NO_DAY).to_numpy()
            seen = np.arange(len(day)) if days is None else np.isin(day, days).nonzero()[0]
            chosen = cleaned.take(pa.array(seen))
            leads = [
                embedding_text(title, text, max_tokens=embedding_tokens)
                for title, text in zip(
                    chosen.column("title").to_pylist(),
                    chosen.column("text").to_pylist(),
                    strict=True,
                )
            ]
            found = embed(leads, model=embedding_model, max_tokens=embedding_tokens)
            vectors = np.zeros((len(day), found.shape[1]), np.float16)
            vectors[seen] = found
            prints = with_column(prints, "vector", vectors)
        done.append(prints)
    table = concatenate(done, done[0].schema)
    _, first = np.unique(column(table, "article_key"), return_index=True)
    return table.take(pa.array(np.sort(first)))


def days_around(fingerprints: pa.RecordBatch) -> npt.NDArray[np.int32]:
    """Give the days on which articles were published, the day before and after each."""
    days = fingerprints.column("day").drop_null().to_numpy()
    return np.unique((days[:, None] + np.arange(-1, 2)).ravel()).astype(np.int32)


def published_on(
    fingerprints: pa.RecordBatch, days: npt.NDArray[np.int32]
) -> pa.RecordBatch:
    """Give the articles that were published on one of some days."""
    day = fingerprints.column("day").fill_null(_NO_DAY).to_numpy()
    return fingerprints.take(pa.array(np.flatnonzero(np.isin(day, days))))


def halves(labelled: Labelled) -> tuple[Labelled, Labelled]:
    """Split a set by story into what is fitted to and what is only scored.

    Stories are split by median day where nine in ten articles are dated and have a story
    of their own time: the earlier half is fitted to. Else they are split by a hash of
    their topic: the number that the name of the story begins with, so that sibling
    stories stay together, and without one the whole name.
    """
    stories = np.array([str(story) for story in labelled.stories], dtype=object)
    day = labelled.fingerprints.column("day")
    dated = day.is_valid().to_numpy(zero_copy_only=False)
    if dated.mean() >= 0.9:
        days = day.fill_null(0).to_numpy()
        distinct, groups = np.unique(stories, return_inverse=True)
        medians = np.full(len(distinct), np.inf)
        for group in np.unique(groups[dated]):
            medians[group] = np.median(days[dated & (groups == group)])
        fitted = (medians < np.median(medians))[groups]
    else:
        topics = [re.split(r"(?<=\d)(?!\d)", story)[0] for story in stories]
        topics = [
            topic if topic.isdigit() else story
            for topic, story in zip(topics, stories, strict=True)
        ]
        fitted = np.array(
            [xxhash.xxh3_64_intdigest(topic.encode()) % 2 == 0 for topic in topics]
        )
    return (
        labelled.take(np.flatnonzero(fitted)),
        labelled.take(np.flatnonzero(~fitted)),
    )


def in_pieces(labelled: Labelled, size: int) -> list[Labelled]:
    """Cut a set into what short runs would get of it: some hundred articles in time.

    Args:
      labelled: a set. One of which few articles are dated is not cut.
      size: articles of a piece, about.
    """
    published = labelled.fingerprints.column("published")
    if published.null_count > len(published) / 2:
        return []
    order = np.argsort(published.fill_null(0).to_numpy(), kind="stable")
    pieces = np.array_split(order, max(1, round(len(order) / size)))
    alone = dataclasses.replace(labelled, midst=None)
    return [alone.take(np.sort(rows)) for rows in pieces]
