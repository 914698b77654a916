"""What is known of an article once its text is gone: what is shuffled and compared.

Texts stay where they are; everything that decides which articles belong together reads
these rows. Hashes are 64-bit unless said otherwise.
"""

import pyarrow as pa

NUM_PERM = 128

# Everything both questions need to know of an article: is it the same text, the same event?
FINGERPRINT = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("credited_source", pa.string()),
        pa.field("language", pa.string(), nullable=False),
        # Seconds since 1970, UTC; null when the article has no date.
        pa.field("published", pa.int64()),
        # Days since 1970: the earliest of that date, the url's and "Posted: ..."; or null.
        pa.field("day", pa.int32()),
        pa.field("word_count", pa.int32(), nullable=False),
        pa.field("removed_word_count", pa.int32(), nullable=False),
        pa.field("has_title", pa.bool_(), nullable=False),
        pa.field("thin", pa.bool_(), nullable=False),
        # Hash of the words in order: equal for texts that differ in case and marks alone.
        pa.field("text_key", pa.uint64(), nullable=False),
        # MinHash, datasketch's "affine32"; all zero where the text has too few words.
        pa.field("signature", pa.list_(pa.uint32(), NUM_PERM), nullable=False),
        # Winnowed hashes of runs of words, ascending, distinct; none for such a one.
        pa.field("passage_keys", pa.list_(pa.uint64()), nullable=False),
        # Stems and numbers of title and text with their counts; ascending, distinct.
        pa.field("terms", pa.list_(pa.uint64()), nullable=False),
        pa.field("term_counts", pa.list_(pa.uint16()), nullable=False),
        # The same of title and first sentences alone.
        pa.field("lead_terms", pa.list_(pa.uint64()), nullable=False),
        pa.field("lead_term_counts", pa.list_(pa.uint16()), nullable=False),
        # Capitalised words that open no sentence: names of people, places, bodies.
        pa.field("names", pa.list_(pa.uint64()), nullable=False),
        pa.field("name_counts", pa.list_(pa.uint16()), nullable=False),
        pa.field("lead_names", pa.list_(pa.uint64()), nullable=False),
        pa.field("lead_name_counts", pa.list_(pa.uint16()), nullable=False),
        # Numbers of the text, ascending, distinct.
        pa.field("numbers", pa.list_(pa.uint64()), nullable=False),
        # Days since 1970 that the text places its event on; ascending, distinct.
        pa.field("event_days", pa.list_(pa.int32()), nullable=False),
        # Ages of people in years; ascending, distinct.
        pa.field("ages", pa.list_(pa.uint8()), nullable=False),
        pa.field("lead_ages", pa.list_(pa.uint8()), nullable=False),
    ],
    metadata={"schema": "newsdedup.fingerprint", "version": "1"},
)
