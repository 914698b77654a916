"""A run that adds to what its output folder holds: how it differs from a first run.

The stages are those of every run. Beside the new articles stand the fingerprints of those
near to them in time; only pairs with a new article are compared and scored, and what was
decided before stays. Every story that changes is written again as a whole, with the texts
of all its members; everything else stays in the files it is in.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import AsIter, AsSingleton

from pipeline.config import Config
from schemas.batch import Collections, column, concatenate, with_column
from schemas.match import STORY_EVIDENCE
from schemas.past import KEYS, VECTOR
from transforms.carrying import Stored
from transforms.clustering import Begun
from transforms.continuing import (
    MERGED,
    changed_stories,
    continued_membership,
    old_nodes,
    stories_of_copies,
    with_fixed_vectors,
)
from transforms.copy_groups import COPY_GROUP
from transforms.embedding import EmbedArticles, vector_size
from transforms.membership import STORY_MEMBERS
from transforms.past import Arrivals, ReadPast, articles_of, join_keys, remembered_of

# Settings that say where models are, which count by their content, or how much is read.
_FREE = ("known_furniture", "page_model", "story_model", "block_size")


@dataclasses.dataclass(frozen=True)
class Additions:
    """How a run adds to what its output folder holds.

    Attributes:
      lookback: days within which a new article can join a story.
      index_days: days before the newest article that fingerprints are kept.
    """

    lookback: float = 7.0
    index_days: float = 90.0

    def __post_init__(self) -> None:
        """Refuse days that mean nothing.

        Raises:
          ValueError: if lookback is not above 0, or index_days is less.
        """
        if not 0 < self.lookback < math.inf:
            raise ValueError(f"lookback must be above 0 days, got {self.lookback}")
        if not self.lookback <= self.index_days < math.inf:
            raise ValueError(
                "index days must be at least the lookback, got "
                f"index_days={self.index_days} and lookback={self.lookback}"
            )


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What an output folder holds when a run that adds to it begins.

    Attributes:
      files: table -> its files in force.
      runs: what the manifest tells of the runs so far.
      additions: how this one adds.
    """

    files: Mapping[str, Sequence[Stored]]
    runs: Sequence[Mapping[str, Any]]
    additions: Additions


def earlier_runs(
    output: str,
    manifest: Mapping[str, Any],
    config: Config,
    models: Mapping[str, str],
    additions: Additions,
) -> Earlier:
    """Find what a run that adds to an output folder goes on with.

    Args:
      output: the folder.
      manifest: that is in force there.
      config: settings of this run.
      models: what tells the content of each model.
      additions: how it adds.

    Raises:
      ValueError: if earlier runs decided by other settings or models.
    """
    before = {**manifest["config"], **manifest["models"]}
    differing = differing_settings(before, {**dataclasses.asdict(config), **models})
    if differing:
        told = ", ".join(
            f"{name} was {was} and is {now}" for name, (was, now) in differing.items()
        )
        raise ValueError(
            f"settings must be those of the earlier runs in {output}: {told}; "
            "--overwrite begins anew"
        )
    files = {
        table: [
            Stored(
                FileSystems.join(output, entry["name"]),
                entry["name"],
                entry["rows"],
                entry["statistics"],
            )
            for entry in entries
        ]
        for table, entries in manifest["tables"].items()
    }
    return Earlier(files, manifest["runs"], additions)


def read_past(earlier: Earlier, config: Config) -> ReadPast:
    """Make the transform that reads what new articles can meet."""
    return ReadPast(
        {table: [file.path for file in files] for table, files in earlier.files.items()},
        copies_reach=config.copy_window_days,
        lookback=earlier.additions.lookback,
    )


def earlier_copies(past: Collections) -> Collections:
    """Give what FindCopies needs of the past."""
    return {
        "earlier_fingerprints": past["keyed"],
        "earlier_files": past["articles to compare"],
        "earlier_edges": past["copy_edges"],
        "ledger": past["ledger"],
        "representatives": past["representatives"],
    }


@dataclasses.dataclass(frozen=True)
class Continuation:
    """Stories of earlier runs, as this one goes on with them.

    Attributes:
      past: as of ReadPast.
      groups: COPY_GROUP batches of all articles whose copies changed.
      nodes: FINGERPRINT batches with `is_asked`, of old articles in stories.
      vectors: VECTOR batches of the same.
    """

    past: Collections
    groups: beam.PCollection[pa.RecordBatch]
    nodes: beam.PCollection[pa.RecordBatch]
    vectors: beam.PCollection[pa.RecordBatch]

    @property
    def begun(self) -> Begun:
        """Give what forming stories must know of those that have begun."""
        return Begun(
            known=AsSingleton(self.past["story_edges"]),
            ledger=AsSingleton(self.past["ledger"]),
            groups=AsIter(self.groups),
        )

    def beside(
        self, nodes: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Put new articles beside the old ones, by words alone."""
        asked = nodes | "Ask" >> beam.Map(_asked)
        return (asked, self.nodes) | "Old and new" >> beam.Flatten()

    def embed_late(
        self, undecided: beam.PCollection[pa.RecordBatch] | None, config: Config
    ) -> beam.PCollection[pa.RecordBatch]:
        """Embed old articles that no run has embedded yet: VECTOR batches.

        Args:
          undecided: one UNDECIDED batch; None: every one of them.
          config: settings.
        """
        told = {} if undecided is None else {"undecided": AsSingleton(undecided)}
        lacking = (
            self.vectors
            | "Lacking" >> beam.Map(_lacking, **told)
            | "Gather lacking" >> beam.combiners.ToList()
            | "Join lacking" >> beam.Map(join_keys)
        )
        return (
            self.past["articles to embed"]
            | "Read texts" >> beam.FlatMap(_texts, AsSingleton(lacking))
            | "Embed late"
            >> EmbedArticles(config.embedding_model, config.embedding_tokens, "is_chosen")
            | "Late vectors" >> beam.Map(_late)
        )

    def beside_embedded(
        self,
        nodes: beam.PCollection[pa.RecordBatch],
        late: beam.PCollection[pa.RecordBatch],
        model: str,
    ) -> beam.PCollection[pa.RecordBatch]:
        """Put new articles beside the old ones, both with `vector`."""
        asked = nodes | "Ask with vectors" >> beam.Map(_asked)
        old = self.nodes | "Give vectors" >> beam.Map(
            _with_vectors, model, AsIter(self.vectors), AsIter(late)
        )
        return (asked, old) | "Old and new with vectors" >> beam.Flatten()


def continuation(
    past: Collections, groups: beam.PCollection[pa.RecordBatch]
) -> Continuation:
    """Choose the old articles that stories are formed of."""
    old = past["index to group"] | "Old nodes" >> beam.FlatMap(
        _old_nodes, AsSingleton(past["arrived"]), AsIter(groups)
    ).with_outputs("nodes", "vectors")
    return Continuation(past, groups, old["nodes"], old["vectors"])


Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["nodes"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["vectors"], pa.RecordBatch]
)


def _old_nodes(
    path: str, arrived: Arrivals, groups: Iterable[pa.RecordBatch]
) -> Iterator[Tagged]:
    # Read again: to move them from one stage to another takes longer.
    remembered = remembered_of(path, arrived)
    nodes, vectors = old_nodes(remembered, concatenate(groups, COPY_GROUP))
    yield beam.pvalue.TaggedOutput("nodes", nodes)
    yield beam.pvalue.TaggedOutput("vectors", vectors)


def _asked(nodes: pa.RecordBatch) -> pa.RecordBatch:
    return with_column(nodes, "is_asked", pa.array(np.ones(nodes.num_rows, np.bool_)))


def _lacking(
    vectors: pa.RecordBatch, undecided: pa.RecordBatch | None = None
) -> pa.RecordBatch:
    rows = vectors.filter(vectors.column("vector").is_null()).select(KEYS.names)
    if undecided is not None:
        wanted = np.isin(column(rows, "article_key"), column(undecided, "article_key"))
        rows = rows.filter(pa.array(wanted))
    return rows.cast(KEYS)


def _texts(path: str, wanted: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if wanted.num_rows:
        rows = articles_of(path, column(wanted, "article_key"))
        if rows.num_rows:
            chosen = pa.array(np.ones(rows.num_rows, np.bool_))
            yield with_column(rows, "is_chosen", chosen)


def _late(embedded: pa.RecordBatch) -> pa.RecordBatch:
    return embedded.select(VECTOR.names).cast(VECTOR)


def _with_vectors(
    nodes: pa.RecordBatch,
    model: str,
    vectors: Iterable[pa.RecordBatch],
    late: Iterable[pa.RecordBatch],
) -> pa.RecordBatch:
    known = concatenate([*vectors, *late], VECTOR)
    return with_fixed_vectors(nodes, known, vector_size(model))


def members_and_changed(
    past: Collections,
    groups: beam.PCollection[pa.RecordBatch],
    stories: Collections,
) -> tuple[beam.PCollection[pa.RecordBatch], beam.PCollection[pa.RecordBatch]]:
    """Say where every article belongs, and which stories are written.

    Args:
      past: as of ReadPast.
      groups: COPY_GROUP batches.
      stories: as of ScoreStories.

    Returns:
      One MEMBERSHIP batch and one CHANGED batch.
    """
    members = past["ledger"] | "Continue membership" >> beam.Map(
        _members, AsIter(groups), AsIter(stories["stories"]), AsIter(stories["merged"])
    )
    changed = past["ledger"] | "Find changed" >> beam.Map(
        changed_stories, AsSingleton(members)
    )
    return members, changed


def _members(
    ledger: pa.RecordBatch,
    groups: Iterable[pa.RecordBatch],
    stories: Iterable[pa.RecordBatch],
    merged: Iterable[pa.RecordBatch],
) -> pa.RecordBatch:
    return continued_membership(
        ledger,
        concatenate(groups, COPY_GROUP),
        concatenate(stories, STORY_MEMBERS),
        concatenate(merged, MERGED),
    )


def copies_as_stories(
    past: Collections,
    arrived: beam.PCollection[pa.RecordBatch],
    groups: beam.PCollection[pa.RecordBatch],
) -> Collections:
    """Make every copy group a story: a dict as of ScoreStories, no edges in it.

    Args:
      past: as of ReadPast.
      arrived: KEYS batches of new articles.
      groups: COPY_GROUP batches.
    """
    made = past["ledger"] | "Copies as stories" >> beam.FlatMap(
        _copies_as_stories, AsIter(arrived), AsIter(groups)
    ).with_outputs("stories", "merged")
    none = past["ledger"] | "No scores" >> beam.Map(_no_scores)
    return {"stories": made["stories"], "merged": made["merged"], "edges": none}


def _no_scores(_: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=STORY_EVIDENCE)


def _copies_as_stories(
    ledger: pa.RecordBatch,
    arrived: Iterable[pa.RecordBatch],
    groups: Iterable[pa.RecordBatch],
) -> Iterator[Any]:
    keys = column(join_keys(arrived), "article_key")
    stories, merged = stories_of_copies(keys, concatenate(groups, COPY_GROUP), ledger)
    yield beam.pvalue.TaggedOutput("stories", stories)
    yield beam.pvalue.TaggedOutput("merged", merged)


def earlier_stories(
    past: Collections,
    changed: beam.PCollection[pa.RecordBatch],
    late: beam.PCollection[pa.RecordBatch] | None,
) -> Collections:
    """Give what ResolveStories needs of the past."""
    given = {
        "earlier_articles": past["articles to write"],
        "earlier_index": past["index to write"],
        "earlier_copy_edges": past["copy_edges"],
        "earlier_story_edges": past["story_edges"],
    }
    return {**given, "changed": changed, **({"late_vectors": late} if late else {})}


def differing_settings(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Find the settings in which a run differs from those before it on its folder.

    Where models lie and how much is compared in one place may differ.
    """
    return {
        name: (before.get(name), value)
        for name, value in now.items()
        if name not in _FREE and before.get(name) != value
    }
