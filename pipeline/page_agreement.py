"""What is left of pages whose segments a person judged.

A segment stands in a text if it does so once white space is folded. A segment that must
go may stand in the article, too ("31. May"), and then cannot be gone: shares below 1 are
not all mistakes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.copy_agreement import share
from pipeline.gold import Page, folded

LOST, LEFT = "lost", "left"


class Segment(NamedTuple):
    """A segment that was decided wrongly: LOST, though to keep, or LEFT, though to drop."""

    kind: str
    page_id: str
    segment: str
    # The rule that removed the segment's line, where one did; a page can lose a segment
    # by halves.
    reason: str | None


def page_scores(pages: Sequence[Page], texts: Mapping[str, str]) -> dict[str, Any]:
    """Score cleaned texts on judged segments.

    Args:
      pages: with their segments.
      texts: page -> its cleaned text; a page without one has lost everything.

    Returns:
      `kept`: the share of keep segments that are left, `gone`: the share of drop segments
      that are not; `balance`: their harmonic mean; and the numbers behind them.
    """
    keep = sum(len(page.keep) for page in pages)
    drop = sum(len(page.drop) for page in pages)
    wrong = [kind for kind, _, _ in _wrong(pages, texts)]
    kept = share(keep - wrong.count(LOST), keep)
    gone = share(drop - wrong.count(LEFT), drop)
    both = kept and gone and 2 * kept * gone / (kept + gone)
    return {
        "pages": len(pages),
        "kept": kept,
        "gone": gone,
        "balance": both,
        "keep_segments": keep,
        "lost": wrong.count(LOST),
        "drop_segments": drop,
        "left": wrong.count(LEFT),
    }


def page_mistakes(
    pages: Sequence[Page],
    texts: Mapping[str, str],
    removed: Mapping[str | None, Sequence[tuple[str, str]]],
    sources: Mapping[str, str | None],
) -> list[Segment]:
    """Give the segments that were decided wrongly, the lost ones first, then the longest.

    Args:
      pages: with their segments.
      texts: page -> its cleaned text.
      removed: source -> lines that were removed there, each with the rule that did it.
      sources: page -> its source.
    """
    found = []
    for kind, page, segment in _wrong(pages, texts):
        reason = None
        if kind == LOST:
            words = folded(segment)
            reason = next(
                (
                    rule
                    for rule, line in removed.get(sources.get(page.page_id), ())
                    if words in folded(line)
                ),
                None,
            )
        found.append(Segment(kind, page.page_id, segment, reason))
    return sorted(
        found,
        key=lambda one: (one.kind != LOST, -len(one.segment), one.page_id, one.segment),
    )


def _wrong(pages: Sequence[Page], texts: Mapping[str, str]) -> list[tuple[str, Page, str]]:
    found = []
    for page in pages:
        text = folded(texts.get(page.page_id, ""))
        found += [(LOST, page, one) for one in page.keep if folded(one) not in text]
        found += [(LEFT, page, one) for one in page.drop if folded(one) in text]
    return found
