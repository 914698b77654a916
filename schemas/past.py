"""What a run is told of the articles that the output folder holds already."""

import pyarrow as pa

from schemas.story import ARTICLES, INDEX

# One row an article that an earlier run wrote, whatever its age; ascending by article_key.
LEDGER = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Seconds since 1970, UTC; null when the article has no date.
        pa.field("published", pa.int64()),
        pa.field("word_count", pa.int32(), nullable=False),
        # Key of the article that its copy group is named after, and of that of its story.
        pa.field("group_key", pa.uint64(), nullable=False),
        pa.field("story_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.ledger", "version": "1"},
)

# What a stream has decided of an article so far; ascending by article_key.
STANDING = pa.schema(
    [
        *LEDGER,
        ARTICLES.field("article_id"),
        # 64-bit hash of title and text: an article that comes again has the same.
        pa.field("content_key", pa.uint64(), nullable=False),
        # Who stands for its copy group when stories are formed.
        pa.field("representative_key", pa.uint64(), nullable=False),
        ARTICLES.field("story_id"),
        ARTICLES.field("duplicate_group_id"),
        ARTICLES.field("relation"),
    ],
    metadata={"schema": "newsdedup.standing", "version": "1"},
)

# The same, as a stream writes it.
PLACEMENTS = pa.schema(
    [
        *STANDING,
        # The window since which this is so.
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.placements", "version": "1"},
)

# Articles that are looked up: the keys of some, ascending.
KEYS = pa.schema(
    [pa.field("article_key", pa.uint64(), nullable=False)],
    metadata={"schema": "newsdedup.keys", "version": "1"},
)

# The vectors of articles that were embedded.
VECTOR = pa.schema([INDEX.field("article_key"), INDEX.field("vector")])

# The same of articles that had been placed before, as a stream writes them.
VECTORS = pa.schema(
    [
        *VECTOR,
        PLACEMENTS.field("run_id"),
    ],
    metadata={"schema": "newsdedup.vectors", "version": "1"},
)

# What a stream has learnt to recur; ascending by both keys.
LEARNT = pa.schema(
    [
        # Hash of the source, or a number that says of what the other key is.
        pa.field("source_key", pa.uint64(), nullable=False),
        # Hash of the words of a line, of a whole text, or of the name of an agency.
        pa.field("line_key", pa.uint64(), nullable=False),
        # It was learnt then, or seen since.
        PLACEMENTS.field("run_id"),
    ],
    metadata={"schema": "newsdedup.learnt", "version": "1"},
)

# The rows that a stream has rejected; ascending by row_key.
REFUSED = pa.schema(
    [
        # Hash of the message and of the position in it.
        pa.field("row_key", pa.uint64(), nullable=False),
        # It came then for the first time.
        PLACEMENTS.field("run_id"),
    ],
    metadata={"schema": "newsdedup.refused", "version": "1"},
)
