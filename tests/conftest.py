"""Fixtures for all tests: a transform applied to a list gives a list."""

import collections
import pickle
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import hypothesis
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import made_run
from pipeline import batch
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from pubsub_server import PubSubServer
from storage_server import StorageServer

# The first call of a compiled kernel compiles it, and the same examples every time make a
# failure everybody's failure.
hypothesis.settings.register_profile("newsdedup", deadline=None, derandomize=True)
hypothesis.settings.load_profile("newsdedup")

EXAMPLES = Path(__file__).parent.parent / "examples" / "articles"

Outputs = list[Any] | dict[str, list[Any]]


class Keep(beam.DoFn):
    """Writes every element to a file of its own: a runner gives nothing back."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, element: Any) -> None:
        path = Path(self.folder) / uuid.uuid4().hex
        path.write_bytes(pickle.dumps(element))


def kept(folder: Path) -> list[Any]:
    return [pickle.loads(path.read_bytes()) for path in sorted(folder.iterdir())]


@pytest.fixture
def apply(tmp_path: Path) -> Callable[..., Outputs]:
    """Give a function that runs a transform over a list on the real runner.

    A transform that takes several collections is given a dict of lists, one that starts
    a pipeline is given no input. A transform with several outputs gives a dict of lists.
    The order of what comes back is not the order in which it came out.
    """

    def run(
        transform: beam.PTransform,
        elements: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    ) -> Outputs:
        folder = tmp_path / uuid.uuid4().hex
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            given: Any = pipeline
            if isinstance(elements, Mapping):
                given = {
                    name: pipeline
                    | f"Create {name}" >> beam.Create(values, reshuffle=False)
                    for name, values in elements.items()
                }
            elif elements is not None:
                given = pipeline | "Create" >> beam.Create(elements, reshuffle=False)
            outputs = given | "Apply" >> transform
            single = isinstance(outputs, beam.PCollection)
            named = {"output": outputs} if single else dict(outputs)
            for name, output in named.items():
                (folder / name).mkdir(parents=True)
                output | f"Keep {name}" >> beam.ParDo(Keep(str(folder / name)))
        results = collections.OrderedDict(
            (name, kept(folder / name)) for name in sorted(named)
        )
        return results["output"] if single else dict(results)

    return run


@pytest.fixture(scope="session")
def default_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the folder of a run over all example articles with default settings.

    Nobody writes to it.
    """
    folder = str(tmp_path_factory.mktemp("default") / "out")
    batch.run([f"{EXAMPLES}/*"], folder, Config(), fields={}, run_id="test")
    return folder


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a Pub/Sub server of this process, which the real clients find and talk to."""
    with PubSubServer() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        yield server


@pytest.fixture(scope="session")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the report of a run of thirty thousand articles."""
    from pipeline.report import write_report

    folder = tmp_path_factory.mktemp("large")
    articles = list(made_run.many_articles(30_000))
    matches = [
        {
            "article_id": row["matched_article_id"],
            "matched_article_id": row["article_id"],
            "question": "story",
            "accepted": True,
            "rule": "average link, story score 0.70",
            "story_score": 0.7,
        }
        for row in articles
        if row["matched_article_id"]
    ]
    made_run.write_run(str(folder), articles, matches=matches)
    write_report(str(folder), folder / "report.html")
    return folder / "report.html"


def stored(patch: pytest.MonkeyPatch) -> Iterator[Any]:
    with StorageServer("news", "other") as server:
        patch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a store like Google's, with buckets news and other, which `gs://` means."""
    yield from stored(monkeypatch)


@pytest.fixture(scope="module")
def shared_store() -> Iterator[Any]:
    """Give a store that the tests of a file share; its buckets are only read by them."""
    with pytest.MonkeyPatch.context() as patch:
        yield from stored(patch)


@pytest.fixture(scope="session")
def examples_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the folder of a run over all example articles, without embeddings.

    Nobody writes to it.
    """
    folder = str(tmp_path_factory.mktemp("run") / "out")
    without_model = Config(embedding="none")
    batch.run([f"{EXAMPLES}/*"], folder, without_model, fields={}, run_id="test")
    return folder


@pytest.fixture(scope="session")
def increments() -> Sequence[Sequence[str]]:
    """Give the example articles in four parts, not in the order of time: some come late."""
    return (
        ("articles-2*", "*.html"),
        ("articles-4*",),
        ("articles-1*", "*.txt"),
        ("articles-3*",),
    )


@pytest.fixture(scope="session")
def grown(
    tmp_path_factory: pytest.TempPathFactory, increments: Sequence[Sequence[str]]
) -> tuple[str, list[tuple[dict[str, Any], dict[str, dict[str, Any]]]]]:
    """Give the folder that all increments were added to, and what it held after each run.

    That is the manifest, and the rows of its articles by their ids. Nobody writes to it.
    """
    output = str(tmp_path_factory.mktemp("grown") / "out")
    states = []
    for patterns in increments:
        inputs = [f"{EXAMPLES}/{pattern}" for pattern in patterns]
        without_model = Config(embedding="none")
        manifest = batch.run(
            inputs, output, without_model, fields={}, additions=Additions()
        )
        articles = read_table(output, "articles").to_pylist()
        states.append((manifest, {row["article_id"]: row for row in articles}))
    return output, states
