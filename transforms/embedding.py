"""Embeddings: title and lead as one unit vector, by a sentence-transformers model.

Two reports of one event in other words share few shingles and many meanings; the cosine
of their vectors says so where words do not. A vector knows topics better than events:
two shootings in one town are close. It is one piece of evidence in a story's score and
never decides by itself.

The transformer is by far the most expensive stage, so at most the representative of each
copy group is embedded, and by default only those of undecided stories (`undecided`); only
the first `max_tokens` tokens of each; and one model is loaded per worker process.

Matrices are multiplied in half precision (bfloat16) where the processor can do that by
itself, for that halves the time. It changes a cosine in the fourth decimal place, so
workers of one job should be machines of one kind. So does a GPU, where a runner was asked
for one.

N. Reimers and I. Gurevych, "Sentence-BERT", 2019.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import with_column
from transforms.embedding_model import accelerate, load_model

# A token is four characters of English on average; twice that is cut before tokenising.
CHARACTERS_PER_TOKEN = 8
# Texts of one forward pass, and the numbers of tokens that they are padded to.
BATCH_SIZE = 16
LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384)

# What is read of an article.
_EMBEDDED = ["title", "text", "alien"]

# A worker process may run several bundles at a time on its one model, whose tokeniser
# holds the length that it cuts at.
_TOKENISING = threading.Lock()


def embedding_text(title: str | None, text: str, *, max_tokens: int) -> str:
    """Give what is embedded of an article: its title and the beginning of its text."""
    body = text[: max_tokens * CHARACTERS_PER_TOKEN]
    return f"{title}\n{body}" if title else body


def embed(texts: Sequence[str], *, model: str, max_tokens: int) -> npt.NDArray[np.float32]:
    """Embed texts, each to the same bits whatever stands beside it.

    The last bits of a matrix product depend on the shape of the matrix, so the shape of a
    forward pass depends on a text's own length alone: `BATCH_SIZE` texts of one of
    `LENGTHS`, among them a filler of exactly that length, to which the others are padded.

    Args:
      texts: n texts.
      model: as in `transforms.embedding_model`.
      max_tokens: tokens of each text that the model sees, at most.

    Returns:
      Array of shape (n, d), rows of length 1.
    """
    encoder = load_model(model)
    limit = encoder.max_seq_length
    longest = min(max_tokens, limit or max_tokens)
    vectors = np.zeros((len(texts), vector_size(model)), np.float32)
    counts = np.array([len(ids) for ids in _token_ids(encoder, texts, longest)])
    steps = np.array([*(step for step in LENGTHS if step < longest), longest])
    lengths = steps[np.searchsorted(steps, counts)]
    passes = []
    with _TOKENISING:
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            encoder.max_seq_length = int(length)
            for start in range(0, len(rows), BATCH_SIZE - 1):
                part = rows[start : start + BATCH_SIZE - 1]
                filler = ["a " * int(length)] * (BATCH_SIZE - len(part))
                given = encoder.preprocess([texts[row] for row in part] + filler)
                passes.append((part, given))
        encoder.max_seq_length = limit
    # Threads of one pass wait for each other, and spin meanwhile; those of two do not.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(
            functools.partial(_forward, encoder), [given for _, given in passes]
        )
        for (part, _), found in zip(passes, made, strict=True):
            vectors[part] = found[: len(part)]
    return vectors


def embed_articles(
    articles: pa.RecordBatch, *, model: str, max_tokens: int
) -> npt.NDArray[np.float16]:
    """Embed title and lead of articles; of an alien text only the title.

    Args:
      articles: n rows with `title`, `text` and `alien`.
      model: as of `embed`.
      max_tokens: as of `embed`.

    Returns:
      Array of shape (n, d), unit vectors.
    """
    own = pc.if_else(articles.column("alien"), pa.scalar(""), articles.column("text"))
    texts = [
        embedding_text(title, text, max_tokens=max_tokens)
        for title, text in zip(
            articles.column("title").to_pylist(), own.to_pylist(), strict=True
        )
    ]
    return embed(texts, model=model, max_tokens=max_tokens).astype(np.float16)


def _forward(encoder: Any, given: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Make the unit vectors of one pass, in this thread alone."""
    import torch

    torch.set_num_threads(1)
    there = {
        name: value.to(encoder.device) if isinstance(value, torch.Tensor) else value
        for name, value in given.items()
    }
    with torch.inference_mode(), _half_precision(encoder.device.type):
        found = encoder(there)["sentence_embedding"].float()
    found = torch.nn.functional.normalize(found, dim=1)
    return np.asarray(found.cpu().numpy(), np.float32)


def _half_precision(device: str) -> contextlib.AbstractContextManager[object]:
    """Multiply in bfloat16 where the processor does it faster than in float32."""
    import torch

    able = torch.cpu.get_capabilities()
    fast = device == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)


def _token_ids(encoder: Any, texts: Sequence[str], longest: int) -> list[list[int]]:
    """Tokenise as the model does, its marks of beginning and end included."""
    if not texts:
        return []
    found: list[list[int]] = encoder.tokenizer(
        list(texts), truncation=True, max_length=longest
    )["input_ids"]
    return found


def vector_size(model: str) -> int:
    """Give the length of the vectors of a model."""
    return int(load_model(model).get_embedding_dimension())


class _Embed(beam.DoFn):
    """Adds a vector to the chosen rows of a batch; the model is loaded in setup."""

    def __init__(self, model: str, max_tokens: int, chosen: str, accelerated: bool) -> None:
        self.model = model
        self.accelerated = accelerated
        self.max_tokens = max_tokens
        self.chosen = chosen
        self.embedded = beam.metrics.Metrics.counter("newsdedup", "articles_embedded")

    def setup(self) -> None:
        if self.accelerated:
            accelerate()
        load_model(self.model)

    def process(self, batch: pa.RecordBatch) -> Iterable[pa.RecordBatch]:
        chosen = np.flatnonzero(batch.column(self.chosen).to_numpy(False))
        vectors = np.zeros((batch.num_rows, vector_size(self.model)), np.float16)
        vectors[chosen] = embed_articles(
            batch.select(_EMBEDDED).take(pa.array(chosen)),
            model=self.model,
            max_tokens=self.max_tokens,
        )
        self.embedded.inc(len(chosen))
        yield with_column(batch, "vector", vectors)


@dataclasses.dataclass(eq=False)
class EmbedArticles(beam.PTransform):
    """Add a `vector` to the chosen rows; the others have zeros.

    Attributes:
      model: as in `transforms.embedding_model`.
      max_tokens: tokens of an article that are embedded, at most.
      chosen: column that tells which rows are embedded.
      accelerator: that a runner is to give the workers of this stage, as Beam's resource
        hint of that name; "none".
    """

    model: str
    max_tokens: int
    chosen: str
    accelerator: str = "none"

    def expand(
        self, batches: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Add the column."""
        accelerated = self.accelerator != "none"
        embed = beam.ParDo(
            _Embed(self.model, self.max_tokens, self.chosen, accelerated)
        ).with_output_types(pa.RecordBatch)
        if accelerated:
            embed = embed.with_resource_hints(accelerator=self.accelerator)
        return batches | "Embed" >> embed
