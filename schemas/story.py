"""The tables an analyst reads: articles, stories, furniture, changes."""

import pyarrow as pa

from schemas.article import TIMESTAMP
from schemas.fingerprint import FINGERPRINT

# How an article stands to the one in `matched_article_id`, closest first.
RELATIONS = (
    "canonical",
    "exact_copy",
    "near_copy",
    "partial_reprint",
    "wire_rewrite",
    "same_story",
    "follow_up",
)

ARTICLES = pa.schema(
    [
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("story_id", pa.string(), nullable=False),
        # Articles share it when one is a copy or partial reprint of the other.
        pa.field("duplicate_group_id", pa.string(), nullable=False),
        # One of RELATIONS. "canonical" of its story, which may be a story of one.
        pa.field("relation", pa.string(), nullable=False),
        # What the relation and the four numbers are towards; null for a canonical article.
        pa.field("matched_article_id", pa.string()),
        pa.field("jaccard", pa.float32()),
        pa.field("containment", pa.float32()),
        pa.field("cosine", pa.float32()),
        pa.field("story_score", pa.float32()),
        pa.field("url", pa.string()),
        pa.field("source", pa.string()),
        pa.field("title", pa.string()),
        # Without site furniture.
        pa.field("text", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        # Null when unknown or implausible.
        pa.field("published_at", TIMESTAMP),
        pa.field("word_count", pa.int32(), nullable=False),
        # Too little text, or one that is not that of the title: nobody's copy.
        pa.field("thin", pa.bool_(), nullable=False),
        # The text is not that of the title, as on a sign-in page: it tells of no event.
        pa.field("alien", pa.bool_(), nullable=False),
        pa.field("credited_source", pa.string()),
        pa.field("removed_word_count", pa.int32(), nullable=False),
        # What was mended: "repaired_encoding", "implausible_date", "unreadable_date",
        # "repeated_id".
        pa.field("notes", pa.list_(pa.string()), nullable=False),
        # Further fields of the input that were asked for, as a JSON object; null for none.
        pa.field("extra", pa.string()),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.articles", "version": "3"},
)

MEMBER = pa.struct(
    [
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("published_at", TIMESTAMP),
        pa.field("relation", pa.string(), nullable=False),
    ]
)

STORIES = pa.schema(
    [
        # Minted once from the story's first article; never changes.
        pa.field("story_id", pa.string(), nullable=False),
        pa.field("canonical_article_id", pa.string(), nullable=False),
        # Why that article speaks for the story, for a person.
        pa.field("canonical_reason", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("first_published_at", TIMESTAMP),
        pa.field("last_published_at", TIMESTAMP),
        pa.field("article_count", pa.int32(), nullable=False),
        # Distinct sources.
        pa.field("source_count", pa.int32(), nullable=False),
        # Distinct origins: ten sites with one agency text count as one.
        pa.field("independent_count", pa.int32(), nullable=False),
        pa.field("sources", pa.list_(pa.string()), nullable=False),
        pa.field("languages", pa.list_(pa.string()), nullable=False),
        # Words that tell this story from others, the most telling first; none in a run
        # without stories.
        pa.field("keywords", pa.list_(pa.string()), nullable=False),
        # Canonical first, then by time.
        pa.field("members", pa.list_(MEMBER), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.stories", "version": "1"},
)

# What was removed, by source, so that a wipe-out of a source is seen.
BOILERPLATE = pa.schema(
    [
        pa.field("source", pa.string()),
        # What the line says of itself ("ui", "share", ...), or "recurs" at its source,
        # "repeat" on its page, "page": beside the article on a whole page.
        pa.field("reason", pa.string(), nullable=False),
        # The line, or the commonest of the lines that differ in numbers alone.
        pa.field("line", pa.string(), nullable=False),
        pa.field("article_count", pa.int32(), nullable=False),
        pa.field("removed_word_count", pa.int64(), nullable=False),
        pa.field("example_article_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.boilerplate", "version": "1"},
)

CHANGE_KINDS = (
    "story_assigned",
    "story_merged",
    "canonical_changed",
    "copy_group_changed",
)

CHANGES = pa.schema(
    [
        # One of CHANGE_KINDS.
        pa.field("change", pa.string(), nullable=False),
        # The article that was assigned or speaks for the story now; null for a merge.
        pa.field("article_id", pa.string()),
        # The story as it is called after the change.
        pa.field("story_id", pa.string(), nullable=False),
        # What stood there before: the id of the story that is no more, or that the article
        # left; of the article that spoke; of the copy group the article was in. Null for a
        # new article.
        pa.field("previous_id", pa.string()),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.changes", "version": "1"},
)

# What the next run needs of every article, in place of its text. A run without stories
# leaves what only these need empty: terms, names, numbers, days and ages.
INDEX = pa.schema(
    [
        *FINGERPRINT,
        # Unit vector of title and lead; null where the article was not embedded.
        pa.field("vector", pa.list_(pa.float16())),
        # It stands for its copy group when stories are formed, or has no copies.
        pa.field("is_representative", pa.bool_(), nullable=False),
        pa.field("story_id", pa.string(), nullable=False),
        pa.field("duplicate_group_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.index", "version": "2"},
)

# What the next run needs of the lines of every article as it came, furniture included, to
# see what a source repeats from run to run.
LINES = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("source", pa.string()),
        # Days since 1970 of its date; null when the article has none.
        pa.field("published_day", pa.int32()),
        pa.field("title", pa.string()),
        # Hash of the name of an agency that its dateline gives; 0 for none.
        pa.field("agency_key", pa.uint64(), nullable=False),
        # Hashes of its lines in their order, but for those that are furniture on any page;
        # equal for lines that differ in case, marks and numbers alone.
        pa.field("line_keys", pa.list_(pa.uint64()), nullable=False),
        # Words of each line; 255 for more.
        pa.field("line_words", pa.list_(pa.uint8()), nullable=False),
        # The smallest hashes of runs of words of these lines, and from which line each is.
        pa.field("sketch", pa.list_(pa.uint32()), nullable=False),
        pa.field("sketch_lines", pa.list_(pa.uint8()), nullable=False),
    ],
    metadata={"schema": "newsdedup.lines", "version": "1"},
)
