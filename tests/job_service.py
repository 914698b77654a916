"""A job service and its workers, as a runner's machines have them: other processes.

    python tests/job_service.py FOLDER

Beam's own job service starts one worker for a job however many are asked for, so this one
asks the pool for two. Writes the address of the service to FOLDER/job and that of the pool
to FOLDER/pool when both answer; the process that began each worker to FOLDER/workers; and
after each job how large its side inputs were to FOLDER/sides.json. Ends, and its workers
with it, when its standard input does.
"""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import StateServicer
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

WORKERS = 2
FOLDER = Path(sys.argv[1])
sizes: dict[str, int] = collections.defaultdict(int)
append = StateServicer.append_raw


def counted(servicer, key, data):
    """Count what a stage is given besides its elements."""
    kind = key.WhichOneof("type")
    if "side_input" in kind:
        side = getattr(key, kind)
        sizes[f"{side.transform_id} {side.side_input_id}"] += len(data)
    return append(servicer, key, data)


class Job(BeamJob):
    """A job that two workers share."""

    def _invoke_runner(self):
        runner = FnApiRunner(provision_info=self._provision_info)
        runner._num_workers = WORKERS
        result = runner.run_via_runner_api(self._pipeline_proto, self.pipeline_options())
        (FOLDER / "sides.json").write_text(json.dumps(sizes))
        return result


def main():
    """Serve until standard input ends."""
    StateServicer.append_raw = counted
    pool, _ = BeamFnExternalWorkerPoolServicer.start(use_process=True)
    begin = subprocess.Popen

    def begun(command, **given):
        # The pool does not say which processes it began; and nobody reads what they print.
        process = begin([sys.executable, *command[1:]], **given | {"stdout": sys.stderr})
        with (FOLDER / "workers").open("a") as file:
            file.write(f"{process.pid}\n")
        return process

    subprocess.Popen = begun
    service = LocalJobServicer(beam_job_type=Job)
    port = service.start_grpc_server(0)
    for name, address in (("pool", pool), ("job", f"localhost:{port}")):
        (FOLDER / f".{name}").write_text(address)
        os.replace(FOLDER / f".{name}", FOLDER / name)
    sys.stdin.read()
    service.stop()


if __name__ == "__main__":
    main()
