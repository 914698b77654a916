"""A run that adds to what its output folder holds: how it differs from a first run.

The stages are those of every run. Beside the new articles stand the fingerprints of those
near to them in time; only pairs with a new article are compared and scored, and what was
decided before stays. Every story that changes is written again as a whole, with the texts
of all its members; everything else stays in the files it is in.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import AsIter, AsSingleton

from pipeline.config import Config
from schemas.batch import Collections, column, concatenate, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.match import STORY_EVIDENCE
from schemas.past import KEYS, VECTOR
from transforms import storage
from transforms.blocking import set_aside
from transforms.carrying import Stored
from transforms.clustering import NODE, Begun
from transforms.continuing import (
    MERGED,
    changed_stories,
    continued_membership,
    keep_names,
    stories_of_copies,
)
from transforms.copy_groups import COPY_GROUP
from transforms.embedding import EmbedArticles
from transforms.membership import STORY_MEMBERS
from transforms.past import (
    REMEMBERED,
    Arrivals,
    ReadPast,
    articles_of,
    join_keys,
    remembered_of,
)
from transforms.spilling import Slice, read_slice
from transforms.story_scoring import COMPARED, LateVectors

# Settings that say where models are, which count by their content, how much is read, or
# on what machines.
_FREE = (
    *("known_furniture", "page_model", "story_model", "block_size"),
    "embedding_accelerator",
)

# What the content of the embedding model is called beside the settings. Runs of before it
# was noted tell nothing of it.
EMBEDDING_MODEL = "embedding model"


@dataclasses.dataclass(frozen=True)
class Additions:
    """How a run adds to what its output folder holds.

    Attributes:
      lookback: days within which a new article can join a story.
      index_days: days before the newest article that fingerprints are kept.
      rebuild: all is decided anew, of old articles and new ones together.
    """

    lookback: float = 7.0
    index_days: float = 90.0
    rebuild: bool = False

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
      ValueError: if earlier runs decided by other settings or models, but in a rebuild.
    """
    before = {**manifest.get("config", {}), **manifest.get("models", {})}
    differing = differing_settings(before, {**dataclasses.asdict(config), **models})
    if differing and not additions.rebuild:
        told = ", ".join(
            f"{name} was {was} and is {now}" for name, (was, now) in differing.items()
        )
        raise ValueError(
            f"settings must be those of the earlier runs in {output}: {told}; "
            "--rebuild decides all anew, --overwrite begins anew"
        )
    files = {
        table: [
            Stored(
                storage.join(output, entry["name"]),
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


@dataclasses.dataclass(frozen=True)
class Continuation:
    """Stories of earlier runs, as this one goes on with them.

    Attributes:
      past: as of ReadPast.
      groups: COPY_GROUP batches of all articles whose copies changed.
      nodes: where old articles in stories wait on disk, schema WAITING.
    """

    past: Collections
    groups: beam.PCollection[pa.RecordBatch]
    nodes: beam.PCollection[Slice]

    def begun(self, vectors: LateVectors | None = None) -> Begun:
        """Give what forming stories must know of those that have begun."""
        return Begun(
            known=AsSingleton(self.past["story_edges"]),
            ledger=AsSingleton(self.past["ledger"]),
            groups=AsIter(self.groups),
            nodes=self.nodes,
            vectors=vectors,
        )

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
            self.nodes
            | "Lacking" >> beam.Map(_lacking, **told)
            | "Gather lacking" >> beam.combiners.ToList()
            | "Join lacking" >> beam.Map(join_keys)
        )
        return (
            self.past["articles to embed"]
            | "Read texts" >> beam.FlatMap(_texts, AsSingleton(lacking))
            | "Embed late"
            >> EmbedArticles(
                config.embedding_model_folder,
                config.embedding_tokens,
                "is_chosen",
                config.embedding_accelerator,
            )
            | "Late vectors" >> beam.Map(_late)
        )


def continuation(
    past: Collections, groups: beam.PCollection[pa.RecordBatch], staging: str
) -> Continuation:
    """Choose the old articles that stories are formed of, and set them aside on disk."""
    nodes = past["index to group"] | "Set old nodes aside" >> beam.FlatMap(
        _old_nodes, staging, AsSingleton(past["arrived"]), AsIter(groups)
    ).with_output_types(Slice)
    return Continuation(past, groups, nodes)


# What forming stories reads of an old article; vectors as they are stored.
WAITING = pa.schema(
    [
        *(field for field in FINGERPRINT if field.name in {*NODE.names, *COMPARED}),
        VECTOR.field("vector"),
        # It was not compared before, and stands for a copy group now.
        pa.field("is_asked", pa.bool_()),
    ]
)


def waiting_nodes(remembered: pa.RecordBatch, groups: pa.RecordBatch) -> pa.RecordBatch:
    """Choose the articles of the past that stories are formed of: WAITING rows.

    These are those near in time that stand for a copy group, and those that do so now.

    Args:
      remembered: schema REMEMBERED, or the columns of it that are kept, and the last two.
      groups: COPY_GROUP rows of all articles whose copies changed.
    """
    keys = column(remembered, "article_key")
    stood = column(remembered, "is_representative").astype(np.bool_)
    recent = column(remembered, "is_recent").astype(np.bool_)
    regrouped = np.isin(keys, column(groups, "article_key"))
    stands = np.where(regrouped, np.isin(keys, column(groups, "representative_key")), stood)
    nodes = with_column(remembered, "is_asked", pa.array(stands & ~stood))
    kept = stands & (recent | regrouped)
    return nodes.select(WAITING.names).cast(WAITING).filter(pa.array(kept))


def _old_nodes(
    path: str, staging: str, arrived: Arrivals, groups: Iterable[pa.RecordBatch]
) -> Iterator[Slice]:
    # Read again: to move them from one stage to another takes longer.
    names = [name for name in REMEMBERED.names if name in WAITING.names]
    remembered = remembered_of(path, arrived, [*names, "is_representative", "is_recent"])
    nodes = waiting_nodes(remembered, concatenate(groups, COPY_GROUP))
    if nodes.num_rows:
        yield set_aside(nodes, staging)


def asked(nodes: pa.RecordBatch) -> pa.RecordBatch:
    """Mark new articles as those that stories are asked about."""
    return with_column(nodes, "is_asked", pa.array(np.ones(nodes.num_rows, np.bool_)))


def _lacking(part: Slice, undecided: pa.RecordBatch | None = None) -> pa.RecordBatch:
    nodes = read_slice(part)
    rows = nodes.select(KEYS.names).filter(pc.is_null(nodes.column("vector")))
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


def members_and_changed(
    past: Collections,
    groups: beam.PCollection[pa.RecordBatch],
    stories: Collections,
    provisional: beam.PCollection[pa.RecordBatch] | None = None,
) -> tuple[beam.PCollection[pa.RecordBatch], beam.PCollection[pa.RecordBatch]]:
    """Say where every article belongs, and which stories are written.

    Args:
      past: as of ReadPast.
      groups: COPY_GROUP batches.
      stories: as of ScoreStories.
      provisional: one STANDING batch of a stream whose ids are kept.

    Returns:
      One MEMBERSHIP batch and one CHANGED batch.
    """
    members = past["ledger"] | "Continue membership" >> beam.Map(
        _members, AsIter(groups), AsIter(stories["stories"]), AsIter(stories["merged"])
    )
    if provisional is not None:
        members |= "Keep ids" >> beam.Map(
            keep_names, AsSingleton(provisional), AsSingleton(past["ledger"])
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
    carried: Collections,
    copy_edges: beam.PCollection[pa.RecordBatch],
    changed: beam.PCollection[pa.RecordBatch],
    late: beam.PCollection[pa.RecordBatch] | None,
) -> Collections:
    """Give what ResolveStories needs of the past, of copies what still stands."""
    given = {
        "earlier_articles": carried["articles"],
        "earlier_index": carried["index"],
        "earlier_copy_edges": copy_edges,
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
        if name not in _FREE
        and before.get(name, value if name == EMBEDDING_MODEL else None) != value
    }
