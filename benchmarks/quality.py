"""The tables of docs/quality.md: every labelled set through the default pipeline.

    python benchmarks/quality.py DATA --output build/quality

DATA holds a folder a set: `gva`, `ecbplus`, `helsinki` with `articles.jsonl.gz` and
`dup_pairs.jsonl.gz`, `allsides` with `labelled.jsonl.gz` and `background.jsonl.gz`,
`extraction` with `pages.jsonl.gz`; see docs/quality.md for where they come from. Stories
and pages are scored on the halves that no setting was fitted to. Each part is evaluated
as `newsdedup evaluate` does it; what is in the output folder already is not run again.
"""

import argparse
import json
import pathlib
import platform
import time
from collections.abc import Callable
from typing import Any

from pipeline.config import Config
from pipeline.evaluate import evaluate, write_result

Result = dict[str, Any]

# Copies were never fitted to, so their pairs are scored on whole sets.
STORIES = ("gva", "allsides", "ecbplus")
PAIRS = ("helsinki", "gva", "allsides", "ecbplus")
_PLANTED = 150


def parts(data: pathlib.Path) -> dict[str, Callable[[], Result]]:
    """Give what is evaluated, by name."""
    config = Config()

    def gold(name: str) -> pathlib.Path:
        file = "labelled" if name == "allsides" else "articles"
        return data / name / f"{file}.jsonl.gz"

    def stories(name: str) -> Result:
        return evaluate(
            gold=gold(name), half="second", baselines=True, config=config, quiet=True
        )

    def pairs(name: str) -> Result:
        # Labelled pairs of allsides join articles of both its files.
        more = [data / "allsides" / "background.jsonl.gz"] if name == "allsides" else []
        return evaluate(
            gold=gold(name),
            background=more,
            pairs=data / name / "dup_pairs.jsonl.gz",
            baselines=not more,
            config=Config(stories=False),
            quiet=True,
        )

    def inside() -> Result:
        return evaluate(
            gold=gold("allsides"),
            background=[data / "allsides" / "background.jsonl.gz"],
            half="second",
            config=config,
            quiet=True,
        )

    def planted() -> Result:
        return evaluate(
            gold=gold("gva"), planted=_PLANTED, config=Config(stories=False), quiet=True
        )

    def pages() -> Result:
        file = data / "extraction" / "pages.jsonl.gz"
        return evaluate(pages=file, half="second", config=config, quiet=True)

    def without(name: str) -> Result:
        return evaluate(
            gold=gold(name), half="second", config=Config(embedding="none"), quiet=True
        )

    return {
        **{f"stories {name}": (lambda name=name: stories(name)) for name in STORIES},
        **{f"no embedding {name}": (lambda name=name: without(name)) for name in STORIES},
        **{f"pairs {name}": (lambda name=name: pairs(name)) for name in PAIRS},
        "pages extraction": pages,
        "planted gva": planted,
        "inside allsides": inside,
    }


def measured(
    name: str,
    evaluated: Callable[[], Result],
    folder: pathlib.Path,
    found: Result,
    *,
    resume: bool,
) -> None:
    """Evaluate one part, or take its earlier result; put it among those found."""
    file = folder / f"{name.replace(' ', '-')}.json"
    if not (resume and file.exists()):
        started = time.monotonic()
        write_result(evaluated(), file)
        print(f"{name}: {time.monotonic() - started:,.0f} seconds", flush=True)
    found[name] = json.loads(file.read_text(encoding="utf-8"))


def story_table(found: Result) -> list[str]:
    """Give B-cubed and the rest by set and method."""
    lines = [
        "| set | method | B³ precision | recall | F1 | ARI | pairs | stories | largest |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, result in found.items():
        kind, _, labelled = name.partition(" ")
        if kind == "pairs" or "stories" not in result:
            continue
        title = {"stories": labelled, "inside": f"{labelled} inside its background"}
        methods = {"newsdedup": result["stories"]}
        for method, scores in result.get("baselines", {}).items():
            methods[method] = scores["stories"]
        if kind == "no":
            methods = {"newsdedup, `--embedding none`": result["stories"]}
            labelled = labelled.removeprefix("embedding ")
        for method, scores in methods.items():
            cut = scores.get("best_cosine")
            cells = [
                title.get(kind, labelled),
                method + (f", cut at its best, {cut:.2f}" if cut is not None else ""),
                *(f"{scores['bcubed'][key]:.3f}" for key in ("precision", "recall", "f1")),
                f"{scores['adjusted_rand']:.3f}",
                f"{scores['pairwise']['f1']:.3f}",
                f"{scores['found']['groups']} of {result['stories']['gold']['groups']}",
                f"{scores['found']['largest']} of {result['stories']['gold']['largest']}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def pair_table(found: Result) -> list[str]:
    """Give precision and recall of labelled pairs by set and method."""
    lines = [
        "| set | method | precision | recall | right | false | missed | contained found |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]

    def row(name: str, method: str, scores: Result, contained: str = "") -> str:
        shares = [
            "-" if scores[key] is None else f"{scores[key]:.3f}"
            for key in ("precision", "recall")
        ]
        counts = [str(scores[key]) for key in ("right", "false", "missed")]
        return "| " + " | ".join([name, method, *shares, *counts, contained]) + " |"

    for name, result in found.items():
        if "pairs" not in result:
            continue
        name = name.partition(" ")[2]
        pairs = result["pairs"]
        count = pairs["pairs"].get("contained", 0)
        contained = f"{pairs['contained']['found']:.3f} of {count}" if count else ""
        ways = {
            "newsdedup, after grouping": pairs["after_grouping"],
            "newsdedup, parts with them": pairs["copy_groups"],
        }
        lines += [row(name, way, scores, contained) for way, scores in ways.items()]
        for method, scores in result.get("baselines", {}).items():
            lines.append(row(name, method, scores["pairs"]))
    return lines


def other_tables(found: Result) -> list[str]:
    """Give what was found of planted copies, and of the segments of pages."""
    planted = found["planted gva"]["planted"]
    lines = ["| planted | found | as |", "| --- | ---: | --- |"]
    for kind, scores in planted["copies"].items():
        kinds = ("exact_copy", "near_copy", "partial_reprint")
        told = ", ".join(f"{scores[name]} {name}" for name in kinds if scores[name])
        lines.append(f"| {scores['planted']} x {kind} | {scores['found']:.3f} | {told} |")
    notices = planted["notices"]
    lines += [
        "",
        f"Of {notices['notices']} notices of one template with other facts, "
        f"{notices['pairs_taken_for_copies']} pairs were taken for copies.",
        "",
    ]
    pages = found["pages extraction"]["pages"]
    shown = {key: value for key, value in pages.items() if not isinstance(value, list)}
    return [*lines, "Pages: " + json.dumps(shown)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path("build/quality")
    )
    parser.add_argument("--only", nargs="*", help="names of parts")
    parser.add_argument(
        "--resume", action="store_true", help="take results that lie in the output folder"
    )
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    found: Result = {}
    for name, evaluated in parts(given.data).items():
        if not given.only or name in given.only:
            measured(name, evaluated, given.output, found, resume=given.resume)
    print(f"\n{platform.machine()}, Python {platform.python_version()}\n")
    lines = [*story_table(found), "", *pair_table(found), ""]
    if {"planted gva", "pages extraction"} <= set(found):
        lines += other_tables(found)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
