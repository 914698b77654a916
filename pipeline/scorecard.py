"""An evaluation for a person at a terminal: the scores, then the worst mistakes."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.copy_agreement import NOT_FOUND, RELATIONS, SAME_GROUP
from pipeline.page_agreement import LEFT, LOST

WORST = 20
_PIPED_WIDTH = 140
_LEAST_TITLE = 20
_STORY_HEADERS = (
    "B³ prec",
    "recall",
    "F1",
    "ARI",
    "pair prec",
    "recall",
    "F1",
    "stories",
    "of several",
    "largest",
)
_NUMBERS = {"score": "story_score", "share": "containment", "jaccard": "jaccard"}

Result = Mapping[str, Any]
Notes = Callable[[Result], str]


def print_evaluation(result: Result) -> None:
    """Print the scores of an evaluation, and the worst mistakes of each kind."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)
    if "articles" in result:
        console.print(Text(_about(result)))
    if "stories" in result:
        _print_stories(console, result)
    if "pairs" in result:
        _print_pairs(console, result)
    if "skipped" in (baselines := result.get("baselines", {})):
        console.print(Text(f"no simple methods: {baselines['skipped']}"))
    if "planted" in result:
        _print_planted(console, result["planted"])
    if "pages" in result:
        _print_pages(console, result["pages"])


def _about(result: Result) -> str:
    counts = result["articles"]
    half = "" if result["half"] == "all" else f"the {result['half']} half: "
    parts = [f"{half}{counts['labelled']:,} articles"]
    if counts["background"]:
        parts.append(f"{counts['background']:,} of background")
    if counts["rejected"]:
        parts.append(f"{counts['rejected']:,} rejected")
    parts.append(f"{counts['scored']:,} with a gold story")
    return ", ".join(parts)


def _print_stories(console: Console, result: Result) -> None:
    stories = result["stories"]
    table = _table("stories", *_STORY_HEADERS)
    table.columns[0].min_width = len("newsdedup")
    table.add_row(
        "gold",
        *["—"] * 7,
        *(f"{number:,}" for number in stories["gold"].values()),
    )
    table.add_row("newsdedup", *_story_cells(stories))
    for name, scores in _baselines(result, "stories"):
        at = f", cut at {scores['best_cosine']}" if "best_cosine" in scores else ""
        table.add_row(name + at, *_story_cells(scores))
    console.print(table)
    _print_articles(
        console, stories["mistakes"], "mistakes that cost most articles", _story_note
    )


def _story_cells(scores: Result) -> list[str]:
    measures = [
        *scores["bcubed"].values(),
        scores["adjusted_rand"],
        *scores["pairwise"].values(),
    ]
    return [*map(_share, measures), *(f"{number:,}" for number in scores["found"].values())]


def _print_pairs(console: Console, result: Result) -> None:
    pairs = result["pairs"]
    labels = ", ".join(f"{number:,} {label}" for label, number in pairs["pairs"].items())
    table = _table(labels, "precision", "recall", "right", "false", "missed")
    rows = [
        ("newsdedup, after grouping", pairs["after_grouping"]),
        ("newsdedup, pair by pair", pairs["compared"]),
        ("newsdedup, parts with them", pairs["copy_groups"]),
    ]
    for name, scores in _baselines(result, "pairs"):
        at = f", cosine {scores['cosine']}" if "cosine" in scores else ""
        rows.append((name + at, scores))
    for name, scores in _baselines(result, "pairs_at_best"):
        rows.append((f"{name}, cosine {scores['best_cosine']}, its best", scores))
    for name, scores in rows:
        table.add_row(
            name,
            *(_share(scores[key]) for key in ("precision", "recall")),
            *(f"{scores[key]:,}" for key in ("right", "false", "missed")),
        )
    console.print(table)
    if pairs["pairs"].get("contained"):
        table = _relation_table("labelled")
        number = pairs["pairs"]["contained"]
        table.add_row(f"{number:,} x contained", *_found(pairs["contained"]))
        console.print(table)
    _print_articles(console, pairs["mistakes"], "wrong pairs", _pair_note)


def _print_planted(console: Console, planted: Result) -> None:
    table = _relation_table("planted")
    for kind, found in planted["copies"].items():
        table.add_row(f"{found['planted']:,} x {kind}", *_found(found))
    console.print(table)
    notices = planted["notices"]
    console.print(
        Text(
            f"of {notices['notices']:,} notices of one template with other facts, "
            f"{notices['pairs_taken_for_copies']:,} pairs were taken for copies"
        )
    )
    _print_articles(console, planted["mistakes"], "wrong", _pair_note)


def _print_pages(console: Console, pages: Result) -> None:
    table = _table("pages", "kept of keep", "gone of drop", "balance", "lost", "left")
    table.add_row(
        f"{pages['pages']:,}",
        *(_share(pages[name]) for name in ("kept", "gone", "balance")),
        f"{pages['lost']:,} of {pages['keep_segments']:,}",
        f"{pages['left']:,} of {pages['drop_segments']:,}",
    )
    console.print(table)
    for kind, what in ((LOST, "lost, to keep"), (LEFT, "left, to drop")):
        wrong = [one for one in pages["mistakes"] if one["kind"] == kind]
        if not wrong:
            continue
        console.print(Text(_heading(wrong, what, WORST // 2), style="bold"))
        console.print()
        for one in wrong[: WORST // 2]:
            rule = f"  {one['rule']}" if one["rule"] else ""
            page = f"  {_one_line(one['page'])}"
            left = console.width - 2 - cell_len(rule) - cell_len(page)
            console.print(
                Text.assemble("  ", _cut(one["segment"], left), rule, (page, "dim"))
            )
        console.print()


def _print_articles(
    console: Console, mistakes: Sequence[Result], what: str, notes: Notes
) -> None:
    """Print mistakes about two articles each: what went wrong, then a line an article."""
    if not mistakes:
        return
    console.print(Text(_heading(mistakes, what), style="bold"))
    console.print()
    for one in mistakes[:WORST]:
        console.print(Text(notes(one)))
        for article in one["articles"]:
            _print_article(console, article)
    console.print()


def _print_article(console: Console, article: Mapping[str, str | None]) -> None:
    """Print day, source, title and id; the title gives way where the line is too long."""
    day, source = article["day"] or "—", _one_line(article["source"] or "—")
    before, after = f"  {day:<10}  {source}  ", f"  {_one_line(article['id'] or '')}"
    title = _cut(article["title"] or "", console.width - cell_len(before) - cell_len(after))
    console.print(Text.assemble(before, title, (after, "dim")))


def _cut(text: str, width: int) -> Text:
    """Cut a text to a width, but not to less than tells what it is."""
    cut = Text(_one_line(text))
    cut.truncate(max(width, _LEAST_TITLE), overflow="ellipsis")
    return cut


def _one_line(text: str) -> str:
    """Fold white space, and leave out what a terminal would obey."""
    return " ".join("".join(map(_printable, text)).split())


def _printable(character: str) -> str:
    return character if character.isprintable() or character.isspace() else ""


def _heading(mistakes: Sequence[Result], what: str, most: int = WORST) -> str:
    return f"{what}: {min(most, len(mistakes))} of {len(mistakes):,}"


def _story_note(mistake: Result) -> str:
    sizes = " and ".join(map(str, mistake["sizes"]))
    stories = " | ".join(mistake["gold_stories"])
    found = _found_of(mistake["evidence"])
    return f"{mistake['kind']} {sizes}, cost {mistake['cost']:.1f}: {found} ({stories})"


def _pair_note(mistake: Result) -> str:
    return f"{mistake['kind']}: {_found_of(mistake['evidence'])}"


def _found_of(evidence: Result | None) -> str:
    """Say in a few words what `matches/` holds of a pair."""
    if evidence is None:
        return "never compared"
    numbers = [
        f"{name} {evidence[column]:.2f}"
        for name, column in _NUMBERS.items()
        if evidence[column] is not None
    ]
    if evidence["question"] == "story":
        found = "together" if evidence["accepted"] else "apart"
    else:
        found = (evidence["relation"] or "no copy").replace("_", " ")
    return ", ".join([found, *numbers])


def _baselines(result: Result, what: str) -> list[tuple[str, Result]]:
    methods = result.get("baselines", {})
    if "skipped" in methods:
        return []
    return [(name, scores[what]) for name, scores in methods.items() if what in scores]


def _relation_table(name: str) -> Table:
    return _table(
        name,
        "found",
        *(one.replace("_", " ") for one in (*RELATIONS, SAME_GROUP, NOT_FOUND)),
    )


def _found(scores: Result) -> Iterable[str]:
    counts = (f"{scores[one]:,}" for one in (*RELATIONS, SAME_GROUP, NOT_FOUND))
    return [_share(scores["found"]), *counts]


def _table(*headers: str) -> Table:
    table = Table(*headers, box=box.SIMPLE, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
