"""The evidence: which two articles were compared, what was found, what was decided."""

import pyarrow as pa

# Where a passage that two texts share stands in each, in characters of the cleaned text.
PASSAGE = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("matched_start", pa.int32(), nullable=False),
        pa.field("matched_end", pa.int32(), nullable=False),
    ]
)

MATCH = pa.schema(
    [
        pa.field("article_id", pa.string(), nullable=False),
        pa.field("matched_article_id", pa.string(), nullable=False),
        # "copy" or "story": which of the two questions was asked of the pair.
        pa.field("question", pa.string(), nullable=False),
        pa.field("accepted", pa.bool_(), nullable=False),
        # The relation that was accepted; null for a near miss.
        pa.field("relation", pa.string()),
        # The rule that decided, for a person: "containment 0.91 >= 0.70", "alien title".
        pa.field("rule", pa.string(), nullable=False),
        # Share of the two shingle sets' union that they have in common, 0 to 1.
        pa.field("jaccard", pa.float32()),
        # Share of the shorter article's shingles found in the longer one, 0 to 1.
        pa.field("containment", pa.float32()),
        # Of the two embeddings, -1 to 1; null where one was not embedded.
        pa.field("cosine", pa.float32()),
        # Probability that both tell the same event, 0 to 1; null if not asked.
        pa.field("story_score", pa.float32()),
        # From the first article's date to the second's, in days; null without both.
        pa.field("gap_days", pa.float32()),
        # The longest first; empty for a story match.
        pa.field("passages", pa.list_(PASSAGE), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.match", "version": "1"},
)

# Two articles that may be copies and were compared word by word. The first is the shorter.
COPY_EDGE = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("matched_key", pa.uint64(), nullable=False),
        # "exact_copy", "near_copy", "partial_reprint"; null for a near miss.
        pa.field("relation", pa.string()),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("jaccard", pa.float32(), nullable=False),
        pa.field("containment", pa.float32(), nullable=False),
    ],
    metadata={"schema": "newsdedup.copy_edge", "version": "1"},
)

# Two representatives and how likely they tell the same event. article_key < matched_key.
STORY_EDGE = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        pa.field("matched_key", pa.uint64(), nullable=False),
        # Probability of the same event, seen through the neighbours, 0 to 1.
        pa.field("story_score", pa.float32(), nullable=False),
        # Null where one of the two was not embedded.
        pa.field("cosine", pa.float32()),
    ],
    metadata={"schema": "newsdedup.story_edge", "version": "1"},
)

# What is kept of an edge until its row in `matches/` is written: names, and the gap.
_NAMES = (
    pa.field("article_id", pa.string(), nullable=False),
    pa.field("matched_article_id", pa.string(), nullable=False),
    # From the first article's date to the second's, in days; null without both.
    pa.field("gap_days", pa.float32()),
)
COPY_EVIDENCE = pa.schema(
    [*COPY_EDGE, *_NAMES, MATCH.field("passages")],
    metadata={"schema": "newsdedup.copy_evidence", "version": "1"},
)
STORY_EVIDENCE = pa.schema(
    [*STORY_EDGE, *_NAMES], metadata={"schema": "newsdedup.story_evidence", "version": "1"}
)
