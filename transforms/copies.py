"""Copies: the articles that are the same text, found, compared and grouped.

    fingerprints -> keys by shard -> pairs that share keys -> pairs worth comparing
    cleaned texts of those pairs, brought together -> copy edges -> copy groups

The stages are in `candidates`, `meeting_places`, `verification` and `copy_groups`. This
one carries the data: keys and pairs meet by shard, never one by one, and a text travels
only when it is wanted. What is to be told of a copy is worked out where its text is: the
passages it shares, and what says who speaks for its group. Where texts meet is decided in
one place that holds all pairs, 24 bytes each, and groups are formed in one that holds all
edges: enough for some twenty million of either.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import CLEANED
from schemas.batch import (
    CODEC,
    Collections,
    column,
    concatenate,
    split_by,
    with_column,
)
from schemas.match import COPY_EDGE, COPY_EVIDENCE
from transforms.candidates import (
    MAX_BUCKET,
    MIN_SHARED_PASSAGES,
    PAIR,
    WINDOW_DAYS,
    chosen_pairs,
    key_blocks,
    shared_keys,
)
from transforms.continuing import (
    continued_groups,
    ledger_rows,
    pairs_to_compare,
    touched_edges,
)
from transforms.copy_groups import (
    GROUPED,
    MIN_LINKED,
    MIN_MEDOID_CONTAINMENT,
    copy_groups,
)
from transforms.evidence import passage_lists
from transforms.lsh import BANDS, ROWS
from transforms.meeting_places import (
    MAX_COMPONENT,
    article_places,
    place_pairs,
)
from transforms.past import articles_of
from transforms.reopening import (
    Hindsight,
    are_among,
    parted,
    stripped_again,
)
from transforms.speakers import copied
from transforms.spilling import Spilled, read_back
from transforms.verification import (
    COMPARED,
    ComparedTexts,
    CopyThresholds,
    copy_edges,
    read_texts,
    rows_of,
)

# What is needed of an article to compare it, to group it and to tell of it.
WANTED = (
    "article_key",
    "article_id",
    "title",
    "text",
    "source",
    "credited_source",
    "published_at",
    "alien",
    "language",
    "word_count",
    "removed_word_count",
)
# Nothing else is held while these are, and lz4 takes a third of the time of zstd.
_WANTED = pa.schema(
    [
        *(CLEANED.field(name) for name in WANTED),
        # The text is not as it was written: furniture showed later.
        pa.field("is_amended", pa.bool_(), nullable=False),
        COMPARED.field("published"),
    ],
    metadata={CODEC: "lz4"},
)
# An edge, and of both its articles what grouping needs.
_EDGE = pa.schema(
    [
        *COPY_EVIDENCE,
        GROUPED.field("published"),
        GROUPED.field("word_count"),
        GROUPED.field("published").with_name("matched_published"),
        GROUPED.field("word_count").with_name("matched_word_count"),
    ]
)

_SECONDS_A_DAY = 86_400

Keyed = tuple[int, pa.RecordBatch]


def wanted_articles(cleaned: pa.RecordBatch, places: pa.RecordBatch) -> Iterator[Keyed]:
    """Give the articles that are compared, as far as that needs them, shard by shard.

    Args:
      cleaned: schema CLEANED, or the columns WANTED of it, and perhaps `is_amended`.
      places: schema PLACE, ascending by article.
    """
    wanted = column(places, "article_key")
    keys = column(cleaned, "article_key")
    firsts = np.searchsorted(wanted, keys, "left")
    counts = np.searchsorted(wanted, keys, "right") - firsts
    rows = np.repeat(np.arange(keys.size), counts)
    if not rows.size:
        return
    nth = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    shards = column(places, "shard")[firsts[rows] + nth]
    if "is_amended" not in cleaned.schema.names:
        cleaned = with_column(cleaned, "is_amended", np.zeros(keys.size, np.bool_))
    for shard, found in split_by(cleaned.select(_WANTED.names[:-1]), shards, rows):
        micros = found.column("published_at").cast(pa.int64()).cast(pa.float64())
        seconds = pc.floor(pc.divide(micros, 1e6)).cast(pa.int64())
        yield shard, with_column(found, "published", seconds).cast(_WANTED)


def edges_of_shard(
    batches: Iterable[pa.RecordBatch], placed: pa.RecordBatch, thresholds: CopyThresholds
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Compare the pairs of a shard.

    Args:
      batches: the articles of `wanted_articles`, in any order.
      placed: the shard's pairs, schema PLACED_PAIR.
      thresholds: what makes two articles copies.

    Returns:
      edges: schema _EDGE.
      copied: schema COPIED, of the articles that have an accepted edge.
    """
    # Texts come in the order of the shuffle; what follows must not.
    texts = read_texts(concatenate(batches, _WANTED))
    split = placed.column("split")
    edges = concatenate(
        [
            copy_edges(
                texts,
                placed.filter(mask).select(PAIR.names),
                thresholds,
                link_medoids=link_medoids,
            )
            for mask, link_medoids in ((pc.invert(split), True), (split, False))
            if pc.any(mask).as_py()
        ],
        COPY_EDGE,
    )
    return _with_ends(texts, edges)


def _with_ends(
    texts: ComparedTexts, edges: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Add to edges what is known of both ends; give also the articles that are copies."""
    left, right = (rows_of(texts.keys, column(edges, name)) for name in PAIR.names)
    accepted = edges.column("relation").is_valid().to_numpy(zero_copy_only=False)
    # Passages are told of the text as it is written.
    amended = column(texts.articles, "is_amended").astype(np.bool_)
    shown = accepted & ~amended[left] & ~amended[right]
    first, second = (
        texts.articles.select(["article_id", *GROUPED.names[1:]]).take(pa.array(rows))
        for rows in (left, right)
    )
    seconds = pc.subtract(second.column("published"), first.column("published"))
    whole = pa.RecordBatch.from_arrays(
        [
            *edges.columns,
            first.column("article_id"),
            second.column("article_id"),
            pc.divide(seconds.cast(pa.float32()), _SECONDS_A_DAY),
            passage_lists(texts.tokens, np.where(shown, left, -1), right),
            *(ends.column(name) for ends in (first, second) for name in GROUPED.names[1:]),
        ],
        schema=_EDGE,
    )
    rows = np.unique(np.concatenate([left[accepted], right[accepted]]))
    return whole, copied(texts.articles.take(pa.array(rows)))


def groups_of_edges(
    batches: Iterable[pa.RecordBatch],
    *,
    min_medoid_containment: float,
    min_linked: float,
    max_compared: int,
    earlier: pa.RecordBatch | None = None,
    ledger: pa.RecordBatch | None = None,
    asked_again: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    """Group all articles that have edges, of schema _EDGE; else as `copy_groups`.

    Args:
      batches: the edges of this run.
      min_medoid_containment: as of `copy_groups`.
      min_linked: as of `copy_groups`.
      max_compared: as of `copy_groups`.
      earlier: COPY_EVIDENCE rows of earlier runs; None: there were none.
      ledger: LEDGER rows, ascending, where there were.
      asked_again: schema PAIR, those of earlier runs that this one compared.
    """
    edges = concatenate(batches, _EDGE)
    if earlier is not None and ledger is not None:
        earlier = earlier.filter(pa.array(~are_among(earlier, edges)))
        if asked_again is not None:
            gone = are_among(earlier, asked_again)
            before = parted(earlier.filter(pa.array(gone)))
            edges = concatenate([edges, _with_ledger(before, ledger)], _EDGE)
            earlier = earlier.filter(pa.array(~gone))
        touched = touched_edges(edges, earlier)
        edges = concatenate([edges, _with_ledger(touched, ledger)], _EDGE)
    articles = pa.Table.from_batches(
        [
            pa.RecordBatch.from_arrays(
                [edges.column(name) for name in names], schema=GROUPED
            )
            for names in (
                ("article_key", "published", "word_count"),
                ("matched_key", "matched_published", "matched_word_count"),
            )
        ]
    )
    groups = copy_groups(
        edges.select(COPY_EDGE.names),
        concatenate(articles.to_batches(), GROUPED),
        min_medoid_containment=min_medoid_containment,
        min_linked=min_linked,
        max_compared=max_compared,
    )
    return groups if ledger is None else continued_groups(groups, edges, ledger)


def _with_ledger(edges: pa.RecordBatch, ledger: pa.RecordBatch) -> pa.RecordBatch:
    """Add to COPY_EVIDENCE rows of earlier runs what grouping needs of both ends."""
    ends = [
        ledger.select(GROUPED.names[1:]).take(
            pa.array(ledger_rows(ledger, column(edges, name)))
        )
        for name in PAIR.names
    ]
    return pa.RecordBatch.from_arrays(
        [*edges.columns, *(column for end in ends for column in end.columns)], schema=_EDGE
    )


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["edges"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["copied"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class FindCopies(beam.PTransform):
    """Find, compare and group copies.

    Takes batches of FINGERPRINT, and those of the same articles that wait on disk (Spilled)
    with the columns WANTED, as a dict `fingerprints`, `cleaned`. Gives batches as a dict:
    `edges`, schema COPY_EVIDENCE, copies and near misses; `copied`, schema COPIED, the
    articles that are copies, some perhaps more than once; `groups`, schema COPY_GROUP, one
    batch if there is any group.

    Where earlier runs wrote of articles, the dict has besides: `earlier_fingerprints`, of
    those articles, or the columns of it that keys are made of; `earlier_files`, paths of
    the files of `articles/`; and single elements: `ledger` (LEDGER), `representatives`
    (KEYS: who of them stands for a copy group), `earlier_edges` (COPY_EVIDENCE, all pairs
    that were compared), `hindsight` (Hindsight) and `asked_again` (PAIR: which of those
    pairs are compared again). Then `groups` lists every article that was compared, and
    those that hang together with it, each in a group, if only in one of its own.

    Attributes:
      thresholds: what makes two articles copies.
      bands: bands of a signature.
      rows: signature entries a band.
      window_days: articles further apart are not compared.
      max_bucket: holders of a key above which it proposes neighbours in time alone.
      min_shared_passages: share of passage keys from which a pair is compared.
      max_component: articles that hang together and may meet in one shard.
      min_medoid_containment: as in `copy_groups`.
      min_linked: as in `copy_groups`.
      shards: shards that keys, pairs and texts are spread over.
      min_words: words under which a text is nobody's copy.
    """

    thresholds: CopyThresholds = dataclasses.field(default_factory=CopyThresholds)
    bands: int = BANDS
    rows: int = ROWS
    window_days: float = WINDOW_DAYS
    max_bucket: int = MAX_BUCKET
    min_shared_passages: float = MIN_SHARED_PASSAGES
    max_component: int = MAX_COMPONENT
    min_medoid_containment: float = MIN_MEDOID_CONTAINMENT
    min_linked: float = MIN_LINKED
    shards: int = 8
    min_words: int = 25

    def expand(self, inputs: Collections) -> Collections:
        """Apply to fingerprints and cleaned articles."""
        fingerprints = inputs["fingerprints"]
        placing: dict[str, beam.pvalue.AsSingleton] = {}
        grouping: dict[str, beam.pvalue.AsSingleton] = {}
        if "ledger" in inputs:
            ledger, standing, edges, again = (
                beam.pvalue.AsSingleton(inputs[name])
                for name in ("ledger", "representatives", "earlier_edges", "asked_again")
            )
            placing = {"ledger": ledger, "representatives": standing, "asked_again": again}
            grouping = {"ledger": ledger, "earlier": edges, "asked_again": again}
            both = (fingerprints, inputs["earlier_fingerprints"])
            fingerprints = both | "Add earlier" >> beam.Flatten()
        chosen = (
            fingerprints
            | "Key" >> beam.FlatMap(self._keys)
            | "Group keys" >> beam.GroupByKey()
            | "Share keys" >> beam.FlatMap(self._shared)
            | "Group pairs" >> beam.GroupByKey()
            | "Choose pairs" >> beam.Map(self._chosen)
        )
        # Even where no two articles share a key, pairs may be asked for again.
        placed = (
            fingerprints.pipeline
            | "Once" >> beam.Create([None], reshuffle=False)
            | "Place pairs" >> beam.Map(self._placed, beam.pvalue.AsIter(chosen), **placing)
        )
        places = placed | "Place articles" >> beam.Map(article_places)
        wanted = beam.pvalue.AsSingleton(places)
        articles = inputs["cleaned"] | "Bring articles" >> beam.FlatMap(_brought, wanted)
        if "ledger" in inputs:
            brought = inputs["earlier_files"] | "Bring earlier articles" >> beam.FlatMap(
                _earlier_articles,
                wanted,
                beam.pvalue.AsSingleton(inputs["hindsight"]),
                self.min_words,
            )
            articles = (articles, brought) | "All articles" >> beam.Flatten()
        # Pairs come as a side input: FnApiRunner holds back what follows a Flatten until
        # every consumer of what went into it is done, and the last stages of a run, which
        # wait for the groups, consume these articles too.
        compared = (
            articles
            | "Group texts" >> beam.GroupByKey()
            | "Compare"
            >> beam.ParDo(self._compared, beam.pvalue.AsSingleton(placed)).with_outputs(
                "edges", "copied"
            )
        )
        edges = compared["edges"]
        groups = (
            edges
            | "Gather edges" >> beam.Map(_under_one_key)
            | "Group edges" >> beam.GroupByKey()
            | "Group copies" >> beam.Map(self._groups, **grouping)
        )
        return {
            "edges": edges | "Give edges" >> beam.Map(_copy_edges),
            "copied": compared["copied"],
            "groups": groups,
        }

    def _keys(self, fingerprints: pa.RecordBatch) -> Iterator[Keyed]:
        return key_blocks(
            fingerprints, bands=self.bands, rows=self.rows, shards=self.shards
        )

    def _shared(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Keyed]:
        shared, hot = shared_keys(
            keyed[1], window_days=self.window_days, max_bucket=self.max_bucket
        )
        beam.metrics.Metrics.counter("copies", "hot_keys").inc(hot)
        # Any spread of the pairs will do that is the same in every shard of keys.
        ends = column(shared, "article_key") ^ column(shared, "matched_key")
        yield from split_by(shared, ends % np.uint64(self.shards))

    def _chosen(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> pa.RecordBatch:
        return chosen_pairs(keyed[1], min_shared_passages=self.min_shared_passages)

    def _placed(
        self,
        _: None,
        chosen: Iterable[pa.RecordBatch],
        ledger: pa.RecordBatch | None = None,
        representatives: pa.RecordBatch | None = None,
        asked_again: pa.RecordBatch | None = None,
    ) -> pa.RecordBatch:
        # In one order, whatever that in which they came.
        pairs = concatenate(chosen, PAIR)
        pairs = pairs.sort_by([(name, "ascending") for name in PAIR.names])
        if ledger is not None and representatives is not None and asked_again is not None:
            standing = column(representatives, "article_key")
            pairs = pairs_to_compare(pairs, ledger, standing)
            pairs = concatenate([pairs, asked_again], PAIR)
        return place_pairs(pairs, shards=self.shards, max_component=self.max_component)

    def _compared(
        self, keyed: tuple[int, Iterable[pa.RecordBatch]], placed: pa.RecordBatch
    ) -> Iterator[Tagged]:
        here = placed.filter(pa.array(column(placed, "shard") == keyed[0]))
        edges, copied = edges_of_shard(keyed[1], here, self.thresholds)
        yield beam.pvalue.TaggedOutput("edges", edges)
        yield beam.pvalue.TaggedOutput("copied", copied)

    def _groups(
        self,
        keyed: tuple[int, Iterable[pa.RecordBatch]],
        ledger: pa.RecordBatch | None = None,
        earlier: pa.RecordBatch | None = None,
        asked_again: pa.RecordBatch | None = None,
    ) -> pa.RecordBatch:
        return groups_of_edges(
            keyed[1],
            min_medoid_containment=self.min_medoid_containment,
            min_linked=self.min_linked,
            max_compared=self.max_bucket,
            earlier=earlier,
            ledger=ledger,
            asked_again=asked_again,
        )


def _brought(waiting: Spilled, places: pa.RecordBatch) -> Iterator[Keyed]:
    return wanted_articles(read_back(waiting, WANTED), places)


def _earlier_articles(
    path: str, places: pa.RecordBatch, known: Hindsight, min_words: int
) -> Iterator[Keyed]:
    if places.num_rows:
        found = articles_of(path, np.unique(column(places, "article_key")))
        found = stripped_again(found, known, min_words=min_words)
        yield from wanted_articles(found, places)


def _under_one_key(batch: pa.RecordBatch) -> Keyed:
    return 0, batch


def _copy_edges(edges: pa.RecordBatch) -> pa.RecordBatch:
    return edges.select(COPY_EVIDENCE.names)
