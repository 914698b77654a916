"""How two articles of one story stand to each other: rewrite of a wire, follow-up, or peer.

A copy is told by its words. A wire report that another outlet has put into its own words
keeps none of them, but it keeps the order of the telling: sentence after sentence means
the same. So sentences are aligned by meaning, and what counts is how many of them pair up
and whether the pairs run in the same order in both texts. Quotations are left out: every
outlet quotes the minister in the same words.

Embedding sentences is dear, so a pair is first aligned by the sums of their token
embeddings, which cost next to nothing, and looked at closely only where that says that
the sentences may pair up in order.
"""

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# A sentence ends at a mark followed by space and a capital, digit or quotation mark, or at
# a full-width mark, which no space follows.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…][\"'”’)])\s+|(?<=[.!?…])\s+(?=\W*[^\W_a-z])|(?<=[。！？])|\n+"
)
_QUOTATION = re.compile(
    r"“[^”\n]{1,2000}”|\"[^\"\n]{1,2000}\"|«[^»\n]{1,2000}»|„[^“\n]{1,2000}“|「[^」\n]{1,2000}」"
)
_WORD = re.compile(r"\w+")
# Shorter sentences are subheads and attributions, alike in any two articles.
_MIN_SENTENCE_WORDS = 6


def sentences(text: str) -> list[str]:
    """Split a text into its sentences.

    >>> sentences("The dam broke. “Run,” he said. 3 died.")
    ['The dam broke.', '“Run,” he said.', '3 died.']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def without_quotations(text: str) -> str:
    """Give the text without what stands in quotation marks.

    >>> without_quotations("He said “never” and left.")
    'He said   and left.'
    """
    return _QUOTATION.sub(" ", text)


def content_sentences(text: str) -> list[str]:
    """Give the sentences, free of quotations, that are long enough to mean something."""
    return [
        sentence
        for sentence in sentences(without_quotations(text))
        if len(_WORD.findall(sentence)) >= _MIN_SENTENCE_WORDS
        # A script without spaces has few words by that count and many characters.
        or (len(sentence) >= 15 and not sentence.isascii() and " " not in sentence)
    ]


class RewriteRule(NamedTuple):
    """What makes two reports of a story rewrites of one."""

    # Reports further apart are not compared.
    max_gap_hours: float = 48.0
    # Of two sentences that mean the same.
    min_cosine: float = 0.6
    min_pairs: int = 6
    min_share: float = 0.45
    min_order: float = 0.7
    # Sentences of a text that are aligned, and earlier reports that one is aligned with.
    max_sentences: int = 60
    max_reports: int = 300


class FollowUpRule(NamedTuple):
    """What makes a report of a story a follow-up."""

    # Hours after the story's first report.
    hours: float = 30.0
    # Share of the lead's terms that the first report does not have, 0 to 1.
    min_novelty: float = 0.45


class Alignment(NamedTuple):
    """Sentences of two texts that are each other's nearest."""

    pairs: int
    # Pairs over the sentences of the text that has fewer, 0 to 1.
    share: float
    # Spearman correlation of where the pairs stand in either text, -1 to 1.
    order: float


def align(
    left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], *, min_cosine: float
) -> Alignment:
    """Pair the sentences of two texts that are each other's nearest by meaning.

    Args:
      left: shape (m, d), unit vectors of the sentences of one text in their order.
      right: shape (n, d), of the other.
      min_cosine: below it, two nearest sentences still do not mean the same.
    """
    if not len(left) or not len(right):
        return Alignment(0, 0.0, 0.0)
    cosines = left @ right.T
    nearest = cosines.argmax(axis=1)
    rows = np.arange(len(left))
    mutual = (cosines.argmax(axis=0)[nearest] == rows) & (
        cosines[rows, nearest] >= min_cosine
    )
    pairs = int(mutual.sum())
    share = pairs / min(len(left), len(right))
    if pairs < 2:
        return Alignment(pairs, share, 0.0)
    # Both sides of a mutual pair are distinct, so ranks have no ties.
    ranks = np.argsort(np.argsort(nearest[mutual]))
    difference = np.arange(pairs) - ranks
    order = 1 - 6 * float((difference**2).sum()) / (pairs * (pairs**2 - 1))
    return Alignment(pairs, share, order)


def may_be_rewrite(glance: Alignment, rule: RewriteRule) -> bool:
    """Tell from an alignment by token embeddings whether a closer one is worth its cost."""
    return (
        glance.pairs >= rule.min_pairs
        and glance.share >= rule.min_share - 0.05
        and glance.order >= 0.5
    )


def is_wire_rewrite(alignment: Alignment, rule: RewriteRule) -> bool:
    """Tell whether two texts tell the same things in the same order.

    >>> is_wire_rewrite(Alignment(8, 0.5, 0.96), RewriteRule())
    True
    """
    return (
        alignment.pairs >= rule.min_pairs
        and alignment.share >= rule.min_share
        and alignment.order >= rule.min_order
    )


def novelty(
    lead_terms: npt.NDArray[np.uint64], known_terms: npt.NDArray[np.uint64]
) -> float:
    """Give the share of an article's lead terms that an earlier article does not have.

    Returns:
      0 to 1; 0 for an article without lead terms.
    """
    if not len(lead_terms):
        return 0.0
    return float(1 - np.isin(lead_terms, known_terms).mean())
