"""What a run says of labelled pairs: same text, one inside the other, or neither.

A `duplicate_group_id` is shared by copies and by partial reprints. So the groups of one
text are made again here, from the exact and near copies in `matches/` whose two articles
are in one group: "after grouping" is what follows if copying is taken to be transitive,
which is what a reader of the tables does.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipeline.gold import Pair
from pipeline.show import read_table

SAME_TEXT = ("exact_copy", "near_copy")
RELATIONS = (*SAME_TEXT, "partial_reprint")
SAME_GROUP, NOT_FOUND = "same_group", "not_found"


@dataclasses.dataclass(frozen=True)
class Copies:
    """The copies that a run found.

    Attributes:
      groups: `duplicate_group_id` of every article.
      texts: article -> an article of the same text; no entry: nobody shares its text.
      relations: accepted pairs of ids, the lower first -> one of RELATIONS.
    """

    groups: Mapping[str, str]
    texts: Mapping[str, str]
    relations: Mapping[tuple[str, str], str]

    def same_text(self, a: str, b: str) -> bool:
        """Say whether two articles are one text, directly or through others."""
        return a == b or (a in self.texts and self.texts[a] == self.texts.get(b))

    def same_group(self, a: str, b: str) -> bool:
        """Say whether two articles share a `duplicate_group_id`."""
        return a in self.groups and self.groups[a] == self.groups.get(b)

    def relation(self, a: str, b: str) -> str:
        """Give the accepted relation of a pair, else SAME_GROUP or NOT_FOUND."""
        if relation := self.relations.get((min(a, b), max(a, b))):
            return relation
        return SAME_GROUP if self.same_group(a, b) else NOT_FOUND


def read_copies(output: str) -> Copies:
    """Read the copies that a run found from its tables."""
    articles = read_table(output, "articles", ["article_id", "duplicate_group_id"])
    groups = dict(
        zip(
            articles.column("article_id").to_pylist(),
            articles.column("duplicate_group_id").to_pylist(),
            strict=True,
        )
    )
    names = ["article_id", "matched_article_id", "question", "relation"]
    matches = read_table(output, "matches", names).to_pylist()
    return copies_of(groups, matches)


def copies_of(groups: Mapping[str, str], matches: Iterable[Mapping[str, Any]]) -> Copies:
    """Make groups of one text from rows of `matches/`.

    Args:
      groups: article -> `duplicate_group_id`.
      matches: rows with article_id, matched_article_id, question and relation.
    """
    relations: dict[tuple[str, str], str] = {}
    links: dict[str, set[str]] = defaultdict(set)
    for match in matches:
        if match["question"] != "copy" or match["relation"] not in RELATIONS:
            continue
        a, b = sorted((match["article_id"], match["matched_article_id"]))
        relations[a, b] = match["relation"]
        if match["relation"] in SAME_TEXT and groups.get(a) == groups.get(b):
            links[a].add(b)
            links[b].add(a)
    return Copies(groups, _connected(links), relations)


def _connected(links: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Give the first article of every article's connected group."""
    first: dict[str, str] = {}
    for start in sorted(links):
        waiting = [start]
        while waiting:
            article = waiting.pop()
            if article not in first:
                first[article] = start
                waiting.extend(links[article])
    return first


def score_pairs(
    pairs: Sequence[Pair], same_text: Callable[[str, str], bool]
) -> dict[str, Any]:
    """Score the pairs that are labelled dup or not.

    Args:
      pairs: labelled pairs; those of other labels do not count.
      same_text: says whether two articles are predicted to be one text.

    Returns:
      `precision` and `recall`, null where nothing was found or nothing was to find,
      and `right`, `false` and `missed` pairs in numbers.
    """
    found = Counter(
        (pair.label, same_text(pair.a, pair.b))
        for pair in pairs
        if pair.label != "contained"
    )
    right, false = found["dup", True], found["not", True]
    missed = found["dup", False]
    return {
        "precision": share(right, right + false),
        "recall": share(right, right + missed),
        "right": right,
        "false": false,
        "missed": missed,
    }


def pair_scores(pairs: Sequence[Pair], copies: Copies) -> dict[str, Any]:
    """Score a run on labelled pairs.

    Returns:
      `pairs`: how many of each label. As `score_pairs` gives, `after_grouping`: of the
      groups of one text; `compared`: of the pairs accepted as copies one by one;
      `copy_groups`: of `duplicate_group_id`, which partial reprints share, too.
      `contained`: `found`, a share, and the relation that was found of how many.
    """
    relations = {(pair.a, pair.b): copies.relation(pair.a, pair.b) for pair in pairs}
    contained = Counter(
        relations[pair.a, pair.b] for pair in pairs if pair.label == "contained"
    )
    number = contained.total()
    return {
        "pairs": dict(sorted(Counter(pair.label for pair in pairs).items())),
        "after_grouping": score_pairs(pairs, copies.same_text),
        "compared": score_pairs(pairs, lambda a, b: relations[a, b] in SAME_TEXT),
        "copy_groups": score_pairs(pairs, copies.same_group),
        "contained": {
            "found": share(number - contained[NOT_FOUND], number),
            **{
                relation: contained[relation]
                for relation in (*RELATIONS, SAME_GROUP, NOT_FOUND)
            },
        },
    }


def pair_mistakes(pairs: Sequence[Pair], copies: Copies) -> list[tuple[str, Pair]]:
    """Give the pairs that were decided wrongly: what went wrong, and the pair.

    False copies come first: a text that is lost in another is worse than one too many.
    Last come copies that share a group but are held to be partial reprints.
    """
    found = []
    for pair in pairs:
        same = copies.same_text(pair.a, pair.b)
        relation = copies.relation(pair.a, pair.b)
        if pair.label == "not" and same:
            found.append((0, "false copy", pair))
        elif pair.label == "dup" and not same and relation == NOT_FOUND:
            found.append((1, "missed copy", pair))
        elif pair.label == "contained" and relation == NOT_FOUND:
            found.append((2, "missed contained", pair))
        elif pair.label == "dup" and not same:
            found.append((3, "copy taken for a part", pair))
    return [(kind, pair) for _, kind, pair in sorted(found)]


def share(part: int, whole: int) -> float | None:
    """Give part / whole; null where there is no whole."""
    return part / whole if whole else None
