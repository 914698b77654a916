"""Every number that decides what is a copy or a story; each is also a flag."""

import dataclasses
import hashlib
import json
import math
import re
from typing import Any

from schemas.fingerprint import NUM_PERM
from transforms.embedding_model import DEFAULT_MODEL, located_model
from transforms.listing import absolute
from transforms.lsh import candidate_probability
from transforms.main_content import SHIPPED

EMBEDDINGS = ("undecided", "all", "none")
ACCELERATOR = re.compile(r"none|type:[a-z0-9-]+(;[a-z0-9-]+(:[a-z0-9-]+)?)*")


def option(default: Any, help: str, **metadata: Any) -> Any:
    """Declare a setting: its default, what it means, and hints for the command line."""
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run. Each is also a flag: --min-containment 0.8."""

    seed: int = option(1, "chooses the permutations of the MinHash signatures")
    shingle_size: int = option(3, "words per shingle")
    bands: int = option(42, "LSH bands of a signature; more bands propose more pairs")
    band_rows: int = option(3, "signature values per band; more rows propose fewer pairs")
    passage_size: int = option(8, "words per passage hash")
    passage_window: int = option(16, "passage hashes of which winnowing keeps one")
    max_bucket: int = option(64, "articles that may share a key before it is ignored")
    copy_window_days: int = option(30, "days within which two articles can be copies")
    copy_gap_days: int = option(7, "days within which an edited text is still a copy")
    min_containment: float = option(
        0.7, "lowest share of the shorter text's shingles found in the longer, for copies"
    )
    min_jaccard: float = option(
        0.35, "lowest Jaccard similarity of near copies; below it, a partial reprint"
    )
    page_model: str = option(
        SHIPPED,
        "what finds the article in a whole page: a folder that newsdedup tune wrote, or "
        "the model that is shipped",
    )
    known_furniture: str = option(
        "none",
        "folder of an earlier run: what recurred in it is furniture from the first article",
    )
    min_words: int = option(25, "words under which a text is thin and nobody's copy")
    stories: bool = option(True, "group articles into stories; without, only copies")
    embedding: str = option(
        "undecided",
        "which articles the model sees: those whose story it could change, all "
        "representatives of copy groups, or none",
        choices=EMBEDDINGS,
    )
    embedding_model: str = option(
        DEFAULT_MODEL, "sentence-transformers model: a folder, a gs:// folder or a hub name"
    )
    embedding_tokens: int = option(64, "tokens of an article that are embedded")
    embedding_accelerator: str = option(
        "none",
        "accelerator of the workers that embed, on Dataflow: "
        '"type:nvidia-l4;count:1;install-nvidia-driver"',
    )
    story_model: str = option(
        SHIPPED,
        "folder that newsdedup tune wrote, or the model that is shipped",
    )
    rewrite_cosine: float = option(0.6, "lowest cosine of two sentences that mean the same")
    rewrite_share: float = option(
        0.45, "lowest share of a report's sentences that a rewrite of it retells"
    )
    rewrite_order: float = option(0.7, "lowest rank correlation of their order, 0 to 1")
    follow_up_hours: float = option(
        30.0, "hours after a story's first report when follow-ups begin", share=False
    )
    follow_up_novelty: float = option(
        0.45, "lowest share of a follow-up's lead terms that the first report has not"
    )
    block_size: int = option(100_000, "articles compared in one place, at most")

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
          ValueError: if a setting is out of its range or two contradict each other.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and field.name != "seed" and value < 1:
                raise ValueError(f"{field.name} must be at least 1, got {value}")
            if field.type is float and field.metadata.get("share") is False:
                if not 0 < value < math.inf:
                    raise ValueError(
                        f"{field.name} must be above 0 and finite, got {value}"
                    )
            elif field.type is float and not 0 < value <= 1:
                raise ValueError(f"{field.name} must be above 0 and at most 1, got {value}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be at least 0 and below 2^32, got {self.seed}")
        if self.bands * self.band_rows > NUM_PERM:
            raise ValueError(
                f"bands * band_rows must be at most {NUM_PERM}, the values of a signature, "
                f"got bands={self.bands} and band_rows={self.band_rows}"
            )
        if self.embedding not in EMBEDDINGS:
            raise ValueError(
                f"embedding must be one of {', '.join(EMBEDDINGS)}, got {self.embedding}"
            )

        if not ACCELERATOR.fullmatch(self.embedding_accelerator):
            raise ValueError(
                "embedding_accelerator must be none or like "
                "type:nvidia-l4;count:1;install-nvidia-driver, got "
                f"{self.embedding_accelerator}"
            )

    @property
    def uses_model(self) -> bool:
        """Whether a sentence-transformers model takes part in the run."""
        return self.stories and self.embedding != "none"

    @property
    def story_model_folder(self) -> str:
        """Where every worker finds the story model's files, as of `model_path`."""
        return SHIPPED if self.story_model == SHIPPED else absolute(self.story_model)

    @property
    def page_model_folder(self) -> str:
        """Where every worker finds the page model's file, as of `model_path`."""
        return SHIPPED if self.page_model == SHIPPED else absolute(self.page_model)

    @property
    def embedding_model_folder(self) -> str:
        """Where every worker finds the embedding model, as of `load_model`."""
        return located_model(self.embedding_model)

    def candidate_probability(self, jaccard: float) -> float:
        """Chance that a pair of the given similarity shares at least one band.

        >>> round(Config().candidate_probability(0.5), 3)
        0.996
        """
        return float(candidate_probability(jaccard, bands=self.bands, rows=self.band_rows))

    def digest(self) -> str:
        """Give 12 hexadecimal digits that differ when a setting differs."""
        settings = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:12]
