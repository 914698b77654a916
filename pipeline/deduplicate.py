"""The stages in order: the table of contents of this project.

Two questions are asked of every article and kept apart: is it the same text, and is it
the same event? Copies collapse first, so that one representative of each copy group is
embedded and compared. At the end the texts come back together, story by story.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton

from pipeline.config import Config
from pipeline.earlier_copies import amended_edges, earlier_copies, reopened
from pipeline.incremental import (
    Earlier,
    asked,
    continuation,
    copies_as_stories,
    earlier_stories,
    members_and_changed,
    read_past,
)
from pipeline.progress import CountArticles
from pipeline.rebuilding import (
    beside_old,
    going_on,
    no_stories,
    read_again,
    under_old_names,
)
from pipeline.stages import finding_copies, fingerprinting, follow_ups
from schemas.article import REJECT
from schemas.batch import Collections, column, with_column
from schemas.fingerprint import FINGERPRINT, NUM_PERM
from schemas.match import MATCH
from schemas.past import KEYS, LEDGER
from schemas.story import ARTICLES, BOILERPLATE, CHANGES, INDEX, LINES, STORIES
from transforms.boilerplate import (
    KeepLines,
    LearnRecurringLines,
    RuleLines,
    StripBoilerplate,
)
from transforms.carrying import CarryOver, without_carried
from transforms.clustering import ScoreStories
from transforms.continuing import keep_names
from transforms.copy_tables import WriteCopies
from transforms.embedding import EmbedArticles, vector_size
from transforms.membership import look_up, membership
from transforms.minhash import signature_metadata
from transforms.parquet import Commit, Part, WriteTable
from transforms.parsing import ParseArticles
from transforms.past import LeaveKnown
from transforms.rebuilding import StripAgain
from transforms.relations import RewriteRule
from transforms.removals import SummariseBoilerplate
from transforms.repeated_ids import SettleRepeatedIds
from transforms.resolving import ResolveStories, embedded_vectors
from transforms.spilling import SpillArticles, Spilled, read_back
from transforms.story_scoring import LateVectors
from transforms.undecided import FindUndecided
from transforms.windows import read_standings

TABLES = {
    "articles": ARTICLES,
    "stories": STORIES,
    "matches": MATCH,
    "boilerplate": BOILERPLATE,
    "rejects": REJECT,
    "changes": CHANGES,
    "index": INDEX,
    "lines": LINES,
}

Batches: TypeAlias = beam.PCollection[pa.RecordBatch]


@dataclasses.dataclass(eq=False)
class Deduplicate(beam.PTransform):
    """Turn raw rows into the tables of a finished run; give its manifest.

    Applied to a dict of `raw`, `rejects` and `rows_read`, as ReadArticles gives.

    Attributes:
      config: settings.
      output: folder of the tables.
      staging: folder inside it that this attempt writes to.
      run_id: of this run.
      latest: no article is published after this.
      settings: what the manifest records of the run.
      replaces: the run in force when this one began, as in `commit`.
      remembered: RECURRING rows of an earlier run, if there are any.
      earlier: what the output folder holds, where this run adds to it.
      read_files: what the manifest records of the input, one text a file.
      placements: files of a stream that say where it placed articles; its ids are kept.
    """

    config: Config
    output: str
    staging: str
    run_id: str
    latest: datetime.datetime
    settings: Mapping[str, Any]
    replaces: str | None = None
    remembered: pa.RecordBatch | None = None
    earlier: Earlier | None = None
    read_files: Sequence[str] = ()
    placements: Sequence[str] = ()

    def expand(self, read: Collections) -> beam.PCollection[Any]:
        """Wire the stages."""
        config = self.config
        parsed = read["raw"] | "Parse" >> ParseArticles(latest=self.latest)
        articles, rejected = parsed["articles"], []
        past: Collections = None
        again: Collections = None
        if self.earlier is not None:
            if self.earlier.additions.rebuild:
                again = read["raw"].pipeline | "Read again" >> read_again(self.earlier)
            else:
                past = articles | "Read the past" >> read_past(self.earlier, config)
            ledger = (again or past)["ledger"]
            unknown = articles | "Leave what is known" >> LeaveKnown(ledger)
            articles = unknown["articles"]
            rejected.append(unknown["rejects"])
        ruled = articles | "Rule lines" >> RuleLines()
        ruled |= "Read" >> CountArticles("read and parse")
        settled = ruled | "Settle repeated ids" >> SettleRepeatedIds(self.staging)
        rejected.append(settled["rejects"])

        # Who needs a text reads it back, in the very step: what one step hands to another
        # that waits for something else is held by the runner.
        articles = new = settled["articles"]
        stripping = StripBoilerplate
        if again is not None:
            articles = beside_old(new, again["articles"], self.staging)
            stripping = StripAgain
        kept = None if past is None else past["lines to learn"]
        learnt = articles | "Learn what recurs" >> LearnRecurringLines(
            kept, self.remembered
        )
        stripped = {"articles": articles, "recurring": learnt["recurring"]} | (
            "Strip furniture"
            >> stripping(
                thin_words=config.min_words,
                page_model_folder=config.page_model_folder,
                remembered=self.remembered,
            )
        )

        if past is not None:
            past |= reopened(past, learnt, stripped["removed"], self.remembered)
        fingerprinted = stripped["cleaned"] | "Fingerprint" >> fingerprinting(config)
        fingerprinted |= "Fingerprinted" >> CountArticles("strip furniture, fingerprint")
        count = (
            articles
            | "Count rows" >> beam.Map(_rows)
            | "Add rows" >> beam.CombineGlobally(sum)
        )
        spilled = fingerprinted | "Spill" >> SpillArticles(self.staging)
        compared: Collections = {
            "fingerprints": fingerprinted,
            "cleaned": spilled,
        }
        if past is not None:
            compared |= earlier_copies(past, fingerprinted, config)
            compared["cleaned"] = spilled | "Wait for copies" >> beam.Map(_same)
        copies = compared | "Find copies" >> finding_copies(config)
        if past is not None and self.earlier is not None:
            written = self._going_on(spilled, copies, count, past, self.earlier)
        elif config.stories or again is not None:
            written = self._with_stories(spilled, copies, count, again)
        else:
            written = self._copies_alone(spilled, copies, count)
        written |= "Written" >> CountArticles("form stories, write", _articles_of)
        rejects = (
            (read["rejects"], parsed["rejects"], *rejected)
            | "All rejects" >> beam.Flatten()
            | "Write rejects"
            >> WriteTable("rejects", REJECT, ("file", "position", "reason"), self.staging)
        )
        boilerplate = (
            stripped["removed"]
            | "Summarise furniture" >> SummariseBoilerplate(self.run_id)
            | "Write furniture"
            >> WriteTable(
                "boilerplate", BOILERPLATE, ("source", "reason", "line"), self.staging
            )
        )
        lines = (
            new
            | "For later runs" >> KeepLines()
            | "Write lines" >> WriteTable("lines", LINES, ("article_key",), self.staging)
        )
        parts = [written, rejects, boilerplate, lines]
        if again is not None and self.earlier is not None:
            schemas = self._schemas()
            parts.append(going_on(again["ledger"], self.earlier, schemas, self.staging))
        parts = parts | "All parts" >> beam.Flatten()
        return {"parts": parts, "rows_read": read["rows_read"]} | "Commit" >> Commit(
            self.output,
            self.staging,
            self._schemas(),
            self.settings,
            self.replaces,
            self.earlier.runs if self.earlier is not None else (),
            self.read_files,
        )

    def _with_stories(
        self,
        spilled: beam.PCollection[Spilled],
        copies: Collections,
        count: beam.PCollection[int],
        again: Collections = None,
    ) -> beam.PCollection[Part]:
        """Form stories of what is left of copies, write both."""
        config = self.config
        one = spilled.pipeline | "Once" >> beam.Create([None], reshuffle=False)
        copied = one | "Join copies" >> beam.Map(_members, groups=AsIter(copies["groups"]))
        scoring = (self.staging, config.story_model_folder, config.block_size)
        marks = {"copied": AsSingleton(copied)}
        if config.stories and config.embedding == "undecided":
            marks["undecided"] = AsSingleton(
                self._by_words(spilled, marks) | "Find undecided" >> FindUndecided(*scoring)
            )
        embedded = self._embedded(spilled, marks)
        if config.stories:
            stories = (
                embedded
                | "Keep representatives" >> beam.Map(representatives)
                | "Score stories" >> ScoreStories(*scoring)
            )
        else:
            stories = no_stories(one)
        members = one | "Join copies and stories" >> beam.Map(
            _members, groups=AsIter(copies["groups"]), stories=AsIter(stories["stories"])
        )
        ledger = pa.RecordBatch.from_pylist([], schema=LEDGER)
        if again is not None:
            ledger = AsSingleton(again["ledger"])
            members = under_old_names(members, again["ledger"], stories=config.stories)
        named = self._named(one)
        if named:
            members |= "Keep ids" >> beam.Map(
                keep_names, AsSingleton(named["provisional"]), ledger
            )
        return self._resolved(
            spilled,
            embedded,
            {
                "copy_edges": copies["edges"],
                "story_edges": stories["edges"],
                "membership": members,
                "article_count": count,
                **named,
            },
        )

    def _named(self, one: beam.PCollection[None]) -> dict[str, Any]:
        """Read what a stream called groups and stories, if its ids are to be kept."""
        if not self.placements:
            return {}
        paths = list(self.placements)
        return {
            "provisional": one
            | "Read placements" >> beam.Map(lambda _: read_standings(paths))
        }

    def _going_on(
        self,
        spilled: beam.PCollection[Spilled],
        copies: Collections,
        count: beam.PCollection[int],
        past: Collections,
        earlier: Earlier,
    ) -> beam.PCollection[Part]:
        """Go on with the copy groups and stories of earlier runs; write what changes."""
        config = self.config
        one = spilled.pipeline | "Once" >> beam.Create([None], reshuffle=False)
        copied = one | "Join copies" >> beam.Map(_members, groups=AsIter(copies["groups"]))
        marks = {"copied": AsSingleton(copied)}
        undecided = late = None
        if config.stories:
            scoring = (self.staging, config.story_model_folder, config.block_size)
            before = continuation(past, copies["groups"], self.staging)
            # FnApiRunner holds back what follows a Flatten until all is consumed that the
            # stages before it read; so each of these collections is read once.
            if config.embedding == "undecided":
                waiting = spilled | "Wait for words" >> beam.Map(_same)
                undecided = (
                    self._by_words(waiting, marks)
                    | "Ask" >> beam.Map(asked)
                    | "Find undecided" >> FindUndecided(*scoring, begun=before.begun())
                )
                marks["undecided"] = AsSingleton(undecided)
            waiting = spilled | "Wait for vectors" >> beam.Map(_same)
            embedded = self._embedded(waiting, marks)
            vectors = None
            if config.uses_model:
                late = before.embed_late(undecided, config)
                size = vector_size(config.embedding_model_folder)
                vectors = LateVectors(size, AsIter(late))
            stories = (
                embedded
                | "Keep representatives" >> beam.Map(representatives)
                | "Ask about representatives" >> beam.Map(asked)
                | "Score stories" >> ScoreStories(*scoring, begun=before.begun(vectors))
            )
        else:
            embedded = self._embedded(spilled, marks)
            arrived = embedded | "Arrived" >> beam.Map(
                lambda batch: batch.select(KEYS.names)
            )
            stories = copies_as_stories(past, arrived, copies["groups"])
        named = self._named(one)
        members, changed = members_and_changed(past, copies["groups"], stories, **named)
        told, standing = amended_edges(past, copies["edges"], members, changed)
        carried = {
            "ledger": past["ledger"],
            "membership": members,
            "changed": changed,
            **({"late": late} if late else {}),
        } | "Carry over" >> CarryOver(
            earlier.files, self._schemas(), self.staging, earlier.additions.index_days
        )
        resolved = self._resolved(
            spilled,
            embedded,
            {
                "copy_edges": told,
                "story_edges": stories["edges"],
                "membership": members,
                "article_count": count,
                **earlier_stories(past, carried, standing, changed, late),
                **named,
            },
        )
        written = resolved | "Leave what is carried over" >> beam.Map(
            without_carried, AsSingleton(carried["leaving"]), self.staging
        )
        return (written, carried["parts"]) | "Written and carried" >> beam.Flatten()

    def _by_words(
        self, spilled: beam.PCollection[Spilled], marks: dict[str, Any]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Give the fingerprints of representatives, before any article is embedded."""
        return (
            spilled
            | "Read fingerprints back" >> beam.Map(_marked, FINGERPRINT.names, **marks)
            | "Keep fingerprints" >> beam.Map(representatives)
        )

    def _embedded(
        self, spilled: beam.PCollection[Spilled], marks: dict[str, Any]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Read the articles back, and embed those that are to be."""
        config = self.config
        names = None if config.uses_model else FINGERPRINT.names
        embedded = spilled | "Read back" >> beam.Map(_marked, names, **marks)
        if config.uses_model:
            embedded |= "Embed" >> EmbedArticles(
                config.embedding_model_folder,
                config.embedding_tokens,
                "is_undecided" if config.embedding == "undecided" else "is_representative",
                config.embedding_accelerator,
            )
        return embedded | "Embedded" >> CountArticles("find copies, embed")

    def _resolved(
        self,
        spilled: beam.PCollection[Spilled],
        embedded: beam.PCollection[pa.RecordBatch],
        given: Collections,
    ) -> beam.PCollection[Part]:
        """Bring texts and evidence together, story by story, and write them."""
        config = self.config
        return {
            "articles": spilled,
            "vectors": embedded | "Keep vectors" >> beam.Map(embedded_vectors),
            **given,
        } | "Resolve stories" >> ResolveStories(
            staging=self.staging,
            run_id=self.run_id,
            model=config.embedding_model_folder if config.uses_model else None,
            index_schema=index_schema_of(config),
            model_folder=config.story_model_folder,
            rewrite=RewriteRule(
                min_cosine=config.rewrite_cosine,
                min_share=config.rewrite_share,
                min_order=config.rewrite_order,
            ),
            follow_up=follow_ups(config),
        )

    def _schemas(self) -> dict[str, pa.Schema]:
        return {**TABLES, "index": index_schema_of(self.config)}

    def _copies_alone(
        self,
        spilled: beam.PCollection[Spilled],
        copies: Collections,
        count: beam.PCollection[int],
    ) -> beam.PCollection[Part]:
        """Write copies: no text is needed but to be written."""
        members = (
            spilled.pipeline
            | "Once" >> beam.Create([None], reshuffle=False)
            | "Join copies" >> beam.Map(_members, groups=AsIter(copies["groups"]))
        )
        return {
            "articles": spilled,
            "copied": copies["copied"],
            "edges": copies["edges"],
            "membership": members,
            "article_count": count,
        } | "Write copies" >> WriteCopies(
            self.staging, self.run_id, index_schema_of(self.config)
        )


def index_schema_of(config: Config) -> pa.Schema:
    """Give INDEX, its metadata saying how the fingerprints of a run were made."""
    made = signature_metadata(
        num_perm=NUM_PERM, seed=config.seed, shingle_size=config.shingle_size
    )
    model = config.embedding_model if config.uses_model else "none"
    made[b"embedding.model"] = model.encode()
    made[b"embedding.tokens"] = b"%d" % config.embedding_tokens
    return INDEX.with_metadata({**INDEX.metadata, **made})


def mark_representatives(batch: pa.RecordBatch, copied: pa.RecordBatch) -> pa.RecordBatch:
    """Add `is_representative`: whether an article stands for its copy group, or is alone.

    Args:
      batch: with a column `article_key`.
      copied: a MEMBERSHIP batch.
    """
    keys = column(batch, "article_key")
    standing = look_up(copied, "representative_key", keys)
    return with_column(batch, "is_representative", pa.array(keys == standing))


def mark_undecided(batch: pa.RecordBatch, undecided: pa.RecordBatch) -> pa.RecordBatch:
    """Add `is_undecided`: whether an embedding could change the story of an article.

    Args:
      batch: with a column `article_key`.
      undecided: an UNDECIDED batch.
    """
    found = np.isin(column(batch, "article_key"), column(undecided, "article_key"))
    return with_column(batch, "is_undecided", pa.array(found))


def representatives(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the fingerprints and vectors of the representatives of a batch."""
    names = [*FINGERPRINT.names, *(["vector"] if "vector" in batch.schema.names else [])]
    rows = np.flatnonzero(batch.column("is_representative").to_numpy(zero_copy_only=False))
    return batch.select(names).take(pa.array(rows))


def _marked(
    spilled: Spilled,
    names: Sequence[str] | None = None,
    *,
    copied: pa.RecordBatch,
    undecided: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    batch = mark_representatives(read_back(spilled, names), copied)
    return batch if undecided is None else mark_undecided(batch, undecided)


def _articles_of(part: Part) -> int:
    return part.rows if part.table == "articles" else 0


def _same(spilled: Spilled) -> Spilled:
    return spilled


def _rows(spilled: Spilled) -> int:
    return spilled.rows


def _members(
    _: None, groups: Iterable[pa.RecordBatch], stories: Iterable[pa.RecordBatch] = ()
) -> pa.RecordBatch:
    return membership(list(groups), list(stories))
