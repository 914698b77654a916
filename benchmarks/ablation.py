"""What embeddings add: the same runs with and without them, by set, genre and language.

    python benchmarks/ablation.py DATA --output build/ablation

DATA as for quality.py. Genres: articles as they are; their headlines alone; and of the
articles as they are the pairs of one story that were rewritten most, the third of them
with the lowest TF-IDF cosine. Languages: the made-up reports in tests/data. Stories of
the halves that no setting was fitted to.
"""

import argparse
import gzip
import json
import pathlib
from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np

from pipeline.agreement import bcubed
from pipeline.baselines import tfidf_vectors
from pipeline.config import EMBEDDINGS, Config
from pipeline.evaluate import evaluate
from pipeline.gold import read_articles
from pipeline.show import read_table

SETS = ("gva", "allsides", "ecbplus")
LANGUAGES = pathlib.Path(__file__).parent.parent / "tests" / "data" / "languages.jsonl"


def headlines(gold: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Write a set of the titles alone."""
    file = folder / f"{gold.parent.name}-headlines.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        for row in read_articles(gold):
            if row.get("title"):
                lines.write(json.dumps({**row, "text": "", "html": None}) + "\n")
    return file


def run(
    gold: pathlib.Path, embedding: str, output: pathlib.Path, *, half: str
) -> list[dict[str, Any]]:
    """Evaluate; give the scored articles."""
    evaluate(
        gold=gold,
        half=half,
        config=Config(embedding=embedding),
        output=str(output),
        overwrite=True,
        quiet=True,
    )
    stories = {row["id"]: row["story"] for row in read_articles(gold)}
    rows = read_table(
        str(output / "articles"),
        "articles",
        ["article_id", "story_id", "language", "title", "text"],
    ).to_pylist()
    return [
        {**row, "gold": stories[row["article_id"]]}
        for row in rows
        if stories.get(row["article_id"]) is not None
    ]


def agreement(rows: list[dict[str, Any]]) -> str:
    found = bcubed([row["gold"] for row in rows], [row["story_id"] for row in rows])
    return f"{found.precision:.3f} | {found.recall:.3f} | {found.f1:.3f}"


def rewritten_recall(rows: list[dict[str, Any]]) -> str:
    """Give the share of the least alike third of all gold pairs that is together."""
    vectors = tfidf_vectors([f"{row['title'] or ''}\n{row['text']}" for row in rows])
    members = defaultdict(list)
    for place, row in enumerate(rows):
        members[row["gold"]].append(place)
    pairs = np.array([pair for own in members.values() for pair in combinations(own, 2)])
    cosines = np.asarray(
        vectors[pairs[:, 0]].multiply(vectors[pairs[:, 1]]).sum(axis=1)
    ).ravel()
    far = pairs[np.argsort(cosines, kind="stable")[: len(pairs) // 3]]
    together = np.mean([rows[i]["story_id"] == rows[j]["story_id"] for i, j in far])
    return f"- | {together:.3f} | -"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path("build/ablation")
    )
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in SETS:
        file = "labelled" if name == "allsides" else "articles"
        gold = given.data / name / f"{file}.jsonl.gz"
        for genre, material in (
            ("as they are", gold),
            ("headlines alone", headlines(gold, given.output)),
        ):
            for embedding in EMBEDDINGS:
                output = given.output / f"{name}-{genre.replace(' ', '-')}-{embedding}"
                rows = run(material, embedding, output, half="second")
                lines.append(f"| {name} | {genre} | {embedding} | {agreement(rows)} |")
                if material is gold:
                    cells = rewritten_recall(rows)
                    lines.append(f"| {name} | rewritten pairs | {embedding} | {cells} |")
    for embedding in EMBEDDINGS:
        rows = run(
            LANGUAGES, embedding, given.output / f"languages-{embedding}", half="all"
        )
        for language in sorted({row["language"] for row in rows}):
            own = [row for row in rows if row["language"] == language]
            lines.append(f"| made up | {language} | {embedding} | {agreement(own)} |")
    print("| set | articles | embedding | B³ precision | recall | F1 |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
