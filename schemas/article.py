"""The input: a row as read, an article as parsed and as cleaned, and a rejected row."""

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

# One row as it was found in a file. Nothing is judged yet; every text may be null.
RAW = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        # 1-based: line of a JSON lines file, row of a Parquet file; 1 for a whole file.
        pa.field("position", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("source", pa.string()),
        # As written in the input; parsing makes it a time.
        pa.field("published_at", pa.string()),
        pa.field("title", pa.string()),
        pa.field("text", pa.string()),
        pa.field("html", pa.string()),
        pa.field("language", pa.string()),
        # What else of the input is to be kept, as a JSON object; null without any.
        pa.field("extra", pa.string()),
        # The bytes were not UTF-8 and were read as another encoding.
        pa.field("repaired", pa.bool_(), nullable=False),
    ],
    metadata={"schema": "newsdedup.raw", "version": "2"},
)

# An article: it has an id, a title or a text, and what is known of its origin.
ARTICLE = pa.schema(
    [
        # 64-bit hash of article_id: what is shuffled and compared instead of it.
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        # Registrable domain of the url where the input names no source; null without both.
        pa.field("source", pa.string()),
        # Null when unknown or implausible: such an article is compared without a time gap.
        pa.field("published_at", TIMESTAMP),
        pa.field("title", pa.string()),
        # As scraped, furniture included, lines separated by "\n"; "" for a headline alone.
        pa.field("text", pa.string(), nullable=False),
        # ISO 639-1 code; "und" where the text is too short to tell.
        pa.field("language", pa.string(), nullable=False),
        # 64-bit hash of title and text, white space folded: equal for equal content.
        pa.field("content_key", pa.uint64(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        # What was mended: "repaired_encoding", "implausible_date", "unreadable_date",
        # "repeated_id".
        pa.field("notes", pa.list_(pa.string()), nullable=False),
        # What else of the input is to be kept, as a JSON object; null without any.
        pa.field("extra", pa.string()),
    ],
    metadata={"schema": "newsdedup.article", "version": "2"},
)

# An article whose text holds the article alone.
CLEANED = pa.schema(
    [
        *ARTICLE,
        # Who is credited with the text ("Reuters", "The Washington Post"); null if nobody.
        pa.field("credited_source", pa.string()),
        # Words of `text`, by the tokens of transforms/tokens.py.
        pa.field("word_count", pa.int32(), nullable=False),
        # Words that were removed as furniture.
        pa.field("removed_word_count", pa.int32(), nullable=False),
        # Too little text is left, or the text is not that of the title: it tells of no
        # event, and of too few words it is nobody's copy.
        pa.field("thin", pa.bool_(), nullable=False),
        # The text is not that of the title, as on a sign-in page: it tells of no event.
        pa.field("alien", pa.bool_(), nullable=False),
    ],
    metadata={"schema": "newsdedup.cleaned", "version": "2"},
)

# A line, or a passage within one, that was removed from an article.
REMOVED = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        # The rule: "ui", "date", "prompt", "caption", "byline", "recurs", "repeat", ...
        pa.field("reason", pa.string(), nullable=False),
        pa.field("line", pa.string(), nullable=False),
        pa.field("word_count", pa.int32(), nullable=False),
    ],
    metadata={"schema": "newsdedup.removed", "version": "1"},
)

# A row that could not become an article, and why.
REJECT = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("article_id", pa.string()),
        # One of REJECT_REASONS.
        pa.field("reason", pa.string(), nullable=False),
        # The particulars, for a person: what was found, what was expected.
        pa.field("detail", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.reject", "version": "1"},
)

REJECT_REASONS = (
    "broken_json",
    "wrong_type",
    "no_text",
    "undecodable",
    "truncated",
    "too_long",
    "unreadable_file",
    "repeated_id",
)

# An article as a stream received it: what a later run reads as its input.
RECEIVED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(
            ARTICLE.field(name)
            for name in (
                "url",
                "source",
                "published_at",
                "title",
                "text",
                "language",
                "extra",
            )
        ),
        # The window that it came in.
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.received", "version": "2"},
)
