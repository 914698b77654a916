"""One run at a time in an output folder."""

import json
import os
import socket
import time
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import dataflow_v1beta3 as dataflow

from transforms import owners, storage
from transforms.owners import CloudJob, living_owner, own_staging, owned
from transforms.parquet import OWNER, staging_folder


def test_the_owner_of_a_staging_folder_is_known_while_it_lives(tmp_path):
    staging = staging_folder(str(tmp_path))
    own_staging(staging)
    path = f"{staging}/{OWNER}"
    assert living_owner(path).startswith(f"process {os.getpid()} on ")
    Path(path).write_text(json.dumps({"host": socket.gethostname(), "process": 2**22 + 1}))
    assert living_owner(path) is None
    Path(path).write_text(json.dumps({"host": "elsewhere", "process": 1}))
    assert living_owner(path) == "process 1 on elsewhere"
    Path(path).write_text("{")
    assert living_owner(path) is None


@pytest.mark.parametrize(
    ("active", "age", "lives"),
    [
        (["another", "hourly"], 700, True),
        (["another"], 700, False),
        (["another"], 0, True),
        (exceptions.PermissionDenied("no"), 700, True),
        (DefaultCredentialsError("none"), 700, True),
    ],
)
def test_a_job_owns_its_folder_until_dataflow_knows_it_no_more(
    active, age, lives, tmp_path, monkeypatch
):
    """Dataflow itself cannot be had here: its client is one that answers what is given."""
    asked = []

    class Client:
        def list_jobs(self, request, **_):
            asked.append((request.project_id, request.location, request.filter.name))
            if isinstance(active, Exception):
                raise active
            return [dataflow.Job(name=name) for name in active]

    monkeypatch.setattr(dataflow, "JobsV1Beta3Client", Client)
    staging = staging_folder(str(tmp_path))
    own_staging(staging, CloudJob("hourly", "town-news", "europe-west1"))
    now = time.time()
    monkeypatch.setattr(owners.time, "time", lambda: now + age)
    sentence = "Dataflow job hourly of town-news in europe-west1"
    assert living_owner(f"{staging}/{OWNER}") == (sentence if lives else None)
    assert asked == [("town-news", "europe-west1", "ACTIVE")] * (age > 0)


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_a_folder_is_owned_by_one_and_what_the_dead_left_goes(place, store, tmp_path):
    output = str(tmp_path) if place == "disk" else "gs://news/out"
    dead = staging_folder(output)
    dying = {"host": socket.gethostname(), "process": 2**22 + 1, "until": 0}
    storage.write(f"{dead}/{OWNER}", json.dumps(dying).encode())
    storage.write(f"{dead}/articles.arrow", b"")
    own = staging_folder(output)
    with owned(output, own):
        assert [file.path for file in storage.files(output)] == [f"{own}/{OWNER}"]
        with (
            pytest.raises(ValueError, match="another run is at work in"),
            owned(output, staging_folder(output)),
        ):
            pass
    assert storage.files(output) == []


def test_of_two_that_begin_at_once_in_a_bucket_none_goes_on_beside_the_other(store):
    """The other one has looked before we wrote, and writes before we look."""
    output, own, other = "gs://news/out", "gs://news/out/_staging-1", "_staging-2"

    def begins(method, path, written):
        if method == "POST" and written.endswith(f"_staging-1/{OWNER}"):
            store.refusing = lambda *_: None
            note = {"host": "elsewhere", "process": 1}
            thing = {"bucket": "news", "size": "1", "generation": "1", "contentType": "x"}
            content = json.dumps(note).encode()
            thing |= {"name": f"out/{other}/{OWNER}", "size": str(len(content))}
            thing |= {"md5Hash": None, "crc32c": None}
            from gcp_storage_emulator.handlers.objects import _checksums

            store.storage.create_file(
                "news", thing["name"], content, _checksums(content, thing)
            )

    store.refusing = begins
    with (
        pytest.raises(ValueError, match="process 1 on elsewhere"),
        owned(output, own),
    ):
        pass
    assert store.names("news") == [f"out/{other}/{OWNER}"]


def test_the_note_in_a_bucket_holds_as_long_as_it_is_renewed(store, monkeypatch):
    own = staging_folder("gs://news/out")
    path = f"{own}/{OWNER}"
    monkeypatch.setattr(owners, "LEASE_SECONDS", 0.2)
    with owned("gs://news/out", own):
        first, _ = storage.current(path)
        while storage.current(path)[0] == first:
            pass
    storage.write(path, first)
    assert json.loads(first)["until"] > 0
    while living_owner(path):
        pass
