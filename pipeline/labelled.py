"""Labelled articles: read, cleaned and fingerprinted as in a run, split and enlarged.

Labelled stories are small: of two or three articles, seldom of twenty. A story that three
hundred sites report is therefore made: each of its members mixes the evidence of two real
members and a little of a stranger, as another site's rewrite would.
"""

import dataclasses
import datetime
import gzip
import pathlib
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from schemas.article import RAW
from schemas.batch import column, concatenate, list_array, list_column, with_column
from transforms.boilerplate import ruled_lines, strip_batch
from transforms.embedding import embed, embedding_text
from transforms.fingerprint import fingerprint_articles
from transforms.formats import Reject, Row, raw_values
from transforms.parsing import parse_articles
from transforms.reading import MAX_ROW_BYTES
from transforms.recurrence import (
    LINE,
    RECURRING,
    hash_lines,
    observe_lines,
    recurring_lines,
    recurring_table,
    text_keys,
)
from transforms.titles import WHOLE, judge_texts, observe_texts

# What the name of a made story begins with.
MADE = "made of "

# Lists of a fingerprint that belong together: keys, counts, and the same of the lead.
_TERMS = ("terms", "term_counts", "lead_terms", "lead_term_counts")
_NAMES = ("names", "name_counts", "lead_names", "lead_name_counts")


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Articles of one set with their gold stories.

    Attributes:
      name: of the set.
      fingerprints: FINGERPRINT rows, and `vector` where embedded.
      stories: shape (n,), of str or None: the gold story of each article.
    """

    name: str
    fingerprints: pa.RecordBatch
    stories: npt.NDArray[np.object_]

    def take(self, rows: npt.NDArray[np.integer]) -> "Labelled":
        """Give some of the articles."""
        return Labelled(
            self.name, self.fingerprints.take(pa.array(rows)), self.stories[rows]
        )

    def without_vectors(self) -> "Labelled":
        """Give the same articles as if nothing were embedded."""
        names = [name for name in self.fingerprints.schema.names if name != "vector"]
        return Labelled(self.name, self.fingerprints.select(names), self.stories)


def read_labelled(path: pathlib.Path) -> tuple[pa.RecordBatch, list[str | None]]:
    """Read articles and their gold stories from JSON lines, plain or .gz.

    Returns:
      RAW rows, and the field `story` of each: the gold story, None if it has none.

    Raises:
      ValueError: if the file is empty, or a line is no JSON object or no article, with
        its number.
    """
    rows: list[dict[str, object]] = []
    stories: list[str | None] = []
    for number, row in _objects(path):
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
        place = {"file": path.name, "position": number, "repaired": repaired}
        rows.append({**place, **texts})
    if not rows:
        raise ValueError(f"{path} must hold articles, got an empty file")
    return pa.RecordBatch.from_pylist(rows, schema=RAW), stories


def _objects(path: pathlib.Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ValueError(
                    f"{path} must hold a JSON object on every line, line {number}: "
                    f"{error.msg} at character {error.pos + 1}"
                ) from error
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path} must hold a JSON object on every line, line {number} holds "
                    f"a {type(row).__name__}"
                )
            yield number, row


def fingerprint_corpus(
    raw: pa.RecordBatch,
    *,
    embedding_model: str | None = None,
    embedding_tokens: int = 128,
    rows: int = 2000,
) -> pa.RecordBatch:
    """Parse, clean and fingerprint articles with the functions that a run uses.

    Args:
      raw: RAW rows, read in one piece: what a source repeats is learnt of all of them.
      embedding_model: as in `transforms.embedding`; None: nothing is embedded.
      embedding_tokens: tokens of an article that are embedded.
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
    lines, texts = [], []
    for batch in parsed:
        hashed = hash_lines(batch.column("text"))
        ruled = ruled_lines(batch.column("text").to_pylist())
        keys = text_keys(hashed.offsets, hashed.keys, ruled)
        lines.append(observe_lines(batch, hashed, ruled))
        texts.append(observe_texts(batch, keys))
    learnt = concatenate(
        [recurring_lines(concatenate(lines, LINE)), judge_texts(concatenate(texts, WHOLE))],
        RECURRING,
    )
    recurring = recurring_table(
        np.stack([column(learnt, "source_key"), column(learnt, "line_key")], axis=1)
    )
    done = []
    for batch in parsed:
        cleaned, _ = strip_batch(batch, recurring)
        prints = with_column(
            fingerprint_articles(cleaned), "position", batch.column("position")
        )
        if embedding_model is not None:
            leads = [
                embedding_text(title, text, max_tokens=embedding_tokens)
                for title, text in zip(
                    cleaned.column("title").to_pylist(),
                    cleaned.column("text").to_pylist(),
                    strict=True,
                )
            ]
            vectors = embed(leads, model=embedding_model, max_tokens=embedding_tokens)
            prints = with_column(prints, "vector", vectors.astype(np.float16))
        done.append(prints)
    table = concatenate(done, done[0].schema)
    _, first = np.unique(column(table, "article_key"), return_index=True)
    return table.take(pa.array(np.sort(first)))


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


def enlarged(
    labelled: Labelled,
    story: str,
    size: int,
    *,
    seed: int,
    kept: float = 0.95,
    joined: float = 0.35,
    strange: float = 0.1,
) -> Labelled:
    """Make a story of `size` members out of the evidence of a real one.

    Every member takes most of the terms, names, dates and ages of one real member, some
    of those of another and a few of a stranger's. Its signature is noise: a rewrite
    shares no runs of words.

    Args:
      labelled: the set that the story is of.
      story: its name.
      size: members to make.
      seed: chooses what is mixed.
      kept: share of the first member's evidence, 0 to 1.
      joined: of the second member's.
      strange: of the stranger's.

    Returns:
      The made members alone, their story named after the real one.
    """
    random = np.random.default_rng(seed)
    prints = labelled.fingerprints
    members = np.flatnonzero(labelled.stories == story)
    own = random.choice(members, size)
    other = random.choice(members, size)
    stranger = random.integers(len(labelled.stories), size=size)
    columns: dict[str, pa.Array] = {}
    for names in (_TERMS, _NAMES):
        columns |= _mixed(
            prints, names, (own, other, stranger), (kept, joined, strange), random
        )
    for name in ("event_days", "ages"):
        columns[name] = _thinned(prints, name, own, kept, random)
    ages = [set(row) for row in columns["ages"].to_pylist()]
    lead_ages = prints.column("lead_ages").take(pa.array(own)).to_pylist()
    columns["lead_ages"] = pa.array(
        [
            [age for age in row if age in known]
            for row, known in zip(lead_ages, ages, strict=True)
        ],
        pa.list_(pa.uint8()),
    )
    later = pa.array(random.integers(2, size=size), pa.int64())
    keys = pa.array(random.integers(2**63, size=size).astype(np.uint64))
    columns |= {
        "article_key": keys,
        "text_key": keys,
        "article_id": pa.array([f"{story}-made-{number}" for number in range(size)]),
        "source": pa.array([f"made-{number}.example" for number in range(size)]),
        "signature": pa.FixedSizeListArray.from_arrays(
            pa.array(random.integers(1, 2**32, size * 128).astype(np.uint32)), 128
        ),
        "day": pc.add(
            prints.column("day").take(pa.array(own)).cast(pa.int64()), later
        ).cast(pa.int32()),
        "published": pc.add(
            prints.column("published").take(pa.array(own)),
            pc.multiply(later, 86400),
        ),
    }
    if "vector" in prints.schema.names:
        vectors = column(prints, "vector").astype(np.float64)
        mixed = (
            (kept + joined) / 2 * vectors[own]
            + joined * vectors[other]
            + strange * vectors[stranger]
        )
        lengths = np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        columns["vector"] = pa.FixedSizeListArray.from_arrays(
            pa.array((mixed / lengths).astype(np.float16).reshape(-1)), vectors.shape[1]
        )
    arrays = [
        columns.get(field.name, prints.column(field.name).take(pa.array(own))).cast(
            field.type
        )
        for field in prints.schema
    ]
    return Labelled(
        labelled.name,
        pa.RecordBatch.from_arrays(arrays, schema=prints.schema),
        np.array([MADE + story] * size, dtype=object),
    )


def _thinned(
    prints: pa.RecordBatch,
    name: str,
    rows: npt.NDArray[np.integer],
    share: float,
    random: np.random.Generator,
) -> pa.Array:
    lists = prints.column(name).take(pa.array(rows)).to_pylist()
    return pa.array(
        [[value for value in row if random.random() < share] for row in lists],
        prints.schema.field(name).type,
    )


def _mixed(
    prints: pa.RecordBatch,
    names: tuple[str, str, str, str],
    rows: tuple[npt.NDArray[np.integer], ...],
    shares: tuple[float, ...],
    random: np.random.Generator,
) -> dict[str, pa.Array]:
    """Take a share of the terms of several articles together, with those of their leads."""
    keys, offsets = list_column(prints, names[0])
    counts, _ = list_column(prints, names[1])
    lead_keys, lead_offsets = list_column(prints, names[2])
    lead_counts, _ = list_column(prints, names[3])
    made: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in names}
    for sources in zip(*rows, strict=True):
        parts, weights, leads, lead_weights = [], [], [], []
        for row, share in zip(sources, shares, strict=True):
            own = slice(offsets[row], offsets[row + 1])
            chosen = random.random(own.stop - own.start) < share
            parts.append(keys[own][chosen])
            weights.append(counts[own][chosen])
            lead = slice(lead_offsets[row], lead_offsets[row + 1])
            both = np.isin(lead_keys[lead], parts[-1])
            leads.append(lead_keys[lead][both])
            lead_weights.append(lead_counts[lead][both])
        for name, counted, found, number in (
            (names[0], names[1], parts, weights),
            (names[2], names[3], leads, lead_weights),
        ):
            distinct, first = np.unique(np.concatenate(found), return_index=True)
            made[name].append(distinct)
            made[counted].append(np.concatenate(number)[first])
    arrays = {}
    for name, lists in made.items():
        ends = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
        arrays[name] = list_array(np.concatenate(lists), ends)
    return arrays
