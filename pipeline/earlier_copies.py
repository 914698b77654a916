"""Copies in a run that adds: old articles that new ones can be copies of, and hindsight.

Only old articles that share a key with a new one are compared with it. And what shows only
now to be furniture is taken off old articles, too: their pairs are asked again.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton

from pipeline.config import Config
from schemas.batch import Collections, column, concatenate
from schemas.match import COPY_EVIDENCE
from transforms.membership import look_up
from transforms.past import (
    COMPARED_BY_KEYS,
    Arrivals,
    is_known,
    remembered_of,
)
from transforms.reopening import (
    Hindsight,
    are_among,
    hindsight,
    pairs_otherwise,
    pairs_to_ask_again,
    taken_lines,
)
from transforms.sharing import keys_of, sharing_keys


def earlier_copies(
    past: Collections, fingerprints: beam.PCollection[pa.RecordBatch], config: Config
) -> Collections:
    """Give what FindCopies needs of the past.

    Args:
      past: as of ReadPast.
      fingerprints: FINGERPRINT batches of new articles.
      config: settings.
    """
    making = {"bands": config.bands, "rows": config.band_rows}
    keys = fingerprints | "Keys that are new" >> beam.Map(keys_of, **making)
    meeting = past["index to compare"] | "Meet new keys" >> beam.FlatMap(
        _meeting, AsSingleton(past["arrived"]), AsIter(keys), **making
    )
    return {
        "earlier_fingerprints": meeting,
        "earlier_files": past["articles to compare"],
        "earlier_edges": past["copy_edges"],
        "ledger": past["ledger"],
        "representatives": past["representatives"],
        "hindsight": past["hindsight"],
        "asked_again": past["asked_again"],
    }


def reopened(
    past: Collections,
    learnt: Collections,
    removed: beam.PCollection[pa.RecordBatch],
    remembered: pa.RecordBatch | None,
) -> Collections:
    """Find what shows only now to be furniture of earlier articles.

    Args:
      past: as of ReadPast.
      learnt: as of LearnRecurringLines.
      removed: REMOVED batches.
      remembered: RECURRING rows of earlier runs; None for none.

    Returns:
      A dict of single elements: `hindsight` (Hindsight), `asked_again` (PAIR: pairs that
      earlier runs compared and that are compared again), and `once` (nothing).
    """
    # FnApiRunner may give nothing for a side input that is a main input, too.
    once = past["ledger"].pipeline | "Once to look back" >> beam.Create(
        [None], reshuffle=False
    )
    taken = removed | "Lines taken" >> beam.Map(taken_lines)
    known = once | "Look back" >> beam.Map(
        _look_back,
        AsSingleton(learnt["held"]),
        AsIter(learnt["recurring"]),
        AsIter(taken),
        remembered,
    )
    again = once | "Ask again" >> beam.Map(
        _ask_again, AsSingleton(past["copy_edges"]), AsSingleton(known)
    )
    return {"hindsight": known, "asked_again": again, "once": once}


def _look_back(
    _: None,
    held: pa.RecordBatch,
    found: Iterable[pa.RecordBatch],
    taken: Iterable[npt.NDArray[np.uint64]],
    known: pa.RecordBatch | None,
) -> Hindsight:
    return hindsight(held, found, taken, known)


def _ask_again(_: None, edges: pa.RecordBatch, known: Hindsight) -> pa.RecordBatch:
    return pairs_to_ask_again(edges, known)


def amended_edges(
    past: Collections,
    edges: beam.PCollection[pa.RecordBatch],
    members: beam.PCollection[pa.RecordBatch],
    changed: beam.PCollection[pa.RecordBatch],
) -> tuple[beam.PCollection[pa.RecordBatch], beam.PCollection[pa.RecordBatch]]:
    """Tell of a pair that was asked for again what holds now.

    Args:
      past: as of ReadPast, and as of `reopened`.
      edges: COPY_EVIDENCE batches of this run.
      members: one MEMBERSHIP batch.
      changed: one CHANGED batch.

    Returns:
      The COPY_EVIDENCE batches of this run that are told of, and those of earlier runs.
    """
    found = edges | "Edges to look at" >> beam.Map(_same)
    otherwise = past["once"] | "Otherwise now" >> beam.Map(
        _otherwise,
        AsSingleton(past["asked_again"]),
        AsIter(found),
        AsSingleton(past["copy_edges"]),
    )
    told = edges | "Tell of edges" >> beam.Map(
        _told_edges,
        AsSingleton(past["ledger"]),
        AsSingleton(otherwise),
        AsSingleton(members),
        AsSingleton(changed),
    )
    stand = past["once"] | "Still stand" >> beam.Map(
        _standing_edges, AsSingleton(past["copy_edges"]), AsSingleton(otherwise)
    )
    return told, stand


def _same(edges: pa.RecordBatch) -> pa.RecordBatch:
    return edges


def _otherwise(
    _: None, asked: pa.RecordBatch, new: Iterable[pa.RecordBatch], old: pa.RecordBatch
) -> pa.RecordBatch:
    return pairs_otherwise(asked, concatenate(new, COPY_EVIDENCE), old)


def _told_edges(
    edges: pa.RecordBatch,
    ledger: pa.RecordBatch,
    otherwise: pa.RecordBatch,
    members: pa.RecordBatch,
    changed: pa.RecordBatch,
) -> pa.RecordBatch:
    """Leave out pairs of earlier articles of which nothing new is written."""
    ends = [column(edges, name) for name in ("article_key", "matched_key")]
    new = ~(is_known(ledger, ends[0]) & is_known(ledger, ends[1]))
    stories = look_up(members, "story_key", ends[0])
    written = np.isin(stories, column(changed, "story_key"))
    return edges.filter(pa.array(new | (are_among(edges, otherwise) & written)))


def _standing_edges(
    _: None, edges: pa.RecordBatch, otherwise: pa.RecordBatch
) -> pa.RecordBatch:
    return edges.filter(pa.array(~are_among(edges, otherwise)))


def _meeting(
    path: str, arrived: Arrivals, keys: Iterable[npt.NDArray[np.uint32]], **making: int
) -> Iterator[pa.RecordBatch]:
    remembered = remembered_of(path, arrived, COMPARED_BY_KEYS)
    new = np.concatenate([np.zeros(0, np.uint32), *keys])
    meeting = sharing_keys(remembered, new, **making)
    if meeting.num_rows:
        yield meeting
