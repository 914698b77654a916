"""A corpus of any size with known copies, for the benchmarks.

    python benchmarks/corpus.py --articles 20000 --output build/corpus

Writes `articles.jsonl`, as scraped articles come, and `pairs.jsonl` with the copies that
were planted: a, b and the kind. Words are as unequally frequent as those of a language,
the commonest those of English and the others made up; every page has the furniture of
its site. The same seed gives the same bytes,
and the articles of a smaller corpus are not those of a larger one.
"""

import argparse
import datetime
import json
import pathlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

# Share of the corpus that is a copy of another article in it, by kind. A cut keeps the
# first 60 %; a brief stands as one paragraph inside a piece some six times as long.
KINDS = {"exact": 0.08, "edits 5 %": 0.07, "edits 10 %": 0.05, "cut": 0.05, "brief": 0.05}
CUT = 0.6
EDITS = {"edits 5 %": 0.05, "edits 10 %": 0.10}

WORDS, VOCABULARY, SITES, DAYS = 395, 60_000, 400, 30
_BRIEF_WORDS = 70
_SENTENCE, _PARAGRAPH = 19, 57
_CHUNK = 5_000
_FIRST_DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
_COMMONEST = (
    "the of to and a in that is was for on he with as it said at by his from be have has "
    "are an will not who they but had were which their been this more or after its would "
    "one about people new when there also two up out first last could than year into we"
)
_SYLLABLES = tuple(
    consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in ("a", "e", "i", "o")
)


def vocabulary(count: int) -> npt.NDArray[np.str_]:
    """Give distinct words by falling frequency: English ones, then made-up ones."""
    words = _COMMONEST.split()
    base = len(_SYLLABLES)
    # Numbers below its square make words of one or two syllables, often English ones.
    for number in range(base * base, base * base + count - len(words)):
        word = _SYLLABLES[number % base]
        number //= base
        while number:
            number -= 1
            word += _SYLLABLES[number % base]
            number //= base
        words.append(word)
    return np.array(words)


def _frequencies() -> npt.NDArray[np.float64]:
    """Give the cumulative frequency of words by rank: Zipf's law as Mandelbrot mends it."""
    weights = 1 / (np.arange(VOCABULARY) + 2.7)
    return np.cumsum(weights) / weights.sum()


class Corpus:
    """Draws articles and plants copies of them.

    Attributes:
      pairs: the copies planted so far: id, id, kind.
    """

    def __init__(self, articles: int, *, words: int = WORDS, seed: int = 0) -> None:
        """Fix the size.

        Args:
          articles: of the whole corpus, copies among them.
          words: of an article in the mean; lengths vary by a third.
          seed: chooses everything.
        """
        self.articles = articles
        self.words = words
        self.random = np.random.default_rng([seed, articles])
        self.vocabulary = vocabulary(VOCABULARY)
        self.cumulative = _frequencies()
        self.pairs: list[tuple[str, str, str]] = []

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Give the articles; a copy comes within two days of what it copies."""
        written = 0
        while written < self.articles:
            size = min(_CHUNK, self.articles - written)
            yield from self._chunk(written, size)
            written += size

    def _draw(self, count: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.cumulative, self.random.random(count))

    def _chunk(self, first: int, size: int) -> Iterator[dict[str, str]]:
        counts = {kind: round(size * share) for kind, share in KINDS.items()}
        originals = size - sum(counts.values())
        lengths = np.maximum(
            self.random.normal(self.words, self.words / 3, originals).astype(int), 120
        )
        drawn = np.split(self._draw(int(lengths.sum())), np.cumsum(lengths)[:-1])
        sites = self.random.integers(SITES, size=originals)
        hours = self.random.integers(DAYS * 24, size=originals)
        order = iter(self.random.permutation(originals))
        copies = []
        for kind, count in counts.items():
            for _ in range(count):
                origin = int(next(order))
                text = drawn[origin]
                if kind == "cut":
                    text = text[: int(len(text) * CUT)]
                elif kind == "brief":
                    text = self._draw(_BRIEF_WORDS)
                    middle = len(drawn[origin]) // 2
                    drawn[origin] = np.concatenate(
                        [drawn[origin][:middle], text, drawn[origin][middle:]]
                    )
                elif kind in EDITS:
                    text = text.copy()
                    edited = self.random.random(len(text)) < EDITS[kind]
                    text[edited] = self._draw(int(edited.sum()))
                copies.append((kind, origin, text))
        for number, text in enumerate(drawn):
            yield self._article(first + number, text, sites[number], hours[number])
        for number, (kind, origin, text) in enumerate(copies, originals):
            site = (sites[origin] + 1 + self.random.integers(SITES - 1)) % SITES
            hour = hours[origin] + self.random.integers(48)
            yield self._article(first + number, text, site, hour)
            self.pairs.append((_id(first + origin), _id(first + number), kind))

    def _article(
        self, number: int, text: npt.NDArray[np.int64], site: int, hour: int
    ) -> dict[str, str]:
        words = self.vocabulary[text].tolist()
        sentences = [
            " ".join(words[start : start + _SENTENCE]).capitalize() + "."
            for start in range(0, len(words), _SENTENCE)
        ]
        step = _PARAGRAPH // _SENTENCE
        body = [
            " ".join(sentences[start : start + step])
            for start in range(0, len(sentences), step)
        ]
        # A headline is made of the telling words of the lead.
        lead = sorted(set(text[:_PARAGRAPH].tolist()))[-7:]
        slogan = " ".join(self.vocabulary[(np.arange(9) + 1) * 577 + site].tolist())
        name = self.vocabulary[3_000 + site].capitalize()
        published = _FIRST_DAY + datetime.timedelta(hours=int(hour))
        page = ["Log In", f"Published {hour % 23 + 1} hours ago", *body]
        page += ["Share this article", f"{name}: {slogan}.", "Loading..."]
        return {
            "id": _id(number),
            "url": f"https://www.{name.lower()}{site}.example/{number}",
            "source": f"{name.lower()}{site}.example",
            "published_at": published.isoformat(),
            "title": " ".join(self.vocabulary[lead].tolist()).capitalize(),
            # No detector knows the language of made-up words.
            "language": "en",
            "text": "\n".join(page),
        }


def _id(number: int) -> str:
    return f"made-{number:07d}"


def write_corpus(folder: pathlib.Path, articles: int, *, words: int = WORDS) -> None:
    """Write a corpus and its pairs to a folder, unless it is there already."""
    if (folder / "pairs.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(articles, words=words)
    with (folder / "articles.jsonl").open("w", encoding="utf-8") as file:
        for article in corpus:
            file.write(json.dumps(article) + "\n")
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for one, other, kind in corpus.pairs:
            file.write(json.dumps({"a": one, "b": other, "kind": kind}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    given = parser.parse_args()
    write_corpus(given.output, given.articles, words=given.words)


if __name__ == "__main__":
    main()
