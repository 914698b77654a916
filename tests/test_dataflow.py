"""Jobs for Dataflow, built as they would be handed over: the graph, and what is refused."""

import base64
import bz2
import json
import socket
from pathlib import Path

import pytest
from apache_beam.internal.gcp import auth
from apache_beam.portability.api import beam_runner_api_pb2
from gcp_storage_emulator.server import create_server
from google.cloud.storage import Client

from pipeline import batch, streaming
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.launching import graph_of, job_name

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "articles"
CLOUD = (
    *("--runner", "DataflowRunner", "--project", "town-news", "--region", "europe-west1"),
    *("--temp_location", "gs://news/temp"),
)
RUN = ("run", "--input", "gs://news/in/*", "--output", "gs://news/out")
STREAM = (
    *("stream", "--subscription", "projects/town-news/subscriptions/news"),
    *("--output", "gs://news/live", "--dead-letter", "projects/town-news/topics/dead"),
)
GPU = "type:nvidia-l4;count:1;install-nvidia-driver"
HINT = "beam:resources:accelerator:v1"


@pytest.fixture(scope="module")
def bucket():
    """The bucket gs://news with the example articles; nobody reaches any other machine."""
    connect = socket.socket.connect

    def near(self, address):
        assert address[0] in ("127.0.0.1", "localhost", "::1"), f"asked {address}"
        return connect(self, address)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True)
    with pytest.MonkeyPatch.context() as patch, server:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        patch.setattr(auth._Credentials, "_credentials_init", True)
        patch.setattr(socket.socket, "connect", near)
        with Client(project="test") as client:
            bucket = client.create_bucket("news")
            for path in EXAMPLES.iterdir():
                bucket.blob(f"in/{path.name}").upload_from_filename(str(path))
            yield bucket


def names(bucket):
    return {blob.name for blob in bucket.list_blobs() if not blob.name.startswith("in/")}


def graph(config, **given):
    job = batch.prepare(
        ["gs://news/in/*"],
        "gs://news/out",
        config,
        fields={},
        beam_flags=CLOUD,
        dry_run=True,
        **given,
    )
    return graph_of(job.pipeline)


def stages(graph):
    """Give the leaves of a graph by name, Beam's own inside them left out."""
    transforms = graph.components.transforms.values()
    return {one.unique_name: one for one in transforms if not one.subtransforms}


def hinted(graph):
    environments = graph.components.environments
    return {
        name: environments[stage.environment_id].resource_hints[HINT].decode()
        for name, stage in stages(graph).items()
        if HINT in environments[stage.environment_id].resource_hints
    }


def side_inputs(stage):
    return beam_runner_api_pb2.ParDoPayload.FromString(stage.spec.payload).side_inputs


@pytest.fixture(scope="module")
def plain(bucket):
    return graph(Config())


@pytest.mark.parametrize("command", [(*RUN, "--no-stories"), STREAM])
def test_a_dry_run_builds_the_job_and_writes_nothing(bucket, command, capsys):
    before = names(bucket)
    assert main([*command, *CLOUD, "--dry_run"]) == 0
    assert capsys.readouterr().out.startswith("the job is built and was not run: ")
    assert names(bucket) == before


def test_a_dry_run_in_this_process_writes_nothing_either(tmp_path, capsys):
    output = tmp_path / "out"
    told = ["run", "--input", f"{EXAMPLES}/*", "--output", str(output)]
    assert main([*told, "--no-stories", "--dry-run"]) == 0
    assert "stages in" in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [*RUN, "--runner", "DataflowRunner", "--region", "r"],
            "a job on Dataflow needs --project and --temp_location",
        ),
        (
            [*STREAM, "--runner=dataflow", "--project", "p", "--temp_location", "gs://t"],
            "a job on Dataflow needs --region",
        ),
        (
            [*RUN, *CLOUD, "--input", "in/*.jsonl"],
            "workers on Dataflow see no local file: --input must begin with gs://, got "
            "in/*.jsonl",
        ),
        (
            [*RUN, *CLOUD, "--output", "out"],
            "workers on Dataflow see no local file: --output must begin with gs://, got "
            "out",
        ),
        (
            [*RUN, *CLOUD, "--keep-ids", "live"],
            "workers on Dataflow see no local file: --keep-ids must begin with gs://, got "
            "live",
        ),
        (
            [*STREAM, *CLOUD, "--output", "live"],
            "workers on Dataflow see no local file: --output must begin with gs://, got "
            "live",
        ),
        (
            [*RUN, *CLOUD, "--temp_location", "/tmp"],
            "workers on Dataflow see no local file: --temp_location must begin with gs://, "
            "got /tmp",
        ),
        (
            [*RUN, *CLOUD, "--embedding-accelerator", "one GPU"],
            "--embedding-accelerator must be none or like "
            "type:nvidia-l4;count:1;install-nvidia-driver, got one GPU",
        ),
    ],
)
def test_what_dataflow_lacks_is_said_in_one_sentence(capsys, arguments, sentence):
    assert main(arguments) == 2
    assert capsys.readouterr().err.strip() == f"newsdedup: error: {sentence}"


def test_the_graph_has_the_stages_of_a_run_and_ends_by_putting_it_in_force(plain):
    transforms = plain.components.transforms
    roots = transforms[plain.root_transform_ids[0]].subtransforms
    assert [transforms[one].unique_name for one in roots] == ["Read", "Deduplicate"]
    names = [name.split("/") for name in stages(plain)]
    assert {name[1] for name in names if name[0] == "Deduplicate"} == {
        *("Parse", "Rule lines", "Read", "Settle repeated ids", "Learn what recurs"),
        *("Strip furniture", "Fingerprint", "Fingerprinted", "Count rows", "Add rows"),
        *("Spill", "Find copies", "Once", "Join copies", "Read fingerprints back"),
        *("Keep fingerprints", "Find undecided", "Read back", "Embed", "Embedded"),
        *("Keep representatives", "Score stories", "Join copies and stories"),
        *("Keep vectors", "Resolve stories", "Written", "All rejects", "Write rejects"),
        *("Summarise furniture", "Write furniture", "For later runs", "Write lines"),
        *("All parts", "Commit"),
    }
    commit = stages(plain)["Deduplicate/Commit/Commit"]
    used = {one for stage in transforms.values() for one in stage.inputs.values()}
    assert not used & set(commit.outputs.values())
    # It waits for the parts of all tables, and for the count of what was read.
    assert len(side_inputs(commit)) == 2
    assert plain.ByteSize() < 1_000_000


def test_no_machine_has_an_accelerator_unless_it_is_asked_for(plain):
    assert not hinted(plain)


@pytest.mark.model
def test_accelerators_are_asked_for_where_articles_are_embedded_and_nowhere_else(
    bucket, default_output
):
    for path in Path(default_output).rglob("*"):
        if path.is_file():
            name = path.relative_to(default_output).as_posix()
            bucket.blob(f"out/{name}").upload_from_filename(str(path))
    row = b'{"id": "new", "title": "Dam breaks", "text": "The dam broke at noon."}\n'
    bucket.blob("in/new.jsonl").upload_from_string(row)
    try:
        asked = graph(Config(embedding_accelerator=GPU), additions=Additions())
    finally:
        for name in (*names(bucket), "in/new.jsonl"):
            bucket.blob(name).delete()
    assert set(hinted(asked)) == {
        "Deduplicate/Embed/Embed",
        "Deduplicate/Embed late/Embed",
    }
    assert asked.ByteSize() < 1_000_000


def test_a_template_is_left_to_itself_and_owns_the_folder(bucket, capsys):
    given = [*RUN, "--no-stories", *CLOUD, "--template_location", "gs://news/templates/run"]
    assert main(given) == 0
    assert capsys.readouterr().out == (
        "the job is a template now, and writes the manifest when it is done\n"
    )
    template = json.loads(bucket.blob("templates/run").download_as_bytes())
    assert template["name"].startswith("newsdedup-")
    assert not any(name.endswith("manifest.json") for name in names(bucket))
    # As long as its staging folder is there, no other run begins.
    assert main(given) == 2
    (staging,) = {name.split("/")[1] for name in names(bucket) if "_staging" in name}
    assert capsys.readouterr().err == (
        "newsdedup: error: another run is at work in gs://news/out, Dataflow job "
        f"{template['name']} of town-news in europe-west1; if it has died, delete gs://news/out/"
        f"{staging}\n"
    )
    for name in names(bucket):
        bucket.blob(name).delete()


def test_no_stage_is_told_where_this_checkout_keeps_its_models(plain):
    """A worker may be installed elsewhere."""
    here = str(ROOT / "transforms" / "data").encode()
    told = [readable(stage.spec.payload) for stage in stages(plain).values()]
    assert any(b"shipped" in one for one in told)
    assert not any(here in one for one in told)


def readable(payload):
    if not payload:
        return b""
    content = beam_runner_api_pb2.ParDoPayload.FromString(payload).do_fn.payload
    try:
        return bz2.decompress(base64.b64decode(content))
    except (ValueError, OSError):
        return content


def test_a_stream_has_no_side_inputs_and_places_with_an_accelerator(bucket):
    job = streaming.prepare(
        STREAM[2],
        "gs://news/live",
        Config(embedding_accelerator=GPU),
        fields={},
        beam_flags=CLOUD,
        dry_run=True,
    )
    graph_ = graph_of(job.pipeline())
    assert hinted(graph_) == {"Stream/Place windows/Place": GPU}
    for stage in stages(graph_).values():
        if stage.spec.urn == "beam:transform:pardo:v1":
            assert not beam_runner_api_pb2.ParDoPayload.FromString(
                stage.spec.payload
            ).side_inputs


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("newsdedup-2026-05-16T08:00", "newsdedup-2026-05-16t08-00"),
        ("newsdedup-stream-gs://news/live/", "newsdedup-stream-gs-news-live"),
    ],
)
def test_names_of_jobs_are_such_as_dataflow_takes(text, name):
    assert job_name(text) == name
    long = [job_name(f"newsdedup-{'a' * 80}{end}") for end in "bc"]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 63
