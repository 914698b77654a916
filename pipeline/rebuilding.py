"""A run that rebuilds what its output folder holds: how it differs from a first run.

The articles of earlier runs are input again, beside new ones, and all is decided anew, by
settings that may be others. What was rejected, removed and changed before stays told.
"""

from collections.abc import Mapping

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton

from pipeline.incremental import Earlier
from pipeline.progress import CountArticles
from schemas.batch import Collections
from schemas.match import STORY_EVIDENCE
from schemas.past import LEDGER
from transforms.boilerplate import RuleLines
from transforms.carrying import CarryOver
from transforms.continuing import CHANGED, keep_names
from transforms.membership import MEMBERSHIP, STORY_MEMBERS
from transforms.parquet import Part
from transforms.rebuilding import ReadAgain, copies_as_stories
from transforms.spilling import SpillArticles, Spilled

# Tables that go on; the others are written anew.
_GOING_ON = ("boilerplate", "changes", "lines", "rejects")


def read_again(earlier: Earlier) -> ReadAgain:
    """Make the transform that reads the articles of earlier runs."""
    return ReadAgain([file.path for file in earlier.files["articles"]])


def beside_old(
    new: beam.PCollection[Spilled],
    old: beam.PCollection[pa.RecordBatch],
    staging: str,
) -> beam.PCollection[Spilled]:
    """Put new articles, which wait, beside those that are input again.

    Args:
      new: ARTICLE batches with the columns of `rule_lines`.
      old: as of ReadAgain.
      staging: folder of this attempt.
    """
    ruled = old | "Rule lines again" >> RuleLines()
    ruled |= "Read again, counted" >> CountArticles("read and parse")
    waiting = ruled | "Spill again" >> SpillArticles(staging)
    # FnApiRunner holds back what follows a Flatten until all is consumed that the stages
    # before it read.
    return (
        new | "New beside old" >> beam.Map(_same),
        waiting | "Old beside new" >> beam.Map(_same),
    ) | "Old and new articles" >> beam.Flatten()


def _same(spilled: Spilled) -> Spilled:
    return spilled


def no_stories(one: beam.PCollection[None]) -> Collections:
    """Form no stories: a dict as of ScoreStories."""
    return {
        name: one | f"No {name}" >> beam.Map(_nothing, schema)
        for name, schema in (("stories", STORY_MEMBERS), ("edges", STORY_EVIDENCE))
    }


def _nothing(_: None, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def under_old_names(
    members: beam.PCollection[pa.RecordBatch],
    ledger: beam.PCollection[pa.RecordBatch],
    *,
    stories: bool,
) -> beam.PCollection[pa.RecordBatch]:
    """Name copy groups and stories as earlier runs named them.

    Args:
      members: one MEMBERSHIP batch.
      ledger: one LEDGER batch.
      stories: whether stories are formed; without, every copy group is one.
    """
    nothing = pa.RecordBatch.from_pylist([], schema=LEDGER)
    named = members | "Keep earlier ids" >> beam.Map(
        keep_names, AsSingleton(ledger), nothing
    )
    if not stories:
        named |= "Copies as stories" >> beam.Map(copies_as_stories)
    return named


def going_on(
    ledger: beam.PCollection[pa.RecordBatch],
    earlier: Earlier,
    schemas: Mapping[str, pa.Schema],
    staging: str,
) -> beam.PCollection[Part]:
    """Carry over the tables that say of earlier runs what no later one decides.

    Args:
      ledger: one LEDGER batch.
      earlier: what the output folder holds.
      schemas: table -> schema of its rows.
      staging: folder of this attempt.
    """
    start = ledger.pipeline
    given = {
        name: start
        | f"Nothing {name}"
        >> beam.Create([pa.RecordBatch.from_pylist([], schema=schema)], reshuffle=False)
        for name, schema in (("membership", MEMBERSHIP), ("changed", CHANGED))
    }
    files = {table: earlier.files.get(table, ()) for table in _GOING_ON}
    carried = {"ledger": ledger, **given} | "Carry on" >> CarryOver(
        files, schemas, staging, earlier.additions.index_days
    )
    return carried["parts"]
