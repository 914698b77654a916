"""A stream as a runner that streams has it: its graph, and whether it can be updated.

    python tests/test_stream_updates.py

writes `tests/data/stream_graph.txt` anew: the stages of the graph by name, and what they
keep in Beam's state.
"""

import datetime
import hashlib
import json
import re
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.coders import BytesCoder
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue
from google.cloud.pubsub_v1 import types

from pipeline.config import Config
from pipeline.launching import graph_of
from pipeline.streaming import build, prepare
from schemas.past import VECTOR
from transforms import micro_batches
from transforms.arrivals import read_messages
from transforms.micro_batches import NO_MEMORY
from transforms.past import read_part
from transforms.remembering import NO_PAST
from transforms.story_articles import STORY_ARTICLE
from transforms.windows import Window, WindowCoder, placement_files, read_standings

KNOWN = Path(__file__).parent / "data" / "stream_graph.txt"
CHANGED = """the graph of the stream has changed, or what it keeps in state.
A job that runs goes on by `newsdedup stream --update` only if every stage that keeps state
has the name it had, and finds under each name of state what it wrote there. So: give a
stage its old name back; and where what is kept must change, give that state a new name with
the next number, and read both. If that cannot be, the job begins anew (it reads its last
windows from its folder), which the changelog must say. Then
    python tests/test_stream_updates.py
writes the list anew."""
NEWS = "projects/town-news/subscriptions/news"
DEAD = "projects/town-news/topics/dead"
BEGAN = int(datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC).timestamp())
TEXT = (
    "The ferry Northern Star ran aground off Kessock harbour on Monday morning with 214 "
    "people aboard, the coastguard said. Two lifeboats and a helicopter took passengers "
    "ashore before noon, and nobody was hurt. Captain Ines Hallberg reported a steering "
    "fault minutes before the ship struck the Skerry bank, according to the harbour "
    "office. Divers will look at the hull once the wind has dropped, the owner said."
)


def kept_schemas():
    """Give the schemas of the tables that each state holds."""
    latest = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
    articles, rejects, _ = read_messages([], NEWS, {}, latest)
    found = [*NO_PAST[2:], NO_MEMORY.recurring, NO_MEMORY.refused]
    return {
        "waiting-1": [articles.schema, rejects.schema],
        "articles-1": [STORY_ARTICLE],
        "vectors-1": [VECTOR],
        "found-2": [table.schema for table in found],
    }


def digest(schemas):
    told = "\n".join(schema.to_string() for schema in schemas)
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def described(graph):
    """Describe a graph: stages by name, their state, and how it is encoded."""
    coders, schemas = graph.components.coders, kept_schemas()

    def coder(name):
        spec = coders[name]
        kind = spec.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
        if kind == "pickled_python":
            # The coder itself is handed over pickled, named by its class; what it writes
            # is not.
            kind = spec.spec.payload.split(b"$")[0].decode("ascii", "ignore").strip()
            kind = "".join(filter(str.isalpha, kind))
        inner = [coder(one) for one in spec.component_coder_ids]
        return f"{kind}({', '.join(inner)})" if inner else kind

    lines = []
    for stage in graph.components.transforms.values():
        if stage.subtransforms:
            continue
        lines.append(stage.unique_name)
        if stage.spec.urn != "beam:transform:pardo:v1":
            continue
        payload = beam_runner_api_pb2.ParDoPayload.FromString(stage.spec.payload)
        if not (payload.state_specs or payload.timer_family_specs):
            continue
        for one in stage.inputs.values():
            lines[-1] += f"\n  takes {coder(graph.components.pcollections[one].coder_id)}"
        for name, spec in sorted(payload.state_specs.items()):
            kind = spec.WhichOneof("spec")
            inner = getattr(spec, kind)
            encoded = coder(inner.element_coder_id if "bag" in kind else inner.coder_id)
            told = f" of {digest(schemas[name])}" if "Batch" in encoded else ""
            lines[-1] += f"\n  {kind.removesuffix('_spec')} {name}: {encoded}{told}"
        for name, spec in sorted(payload.timer_family_specs.items()):
            domain = beam_runner_api_pb2.TimeDomain.Enum.Name(spec.time_domain)
            lines[-1] += f"\n  timer {name}: {domain.lower()}"
    return "\n".join(sorted(lines)) + "\n"


def ready(output, dead_letter=None):
    """Give a stream as it is handed to a runner that streams."""
    return prepare(
        NEWS,
        str(output),
        Config(embedding="none"),
        fields={},
        window_seconds=300,
        dead_letter=dead_letter,
        beam_flags=["--runner", "FnApiRunner"],
        dry_run=True,
    )


def graph_now():
    return described(graph_of(ready("live", DEAD).pipeline()))


def test_a_job_that_runs_can_be_updated():
    assert graph_now() == KNOWN.read_text(), CHANGED


def test_another_name_of_a_stage_or_another_coder_of_its_state_shows():
    renamed, encoded = (graph_of(ready("live", DEAD).pipeline()) for _ in range(2))
    (place,) = (
        stage
        for stage in renamed.components.transforms.values()
        if stage.unique_name == "Stream/Place windows/Place"
    )
    place.unique_name = "Stream/Place windows/Put"
    coders = encoded.components.coders
    (varint,) = (one for one in coders.values() if one.spec.urn == "beam:coder:varint:v1")
    varint.spec.urn = "beam:coder:bytes:v1"
    assert described(renamed) != KNOWN.read_text()
    assert described(encoded) != KNOWN.read_text()


def test_another_column_of_what_is_remembered_shows(monkeypatch):
    longer = STORY_ARTICLE.append(STORY_ARTICLE.field(0).with_name("more"))
    monkeypatch.setitem(globals(), "STORY_ARTICLE", longer)
    assert graph_now() != KNOWN.read_text()


def test_nothing_that_is_kept_or_handed_to_another_machine_is_a_pickle():
    graph = graph_of(ready("live", DEAD).pipeline())
    state = [line for line in described(graph).splitlines() if line.startswith("  ")]
    allowed = {"RecordBatchCoder", "varint", "string_utf8", "tuple", "kv"}
    for line in state:
        if not line.startswith("  timer "):
            told = line.split(" of ")[0].split(": ")[-1].removeprefix("  takes ")
            assert set(re.findall(r"\w+", told)) <= allowed, line
    # With an accelerator, windows go from a machine that has one to one that has none.
    placed = next(
        one
        for one in graph.components.pcollections.values()
        if one.unique_name.endswith("Place windows/Place.None")
    )
    payload = graph.components.coders[placed.coder_id].spec.payload
    assert b"WindowCoder" in payload


@pytest.fixture
def topic(pubsub):
    pubsub.create(DEAD)
    return pubsub


def as_delivered(number, row):
    """Give the bytes that a runner reads of a subscription."""
    return types.PubsubMessage.serialize(
        types.PubsubMessage(
            data=row if isinstance(row, bytes) else json.dumps(row).encode(),
            message_id=str(number),
            publish_time=datetime.datetime.fromtimestamp(BEGAN + number, datetime.UTC),
            attributes={"from": "test"},
        )
    )


class Delivered(beam.PTransform):
    """Stands for ReadFromPubSub: its messages, each at its time, read as it reads them."""

    def expand(self, begin):
        rows = [
            {"id": "a", "source": "one.example", "title": "Ferry aground", "text": TEXT},
            {"id": "b", "source": "two.example", "title": "Ferry aground", "text": TEXT},
            b"no json",
            {"id": "c", "source": "six.example", "title": "Ferry aground", "text": TEXT},
        ]
        events = test_stream.TestStream(coder=BytesCoder())
        for number, row in zip((1, 2, 3, 400), rows, strict=True):
            # The fourth comes in the next window.
            events = events.advance_watermark_to(BEGAN + number).add_elements(
                [TimestampedValue(as_delivered(number, row), BEGAN + number)]
            )
        events = events.advance_watermark_to(BEGAN + 700)
        return (
            begin
            | events
            | beam.Map(PubsubMessage._from_proto_str).with_output_types(PubsubMessage)
        )


def test_the_graph_that_reads_pubsub_itself_places_what_is_delivered(
    tmp_path, topic, monkeypatch
):
    monkeypatch.setattr(micro_batches, "LATEST", {})
    output = tmp_path / "live"
    pipeline = beam.Pipeline(
        runner=BundleBasedDirectRunner(), options=PipelineOptions(streaming=True)
    )
    build(pipeline, ready(output, DEAD).place, Delivered())
    pipeline.run().wait_until_finish()
    files = placement_files(str(output))
    windows = {row["run_id"] for path in files for row in read_part(path).to_pylist()}
    standings = read_standings(files).to_pylist()
    assert {row["article_id"] for row in standings} == {"a", "b", "c"}
    assert {row["duplicate_group_id"] for row in standings} == {"a"}
    assert len(windows) == 2
    (reject,) = (output / "rejects").glob("*.parquet")
    assert read_part(str(reject), ["reason"]).to_pylist() == [{"reason": "broken_json"}]
    (letter,) = topic.published(DEAD)
    assert letter.data == b"no json"


def test_a_window_survives_its_coder():
    rows = pa.RecordBatch.from_pylist([{"a": 1}, {"a": 2}])
    window = Window("en", "20260601T000500Z-000001", {"raw": rows}, {"placed": 2})
    encoded = WindowCoder().encode(window)
    assert WindowCoder().decode(encoded) == window


if __name__ == "__main__":
    KNOWN.write_text(graph_now())
