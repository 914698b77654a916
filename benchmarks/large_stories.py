"""What becomes of an event that thirty, a hundred or three hundred sites report.

    python benchmarks/large_stories.py DATA

DATA holds a folder `gva` with `articles.jsonl.gz`, see docs/quality.md. Stories of that
size are made of real ones of the half that no setting was fitted to and put among its
other articles. Prints a Markdown table, by what is embedded.
"""

import argparse
import pathlib

import numpy as np

from pipeline.config import EMBEDDINGS, Config
from pipeline.labelled import Labelled, fingerprint_corpus, halves, read_labelled
from pipeline.large_stories import SIZES, measure_large_stories
from schemas.batch import column
from transforms.story_model import shared_story_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    given = parser.parse_args()
    config = Config()
    raw, stories = read_labelled(given.data / "gva" / "articles.jsonl.gz")
    prints = fingerprint_corpus(raw, embedding_model=config.embedding_model)
    places = column(prints, "position") - 1
    gold = np.array(stories, dtype=object)[places]
    _, scored = halves(Labelled("gva", prints.drop_columns(["position"]), gold))
    model = shared_story_model(config.story_model_folder)
    print("| members | embedding | B³ recall, mean | least | strangers | F1 of the rest |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for name in EMBEDDINGS:
        found = measure_large_stories(scored, model, sizes=SIZES, embedding=name)
        for size in SIZES:
            own = [story for story in found if story.size == size]
            recall = [story.recall for story in own]
            print(
                f"| {size} | {name} | {np.mean(recall):.3f} | {min(recall):.3f} | "
                f"{sum(story.strangers for story in own)} | "
                f"{np.mean([story.rest for story in own]):+.4f} |"
            )


if __name__ == "__main__":
    main()
