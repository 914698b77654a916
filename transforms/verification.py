"""Verification: two texts that may be copies, compared word by word.

What decides is not an estimate but the texts: the share of the shorter text's three-word
runs found in the longer (containment), and of both texts' runs found in both (Jaccard). A
copy with a caption more and a paragraph less keeps a containment near one.

Three things look like copies and are none. One furniture page under many titles: told by
titles whose words the text does not hold. A follow-up that repeats last week's background:
told by its date. And two notices of one template, a bond issue and another: told by their
slots. Align the two texts, and where notices differ, a number stands against a number and a
name against a name, again and again; where copies differ, words were added or left out. A
source prints its own template again; of two sources that share one, much of what could
differ must, for another site may edit a figure or two of what it copies.

How wrong it can be, on labelled news: precision and recall of copies .99 and above on three
sets, .96 on one with two dozen copies. Copies with one word in six changed evenly are
missed, and so is a paragraph pasted into another article; notices of more than 250 words
are not told from copies.

A. Broder, "On the resemblance and containment of documents", 1997.
"""

import dataclasses
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate
from schemas.match import COPY_EDGE
from transforms.alignment import (
    CAPITALISED,
    NUMBER,
    OTHER,
    aligned_words,
    differing_slots,
)
from transforms.copy_groups import unlinked_members
from transforms.titles import title_stems, title_support
from transforms.tokens import Tokens, shingle_sets, text_keys, tokenize

# What is needed of an article to compare it with another.
COMPARED = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("credited_source", pa.string()),
        # Seconds since 1970, UTC; null when the article has no date.
        pa.field("published", pa.int64()),
        # The text is not that of the title, as far as the article alone tells.
        pa.field("alien", pa.bool_(), nullable=False),
    ]
)

_DAY = 86_400
_SHINGLE, _LONG_SHINGLE = 3, 5
# Words of one text times words of the other: two of 5,000 words take 30 milliseconds.
_MOST_ALIGNED = 25_000_000
# Two facts differ in any correction.
_MIN_SLOTS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class CopyThresholds:
    """What makes two articles copies. Overlaps are of three-word runs unless said else.

    Attributes:
      min_containment: of the shorter text in the longer, for a copy of any kind.
      near_jaccard: overlap from which a copy is a near copy, not a partial reprint.
      near_ratio: the same of lengths, the shorter text's over the longer's.
      exact_jaccard: overlap of five-word runs from which two texts are the same.
      edited_alignment: share of the shorter text's words that the other has, in one order,
        from which the two are near copies for all that too few runs are whole: one word in
        eight was changed, here and there. From `kept_containment` on.
      edited_ratio: of the lengths of two such texts.
      kept_containment: from which a pair that is no copy is kept as a near miss.
      min_shared_runs: three-word runs that a partial reprint shares at least: those of 25
        words, of which fewer are thin.
      max_gap_days: between two copies.
      max_own_gap_days: between a text and a much longer one of its source that holds part
        of it. Later ones are follow-ups that repeat what was written.
      reuse_jaccard: overlap of five-word runs from which `max_reuse_days` is the limit.
      max_reuse_days: between two copies that are nearly the same.
      min_title_support: share of a title's words found in the text. Where both titles have
        less, and are not alike, the texts are furniture.
      min_title_overlap: share of the shorter title's words in the other.
      min_alien_title_overlap: share of the words of either title that both have, where one
        text holds no word of its title.
      template_words: texts of fewer words are looked at for slots.
      template_words_per_slot: two texts with a slot each so many words are notices.
      template_share: of all numbers and names, the share that differs at least in two
        notices of two sources.
      same_source_ratio: within a source, of lengths. A text so much shorter than another
        of its source is a part of it, unless it holds next to nothing else.
      same_source_containment: from which it holds next to nothing else.
    """

    min_containment: float = 0.70
    partial_containment: float = 0.73
    near_jaccard: float = 0.35
    near_ratio: float = 0.50
    exact_jaccard: float = 0.98
    edited_alignment: float = 0.85
    edited_ratio: float = 0.70
    kept_containment: float = 0.50
    min_shared_runs: int = 23
    max_gap_days: float = 7.0
    max_own_gap_days: float = 0.5
    reuse_jaccard: float = 0.90
    max_reuse_days: float = 30.0
    min_title_support: float = 0.34
    min_title_overlap: float = 0.30
    min_alien_title_overlap: float = 0.75
    template_words: int = 250
    template_words_per_slot: float = 50.0
    template_share: float = 0.3
    same_source_ratio: float = 0.60
    same_source_containment: float = 0.95


def copy_edges(
    texts: "ComparedTexts",
    pairs: pa.RecordBatch,
    thresholds: CopyThresholds,
    *,
    link_medoids: bool = True,
) -> pa.RecordBatch:
    """Compare each pair, and say what it is and why.

    A group stands on its medoid, so members that no key brought to it are compared with it.

    Args:
      texts: each article of a pair.
      pairs: schema PAIR.
      thresholds: what makes two articles copies.
      link_medoids: whether to do so. Needs all pairs of a group.

    Returns:
      Schema COPY_EDGE, ascending by both keys: copies, and the near misses without a
      relation. Pairs that have less in common are left out.

    Raises:
      ValueError: if an article of a pair is missing.
    """
    left = rows_of(texts.keys, column(pairs, "article_key"))
    right = rows_of(texts.keys, column(pairs, "matched_key"))
    edges = _compare(texts, left, right, thresholds)
    table = pa.Table.from_batches([edges])
    if link_medoids:
        left, right = (rows_of(texts.keys, keys) for keys in unlinked_members(edges))
        more = _compare(texts, left, right, thresholds)
        table = pa.Table.from_batches([edges, more])
    table = table.sort_by([("article_key", "ascending"), ("matched_key", "ascending")])
    return concatenate(table.to_batches(), COPY_EDGE)


class ComparedTexts(NamedTuple):
    """The articles of a shard, ascending by key, and what is counted in them."""

    keys: npt.NDArray[np.uint64]
    articles: pa.RecordBatch
    tokens: Tokens
    words: npt.NDArray[np.int64]
    text_keys: npt.NDArray[np.uint64]
    # Distinct runs of three and of five words: values, offsets.
    shingles: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]
    long_shingles: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]
    # In days since 1970; NaN without a date.
    published: npt.NDArray[np.float64]
    # A number per source, and per credited source; -1 without one.
    sources: npt.NDArray[np.int64]
    credits: npt.NDArray[np.int64]


def read_texts(articles: pa.RecordBatch) -> ComparedTexts:
    """Read the articles that are compared.

    Args:
      articles: schema COMPARED, at least.

    Raises:
      ValueError: if an article is given twice.
    """
    articles = articles.take(pc.sort_indices(articles.column("article_key")))
    keys = column(articles, "article_key")
    if np.any(keys[1:] == keys[:-1]):
        raise ValueError(
            f"articles must be given once, got {keys.size} of which "
            f"{np.unique(keys).size} are distinct"
        )
    tokens = tokenize(articles.column("text"))
    published = articles.column("published").cast(pa.float64())
    numbers = [
        pc.fill_null(articles.column(name).dictionary_encode().indices, -1).to_numpy()
        for name in ("source", "credited_source")
    ]
    return ComparedTexts(
        keys,
        articles,
        tokens,
        np.diff(tokens.offsets),
        text_keys(tokens),
        shingle_sets(tokens, _SHINGLE),
        shingle_sets(tokens, _LONG_SHINGLE),
        published.to_numpy(zero_copy_only=False) / _DAY,
        *numbers,
    )


def rows_of(
    keys: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Find the row of each wanted key among ascending ones.

    Raises:
      ValueError: if a key is missing.
    """
    rows = np.searchsorted(keys, wanted)
    missing = (
        wanted[keys[np.minimum(rows, keys.size - 1)] != wanted] if keys.size else wanted
    )
    if missing.size:
        raise ValueError(
            f"both articles of a pair must be given, got {missing.size} keys without an "
            f"article, the first {missing[0]}"
        )
    return rows


def _compare(
    texts: ComparedTexts,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    limits: CopyThresholds,
) -> pa.RecordBatch:
    """Give the edges of pairs of rows, near misses included."""
    swapped = (texts.words[left] > texts.words[right]) | (
        (texts.words[left] == texts.words[right]) & (left > right)
    )
    left, right = np.where(swapped, right, left), np.where(swapped, left, right)
    shared, smaller, union = _overlaps(*texts.shingles, left, right)
    containment = shared / np.maximum(smaller, 1)
    kept = containment >= limits.kept_containment
    left, right, shared, containment = (
        values[kept] for values in (left, right, shared, containment)
    )
    jaccard = shared / union[kept]
    long_shared, _, long_union = _overlaps(*texts.long_shingles, left, right)
    long_jaccard = long_shared / long_union
    gap = np.abs(texts.published[left] - texts.published[right])
    same_source = (texts.sources[left] == texts.sources[right]) & (texts.sources[left] >= 0)
    credited = texts.credits[left], texts.credits[right]
    same_source &= (credited[0] == credited[1]) | (np.minimum(*credited) < 0)
    equal = texts.text_keys[left] == texts.text_keys[right]
    ratio = texts.words[left] / texts.words[right]
    part_of_own = (
        same_source
        & (ratio < limits.same_source_ratio)
        & (containment < limits.same_source_containment)
    )

    reader = _Reader(texts, limits)
    relations: list[str | None] = []
    rules: list[str] = []
    measures = (
        *(shared, containment, jaccard, long_jaccard, gap, ratio),
        *(equal, same_source, part_of_own),
    )
    for a, b, runs, share, alike, long_alike, days, lengths, same, own, own_part in zip(
        *(values.tolist() for values in (left, right, *measures)), strict=True
    ):
        relation = None
        overlap = f"containment {share:.2f}"
        lately = long_alike >= limits.reuse_jaccard
        most_days = limits.max_reuse_days if lately else limits.max_gap_days
        evenly_edited = (
            share < limits.min_containment
            and alike >= limits.near_jaccard
            and lengths >= limits.edited_ratio
            and reader.aligned_share(a, b) >= limits.edited_alignment
        )
        if share < limits.min_containment and not evenly_edited:
            rule = f"{overlap} < {limits.min_containment:.2f}"
        elif own_part and days > limits.max_own_gap_days:
            rule = f"reused by its source {days:.1f} days later, {overlap}"
        elif days > most_days:
            rule = f"{days:.1f} days apart > {most_days:g}, {overlap}"
        elif reader.is_furniture(a, b):
            rule = f"neither title is that of the text, {overlap}"
        elif same:
            relation, rule = "exact_copy", "equal words"
        elif long_alike >= limits.exact_jaccard:
            relation = "exact_copy"
            rule = f"five-word overlap {long_alike:.3f} >= {limits.exact_jaccard:.2f}"
        elif slots := reader.template_slots(a, b, same_source=own):
            rule = f"notices of one template with {slots} other facts, {overlap}"
        else:
            overlap += f" >= {limits.min_containment:.2f}, jaccard {alike:.2f}"
            if evenly_edited:
                relation = "near_copy"
                rule = f"words in one order {reader.aligned_share(a, b):.2f} >= "
                rule += f"{limits.edited_alignment:.2f}, jaccard {alike:.2f}"
            elif alike >= limits.near_jaccard and not own_part:
                # A text so much shorter is a part of the other, however much they share.
                relation = (
                    "near_copy" if lengths >= limits.near_ratio else "partial_reprint"
                )
                rule = f"{overlap} >= {limits.near_jaccard:.2f}, length {lengths:.2f}"
            elif share < limits.partial_containment:
                rule = f"{overlap} < {limits.near_jaccard:.2f}"
            elif runs >= limits.min_shared_runs:
                relation, rule = "partial_reprint", overlap
            else:
                rule = f"{runs} three-word runs < {limits.min_shared_runs}, {overlap}"
        relations.append(relation)
        rules.append(rule)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(texts.keys[left]),
            pa.array(texts.keys[right]),
            pa.array(relations, pa.string()),
            pa.array(rules, pa.string()),
            pa.array(jaccard, pa.float32()),
            pa.array(containment, pa.float32()),
        ],
        schema=COPY_EDGE,
    )


class _Reader:
    """Reads what only few pairs need to be read for, each article once."""

    def __init__(self, texts: ComparedTexts, limits: CopyThresholds) -> None:
        self._texts = texts
        self._limits = limits
        self._titles: list[str | None] = texts.articles.column("title").to_pylist()
        self._stems_of: dict[int, frozenset[str]] = {}
        self._supported: dict[int, bool] = {}
        self._kinds: dict[int, npt.NDArray[np.uint8]] = {}
        self._aliens: list[bool] = texts.articles.column("alien").to_pylist()

    def is_furniture(self, left: int, right: int) -> bool:
        """Say whether what two articles share has nothing to do with their titles.

        An article under a pun, or cut before it says what its title does, is copied under
        the same title. A sign-in page is met under others.
        """
        if self._aliens[left] or self._aliens[right]:
            mine, theirs = self._stems(left), self._stems(right)
            both = len(mine & theirs) / max(len(mine | theirs), 1)
            return both < self._limits.min_alien_title_overlap
        if self._titles[left] == self._titles[right]:
            return False
        if self._is_supported(left) or self._is_supported(right):
            return False
        mine, theirs = self._stems(left), self._stems(right)
        overlap = len(mine & theirs) / min(len(mine), len(theirs))
        return overlap < self._limits.min_title_overlap

    def aligned_share(self, left: int, right: int) -> float:
        """Give the share of the shorter text's words that the other has in that order.

        Zero for texts so long that aligning them would take longer than it is worth.
        """
        shorter, longer = self._hashes(left), self._hashes(right)
        if shorter.size * longer.size > _MOST_ALIGNED:
            return 0.0
        return aligned_words(shorter, longer) / shorter.size

    def template_slots(self, left: int, right: int, *, same_source: bool) -> int:
        """Count the other facts in two notices of one template; 0 if they are none."""
        limits, texts = self._limits, self._texts
        words = int(texts.words[left])
        if words >= limits.template_words or words < limits.same_source_ratio * int(
            texts.words[right]
        ):
            return 0
        slots, filled, gaps, agreeing = differing_slots(
            self._hashes(left), self._hashes(right), self._kind(left), self._kind(right)
        )
        enough = slots >= max(_MIN_SLOTS, words / limits.template_words_per_slot)
        if not same_source:
            enough &= slots >= limits.template_share * (slots + agreeing)
        return slots if enough and 2 * filled >= gaps else 0

    def _stems(self, row: int) -> frozenset[str]:
        """Give the stems of a title."""
        if row not in self._stems_of:
            self._stems_of[row] = frozenset(title_stems(self._titles[row]))
        return self._stems_of[row]

    def _is_supported(self, row: int) -> bool:
        """Say whether the text holds enough of its title."""
        if row not in self._supported:
            support = title_support(list(self._stems(row)), self._text(row))
            self._supported[row] = support >= self._limits.min_title_support
        return self._supported[row]

    def _text(self, row: int) -> str:
        text: str = self._texts.articles.column("text")[row].as_py()
        return text

    def _hashes(self, row: int) -> npt.NDArray[np.uint64]:
        offsets = self._texts.tokens.offsets
        return self._texts.tokens.hashes[offsets[row] : offsets[row + 1]]

    def _kind(self, row: int) -> npt.NDArray[np.uint8]:
        """Say of each token whether it is a number, a capitalised word or neither."""
        if row not in self._kinds:
            offsets = self._texts.tokens.offsets
            starts = self._texts.tokens.starts[offsets[row] : offsets[row + 1]]
            text = self._text(row)
            codes: npt.NDArray[np.uint32]
            if text.isascii():
                codes = np.frombuffer(text.encode(), np.uint8)[starts].astype(np.uint32)
            else:
                codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)[starts]
            kinds = np.full(starts.size, OTHER, np.uint8)
            kinds[(codes >= ord("0")) & (codes <= ord("9"))] = NUMBER
            kinds[(codes >= ord("A")) & (codes <= ord("Z"))] = CAPITALISED
            for place in np.flatnonzero(codes >= 0x80).tolist():
                character = chr(codes[place])
                if character.isdigit():
                    kinds[place] = NUMBER
                elif character.isupper():
                    kinds[place] = CAPITALISED
            self._kinds[row] = kinds
        return self._kinds[row]


@numba.njit(cache=True, nogil=True)
def _overlaps(
    values: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count what pairs of ascending sets share.

    Returns:
      shared: values in both sets of each pair.
      smaller: values of the smaller set.
      union: values in either; 1 where both are empty.
    """
    shared = np.zeros(left.size, np.int64)
    smaller = np.empty(left.size, np.int64)
    union = np.empty(left.size, np.int64)
    for k in range(left.size):
        i, i_end = offsets[left[k]], offsets[left[k] + 1]
        j, j_end = offsets[right[k]], offsets[right[k] + 1]
        sizes = i_end - i, j_end - j
        while i < i_end and j < j_end:
            mine, theirs = values[i], values[j]
            shared[k] += mine == theirs
            i += mine <= theirs
            j += theirs <= mine
        smaller[k] = min(sizes)
        union[k] = max(1, sizes[0] + sizes[1] - shared[k])
    return shared, smaller, union
