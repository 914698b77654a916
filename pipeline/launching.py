"""Launching: what a job is told before it goes to a runner, and what is heard of it.

In this process a run is ours from beginning to end. On Dataflow the job does all the work:
it reads, writes, and puts the run in force as its last stage (`Commit`), so the process
that launched it may leave. It lists the input, reads the manifest and the models, builds
the graph, and makes the staging folder, which says whose it is.
"""

import contextlib
import gc
import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    TestOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from transforms.owners import CloudJob

# Dataflow takes no larger graph, serialised.
MOST_GRAPH_BYTES = 10_000_000
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_HANG_UP = 10.0

# Set once this process has listened to a runner elsewhere.
HAS_LISTENED = threading.Event()


class Target(NamedTuple):
    """Where a job runs.

    Attributes:
      options: Beam's.
      is_local: in this process.
      is_dataflow: on Dataflow, where workers see no local file.
    """

    options: PipelineOptions
    is_local: bool
    is_dataflow: bool

    @property
    def leaves(self) -> bool:
        """Whether the job becomes a template, which nobody here waits for."""
        return bool(self.options.view_as(GoogleCloudOptions).template_location)

    @property
    def owner(self) -> CloudJob | None:
        """Say which job works in a staging folder; None for this process."""
        if not self.is_dataflow:
            return None
        cloud = self.options.view_as(GoogleCloudOptions)
        return CloudJob(cloud.job_name, cloud.project, cloud.region)

    def pipeline(self, name: str) -> beam.Pipeline:
        """Begin a pipeline, on Dataflow under a name made of this if flags give none.

        Raises:
          ValueError: if Beam refuses its flags.
        """
        if self.is_dataflow:
            cloud = self.options.view_as(GoogleCloudOptions)
            cloud.job_name = cloud.job_name or job_name(name)
        runner = FnApiRunner() if self.is_local else None
        return beam.Pipeline(runner=runner, options=self.options)


def target(
    beam_flags: Sequence[str],
    paths: Mapping[str, Sequence[str]],
    *,
    streaming: bool = False,
    dry_run: bool = False,
) -> Target:
    """Find out where a job is to run.

    Args:
      beam_flags: flags for Beam itself.
      paths: flag -> the paths that workers read or write and that were given with it.
      streaming: it does not end.
      dry_run: it is to be built alone.

    Raises:
      ValueError: if Dataflow lacks what it needs, or a path that its workers cannot see is
        given.
    """
    options = PipelineOptions(list(beam_flags), save_main_session=False)
    standard = options.view_as(StandardOptions)
    standard.streaming = streaming
    is_dataflow = "dataflow" in (standard.runner or "").lower()
    if is_dataflow:
        options.view_as(TestOptions).dry_run = dry_run
        _check_cloud(options.view_as(GoogleCloudOptions), paths)
    return Target(options, standard.runner is None, is_dataflow)


def _check_cloud(cloud: GoogleCloudOptions, paths: Mapping[str, Sequence[str]]) -> None:
    needed = {
        "--project": cloud.project,
        "--region": cloud.region,
        "--temp_location": cloud.temp_location,
    }
    if missing := [flag for flag, value in needed.items() if not value]:
        raise ValueError(f"a job on Dataflow needs {' and '.join(missing)}")
    for flag, given in {**paths, "--temp_location": [cloud.temp_location]}.items():
        for path in given:
            if not path.startswith("gs://"):
                raise ValueError(
                    f"workers on Dataflow see no local file: {flag} must begin with "
                    f"gs://, got {path}"
                )


def job_name(text: str) -> str:
    """Make a name that Dataflow takes: at most 63 of a-z, 0-9 and "-".

    >>> job_name("newsdedup-2026-05-16T08:00")
    'newsdedup-2026-05-16t08-00'
    """
    name = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(name) > 63:
        # Names that begin alike are told apart.
        name = f"{name[:54].rstrip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return name


def graph_of(pipeline: beam.Pipeline) -> Any:
    """Give the graph of a pipeline as its runner hands it on, a proto; nothing runs.

    On Dataflow the target must be a dry run.

    Raises:
      ValueError: if it is too large.
    """
    is_dry = pipeline.options.view_as(TestOptions).dry_run
    graph = pipeline.run().job.proto_pipeline if is_dry else pipeline.to_runner_api()
    if (size := graph.ByteSize()) > MOST_GRAPH_BYTES:
        raise ValueError(
            f"the graph of a job must be at most {MOST_GRAPH_BYTES:,} bytes, got {size:,}: "
            "give fewer and larger input files"
        )
    return graph


def graph_told(pipeline: beam.Pipeline) -> str:
    """Say what the graph of a pipeline is, nothing of which runs.

    Raises:
      ValueError: if it is too large.
    """
    graph = graph_of(pipeline)
    stages = sum(not stage.subtransforms for stage in graph.components.transforms.values())
    size = f"{stages} stages in {graph.ByteSize():,} bytes"
    return f"the job is built and was not run: {size}"


def run_to_end(pipeline: beam.Pipeline) -> PipelineResult:
    """Run a pipeline in a thread beside this one, so that an interrupt is heard here.

    In the thread that does the work it would be taken for an error of the work, retried
    and reported as one. A job on Dataflow is cancelled when it is interrupted here. Of one
    that becomes a template the end is not waited for.

    Raises:
      RuntimeError: if the run failed.
    """
    failures: list[BaseException] = []
    results: list[PipelineResult] = []
    cloud = pipeline.options.view_as(GoogleCloudOptions)

    def work() -> None:
        try:
            results.append(pipeline.run())
            if not cloud.template_location:
                results[0].wait_until_finish()
        except BaseException as error:
            failures.append(error)

    before = set(threading.enumerate())
    # What was imported stays: to look for garbage in it again and again takes longer than
    # to read the input.
    gc.collect()
    gc.freeze()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_SECONDS_BETWEEN_LOOKS)
    except BaseException:
        for result in results:
            # Most runners cannot. Of one that can the end is awaited.
            with contextlib.suppress(NotImplementedError, grpc.RpcError):
                result.cancel()
                thread.join()
        raise
    gc.unfreeze()
    if not isinstance(pipeline.runner, FnApiRunner):
        # Of a runner elsewhere.
        HAS_LISTENED.set()
        for listener in set(threading.enumerate()) - before:
            listener.join(_SECONDS_TO_HANG_UP)
    if failures:
        # Nothing the caller said is wrong by now, whatever a worker raised.
        raise RuntimeError(f"the run failed: {failures[0]}") from failures[0]
    return results[0]
