"""Fingerprint: everything that is compared of an article, worked out in one pass.

Texts are long and are needed once more at the very end; what decides which articles belong
together is a few hundred numbers an article. This stage makes them all from one
tokenisation, so that nothing after it carries or reads a text.

What it loses: a signature estimates overlap (see `minhash`), passage keys miss shared runs
below 23 words (see `winnowing`), terms know no order and facts no context. Pairs that these
propose are verified on the texts themselves.
"""

import dataclasses

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, list_array
from schemas.fingerprint import FINGERPRINT, NUM_PERM
from transforms.ages import ages_of
from transforms.fact_words import read_facts
from transforms.facts import article_days, event_days
from transforms.marks import mark_tokens
from transforms.minhash import SEED, SHINGLE_SIZE, minhash_signatures
from transforms.numbers import number_hashes
from transforms.terms import LEAD_SENTENCES, MAX_WORDS, article_terms
from transforms.tokens import Tokens, shingle_hashes, text_keys, tokenize
from transforms.winnowing import PASSAGE_WORDS, WINDOW, passage_keys

MIN_WORDS = 25


def fingerprint_articles(
    cleaned: pa.RecordBatch,
    *,
    shingle_size: int = SHINGLE_SIZE,
    seed: int = SEED,
    passage_words: int = PASSAGE_WORDS,
    window: int = WINDOW,
    min_words: int = MIN_WORDS,
    max_words: int = MAX_WORDS,
    lead_sentences: int = LEAD_SENTENCES,
    stories: bool = True,
) -> pa.RecordBatch:
    """Make the fingerprint of each article.

    Args:
      cleaned: n rows of CLEANED.
      shingle_size: words a shingle of the signature.
      seed: chooses the signature's permutations.
      passage_words: words a run of the passage keys.
      window: runs of which one at least becomes a passage key.
      min_words: words under which a text is nobody's copy.
      max_words: words of an article whose terms are counted, title included.
      lead_sentences: sentences that make the lead, beside the title.
      stories: whether to read what only stories are formed by; without, `day` is null and
        the lists of terms, names, numbers, days and ages are empty.

    Returns:
      n rows of FINGERPRINT, in the same order.
    """
    own_tokens = tokenize(cleaned.column("text"))
    alien = column(cleaned, "alien").astype(bool)
    enough = column(cleaned, "word_count") >= min_words
    keep = ~column(cleaned, "thin").astype(bool) | (alien & enough)
    keep &= np.diff(own_tokens.offsets) > 0
    columns: dict[str, pa.Array | npt.NDArray[np.generic]] = {
        name: cleaned.column(name)
        for name in (
            "article_key",
            "article_id",
            "source",
            "credited_source",
            "language",
            "word_count",
            "removed_word_count",
            "thin",
        )
    }
    columns |= {
        "published": _seconds(cleaned.column("published_at")),
        "has_title": np.diff(tokenize(cleaned.column("title")).offsets) > 0,
        "text_key": text_keys(own_tokens),
        "signature": _signatures(own_tokens, keep, shingle_size, seed),
        "passage_keys": list_array(
            *_rows(*passage_keys(own_tokens, k=passage_words, window=window), keep)
        ),
    }
    if stories:
        columns |= _story_columns(
            cleaned, own_tokens, max_words=max_words, lead_sentences=lead_sentences
        )
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else _empty(field, cleaned.num_rows)
            for field in FINGERPRINT
        ],
        schema=FINGERPRINT,
    )


def _story_columns(
    cleaned: pa.RecordBatch, own_tokens: Tokens, *, max_words: int, lead_sentences: int
) -> dict[str, pa.Array | npt.NDArray[np.generic]]:
    """Read what tells of the event: terms, names, numbers, days, ages."""
    titles, texts = cleaned.column("title"), cleaned.column("text")
    text_tokens = own_tokens
    if column(cleaned, "alien").any():
        # A text that is not the article's says nothing of what happened, or when, or to
        # whom. It may still be a copy, of another one under the same title.
        texts = pc.if_else(cleaned.column("alien"), pa.scalar(""), texts)
        text_tokens = tokenize(texts)
    title_tokens = tokenize(titles)
    marked_titles = mark_tokens(titles, title_tokens)
    marked_texts = mark_tokens(texts, text_tokens)
    terms = article_terms(
        marked_titles,
        marked_texts,
        cleaned.column("language").to_pylist(),
        max_words=max_words,
        lead_sentences=lead_sentences,
    )
    title_facts, text_facts = read_facts(marked_titles), read_facts(marked_texts)
    days = article_days(cleaned.column("published_at"), cleaned.column("url"), text_facts)
    ages, lead_ages = ages_of(title_facts, text_facts)
    return {
        "day": days,
        "terms": list_array(terms.terms.terms, terms.terms.offsets),
        "term_counts": list_array(terms.terms.counts, terms.terms.offsets),
        "lead_terms": list_array(terms.lead_terms.terms, terms.lead_terms.offsets),
        "lead_term_counts": list_array(terms.lead_terms.counts, terms.lead_terms.offsets),
        "names": list_array(terms.names.terms, terms.names.offsets),
        "name_counts": list_array(terms.names.counts, terms.names.offsets),
        "lead_names": list_array(terms.lead_names.terms, terms.lead_names.offsets),
        "lead_name_counts": list_array(terms.lead_names.counts, terms.lead_names.offsets),
        "numbers": list_array(*number_hashes(marked_texts)),
        "event_days": list_array(*event_days(text_facts, days)),
        "ages": list_array(*ages),
        "lead_ages": list_array(*lead_ages),
    }


def _empty(field: pa.Field, count: int) -> pa.Array:
    """Fill a column that says nothing: nulls, or lists without a value."""
    if not pa.types.is_list(field.type):
        return pa.nulls(count, field.type)
    offsets = pa.array(np.zeros(count + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array([], field.type.value_type))


def _seconds(times: pa.Array) -> pa.Array:
    """Give times as whole seconds since 1970, UTC; null where there is none."""
    microseconds = times.cast(pa.int64())
    return pc.floor(pc.divide(microseconds.cast(pa.float64()), 1e6)).cast(pa.int64())


def _rows(
    values: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    keep: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Empty the lists that are not kept."""
    lengths = np.diff(offsets)
    kept = np.concatenate(([0], np.cumsum(np.where(keep, lengths, 0))))
    return values[np.repeat(keep, lengths)], kept


def _signatures(
    tokens: Tokens, keep: npt.NDArray[np.bool_], shingle_size: int, seed: int
) -> pa.FixedSizeListArray:
    """Sign the articles that are kept; the others' signatures are zero."""
    shingles, offsets = shingle_hashes(tokens, shingle_size)
    signatures = np.zeros((keep.size, NUM_PERM), np.uint32)
    # A text without a word has no shingle and no signature. Those of few words are signed
    # and emptied again: there are few, and to leave theirs out is to copy all others.
    worded = np.diff(offsets) > 0
    owners = np.concatenate(([0], offsets[1:][worded]))
    signatures[worded] = minhash_signatures(
        shingles.astype(np.uint32), owners, num_perm=NUM_PERM, seed=seed
    )
    signatures[~keep] = 0
    return pa.FixedSizeListArray.from_arrays(pa.array(signatures.reshape(-1)), NUM_PERM)


@dataclasses.dataclass(eq=False)
class FingerprintArticles(beam.PTransform):
    """Add the columns of FINGERPRINT to batches of CLEANED.

    Attributes: those of `fingerprint_articles`.
    """

    shingle_size: int = SHINGLE_SIZE
    seed: int = SEED
    passage_words: int = PASSAGE_WORDS
    window: int = WINDOW
    min_words: int = MIN_WORDS
    max_words: int = MAX_WORDS
    lead_sentences: int = LEAD_SENTENCES
    stories: bool = True

    def expand(
        self, batches: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Apply to a collection of batches."""
        return batches | "Fingerprint" >> beam.Map(self.fingerprint)

    def fingerprint(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give CLEANED rows with the columns of FINGERPRINT added."""
        prints = fingerprint_articles(batch, **dataclasses.asdict(self))
        new = [field for field in FINGERPRINT if field.name not in batch.schema.names]
        return pa.RecordBatch.from_arrays(
            batch.columns + [prints.column(field.name) for field in new],
            schema=pa.schema([*batch.schema, *new]),
        )
