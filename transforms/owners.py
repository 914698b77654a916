"""Owners: one run at a time works in an output folder, and says that it does.

Who works there writes a file into the staging folder and then looks around. Of two that
begin at once each writes before it looks, so one at least sees the other and goes.

On this machine a process that is noted and does not live is dead. Of a bucket nobody knows
where its owner runs: there the note holds for `LEASE_SECONDS`, and is written anew as long
as the owner lives. Whoever is paused for longer may lose what it staged, but puts nothing
in force that it should not: see `parquet.commit`. A job on Dataflow goes on when its
launcher has left; of that one Dataflow is asked.
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from google.api_core import exceptions, gapic_v1
from google.auth.exceptions import GoogleAuthError

from transforms import storage
from transforms.parquet import OWNER, STAGING, remove_leftovers

LEASE_SECONDS = 600.0


# Seconds that an answer of Dataflow is waited for.
_PATIENCE = 10.0


class CloudJob(NamedTuple):
    """A job on Dataflow.

    Attributes:
      name: of the job.
      project: of Google Cloud.
      region: that it runs in.
    """

    name: str
    project: str
    region: str

    def __str__(self) -> str:
        """Say which it is."""
        return f"Dataflow job {self.name} of {self.project} in {self.region}"

    @property
    def is_active(self) -> bool:
        """Whether it waits, runs or ends; one that cannot be asked for counts as active."""
        # Takes longer to import than most runs have need of.
        from google.cloud import dataflow_v1beta3 as dataflow

        asked = dataflow.ListJobsRequest(
            project_id=self.project,
            location=self.region,
            filter=dataflow.ListJobsRequest.Filter.ACTIVE,
        )
        try:
            found = dataflow.JobsV1Beta3Client().list_jobs(
                asked, retry=gapic_v1.method.DEFAULT, timeout=_PATIENCE
            )
            return any(job.name == self.name for job in found)
        except (exceptions.GoogleAPIError, GoogleAuthError):
            return True


def own_staging(staging: str, job: CloudJob | None = None) -> None:
    """Make a staging folder and note in it who works there: this process, or a job."""
    owner: dict[str, object] = {"host": socket.gethostname(), "process": os.getpid()}
    if job is not None:
        # It is not known to Dataflow before its launcher has left.
        owner = {"job": job._asdict(), "until": time.time() + LEASE_SECONDS}
    elif storage.is_stored(staging):
        owner["until"] = time.time() + LEASE_SECONDS
    storage.write(storage.join(staging, OWNER), json.dumps(owner).encode())


def living_owner(path: str) -> str | None:
    """Say who works in a staging folder, by its owner file; None if that process is dead.

    A process of another machine cannot be asked and counts as living; as long as its lease
    says, if it has one. A job counts so for as long, and then if Dataflow says so.
    """
    found = storage.current(path)
    try:
        owner = json.loads(found[0] if found else "null")
        if "job" in owner:
            job = CloudJob(**owner["job"])
            is_new = time.time() < float(owner["until"])
            return str(job) if is_new or job.is_active else None
        host, process = str(owner["host"]), int(owner["process"])
        until = owner.get("until")
        if until is not None and time.time() >= float(until):
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if until is None and host == socket.gethostname():
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return None
        except PermissionError:
            pass
    return f"process {process} on {host}"


def refuse_others(output: str, *, but: str = "", what: str = "run") -> None:
    """Refuse an output folder that another process works in.

    Args:
      output: the folder.
      but: our own staging folder.
      what: is done there, as a word.

    Raises:
      ValueError: if somebody does, with who it is.
    """
    for found in storage.matching(storage.join(output, f"{STAGING}-*", OWNER)):
        folder = found.path.removesuffix(f"/{OWNER}")
        name = folder.rpartition("/")[2]
        if but.rpartition("/")[2] != name and (owner := living_owner(found.path)):
            left = folder if storage.is_stored(folder) else name
            raise ValueError(
                f"another {what} is at work in {output}, {owner}; if it has died, "
                f"delete {left}"
            )


@contextlib.contextmanager
def owned(
    output: str, staging: str, *, what: str = "run", job: CloudJob | None = None
) -> Iterator[None]:
    """Have an output folder for ourselves; what dead runs left in it is removed.

    In the end our staging folder is gone, too. That of a job elsewhere, which goes on
    without us, is the job's to remove.

    Args:
      output: the folder.
      staging: our staging folder in it.
      what: is done there, as a word.
      job: that works there in our place; None: this process does.

    Raises:
      ValueError: if another process has it, or it cannot be written.
    """
    refuse_others(output, what=what)
    try:
        storage.check_writable(output)
        own_staging(staging, job)
    except OSError as error:
        raise ValueError(f"output folder {output} cannot be written: {error}") from error
    done = threading.Event()

    def keep() -> None:
        while not done.wait(LEASE_SECONDS / 10):
            # What fails now works next time, and there are nine more.
            with contextlib.suppress(OSError):
                own_staging(staging)

    thread = threading.Thread(target=keep, daemon=True)
    try:
        refuse_others(output, but=staging, what=what)
        remove_leftovers(output, but=staging)
        if job is None and storage.is_stored(staging):
            thread.start()
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()
        if job is None:
            # What cannot be removed now the next run removes.
            with contextlib.suppress(OSError):
                storage.delete_folder(staging)
