"""Rebuilding: what an output folder holds is input again, and its ids live on.

Other settings decide otherwise, so copies and stories are formed anew of all articles.
Those of earlier runs come from `articles/`, for their files may be gone: with the text as
it was stripped. What showed only on the whole page, who the text is credited to and how
many words went, is carried along. To strip such a text again changes nothing: of 4,784
articles, labelled and made up, every one stayed as it was. But a line that earlier
settings took off is not put back.

Stories can part here. The id of a story goes where the article goes that it is named
after; whoever goes elsewhere leaves it.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import ARTICLE, CLEANED
from schemas.batch import Collections, with_column
from schemas.story import ARTICLES
from transforms.boilerplate import StripBoilerplate, Tagged
from transforms.normalisation import content_keys
from transforms.past import as_written_now, id_keys, join_ledger, ledger_of, read_part
from transforms.spilling import Spilled, read_back

_ROWS_PER_BATCH = 2_000

# What an article of an earlier run brings besides what every article has.
_TOLD = pa.schema(
    [
        *(ARTICLES.field(name) for name in ("credited_source", "removed_word_count")),
        ARTICLES.field("run_id"),
        pa.field("previous_story_id", pa.string()),
        pa.field("previous_group_id", pa.string()),
        # Who spoke for its story.
        pa.field("previous_speaker_id", pa.string()),
    ]
)
# Of these, what stripping does not tell.
_KEPT = [name for name in _TOLD.names if name not in CLEANED.names]


def as_input(path: str) -> Iterator[pa.RecordBatch]:
    """Read a file of `articles/` as input: ARTICLE rows, and what was told of them.

    Raises:
      ValueError: if the file is gone or broken.
    """
    rows = as_written_now(read_part(path), ARTICLES)
    stories, ids = rows.column("story_id"), rows.column("article_id")
    speaks = pc.equal(rows.column("relation"), "canonical")
    places = pc.index_in(stories, stories.filter(speaks))
    given = dict(zip(rows.schema.names, rows.columns, strict=True)) | {
        "article_key": pa.array(id_keys(ids)),
        "content_key": pa.array(content_keys(rows.column("title"), rows.column("text"))),
        "file": pa.repeat(path, rows.num_rows),
        "position": pa.array(np.arange(1, rows.num_rows + 1)),
        "previous_story_id": stories,
        "previous_group_id": rows.column("duplicate_group_id"),
        "previous_speaker_id": ids.filter(speaks).take(places),
    }
    schema = pa.schema([*ARTICLE, *_TOLD])
    found = pa.RecordBatch.from_arrays(
        [given[field.name].cast(field.type) for field in schema], schema=schema
    )
    for start in range(0, found.num_rows, _ROWS_PER_BATCH):
        yield found.slice(start, _ROWS_PER_BATCH)


def with_what_was_told(cleaned: pa.RecordBatch, given: pa.RecordBatch) -> pa.RecordBatch:
    """Add to articles that were stripped what earlier runs told of them.

    Args:
      cleaned: n CLEANED rows.
      given: the same articles before, as of `as_input`; those of other schemas are new.
    """
    if "previous_story_id" not in given.schema.names:
        return cleaned
    credited, removed = (
        [batch.column(name) for batch in (given, cleaned)]
        for name in ("credited_source", "removed_word_count")
    )
    cleaned = with_column(cleaned, "credited_source", pc.coalesce(*credited))
    cleaned = with_column(cleaned, "removed_word_count", pc.add(*removed))
    for name in _KEPT:
        cleaned = with_column(cleaned, name, given.column(name))
    return cleaned


def copies_as_stories(membership: pa.RecordBatch) -> pa.RecordBatch:
    """Make every copy group a story, for a run that forms no others: MEMBERSHIP rows."""
    return with_column(membership, "story_key", membership.column("group_key"))


@dataclasses.dataclass(eq=False)
class ReadAgain(beam.PTransform):
    """Read the articles of an output folder; applied to a pipeline.

    Gives a dict: `articles`, batches as of `as_input`, and `ledger`, one LEDGER batch.

    Attributes:
      files: of `articles/` that are in force.
    """

    files: Sequence[str]

    def expand(self, start: beam.pvalue.PBegin) -> Collections:
        """Read every file twice, the ledger first: others wait for it."""
        files = list(self.files)
        return {
            "ledger": start
            | "Files to list" >> beam.Create(files, reshuffle=False)
            | "Read ledger" >> beam.Map(ledger_of)
            | "Gather ledger" >> beam.combiners.ToList()
            | "Join ledger" >> beam.Map(join_ledger),
            "articles": start
            | "Files to read" >> beam.Create(files)
            | "Read articles" >> beam.FlatMap(as_input),
        }


class StripAgain(StripBoilerplate):
    """Strip furniture off articles, of which some were stripped before."""

    def _strip(
        self, articles: Spilled, recurring: list[pa.RecordBatch]
    ) -> Iterator[Tagged]:
        for made in super()._strip(articles, recurring):
            if made.tag == "cleaned":
                told = with_what_was_told(made.value, read_back(articles))
                yield beam.pvalue.TaggedOutput("cleaned", told)
            else:
                yield made
