"""The whole run in other processes: two workers, started and installed in other folders."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.deduplicate import TABLES
from pipeline.show import read_table

ROOT = Path(__file__).parent.parent
SCRIPT = "from pipeline.cli import command_line; command_line()"
NOTE = "import os, pathlib\npathlib.Path(os.environ['SEEN'], str(os.getpid())).touch()\n"


def installed(folder):
    """Install the packages elsewhere; a process that imports them there leaves a note."""
    for package in ("schemas", "transforms", "pipeline"):
        # Links, so that what is compiled stays so.
        shutil.copytree(ROOT / package, folder / package, copy_function=os.symlink)
        (folder / package / "__init__.py").unlink()
        (folder / package / "__init__.py").write_text(NOTE)
    return str(folder)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def service(tmp_path):
    """Give the folder that a job service and its workers write to while they run."""
    folder, elsewhere, seen = (tmp_path / name for name in ("service", "cwd", "seen"))
    for path in (folder, elsewhere, seen):
        path.mkdir()
    told = {"PYTHONPATH": installed(tmp_path / "installed"), "SEEN": str(seen)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "job_service.py"), str(folder)],
            cwd=elsewhere,
            env=os.environ | told,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    try:
        while not (folder / "job").exists():
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield folder
    finally:
        process.stdin.close()
        process.wait()
    workers = [int(line) for line in (folder / "workers").read_text().split()]
    assert not any(map(is_running, workers))


@pytest.mark.model
def test_two_workers_elsewhere_write_the_tables_of_a_run_in_one_process(
    service, tmp_path, default_output
):
    # Paths are relative to where the command is given, and mean nothing to the workers.
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "in").symlink_to(ROOT / "examples" / "articles")
    command = [
        *(sys.executable, "-c", SCRIPT),
        *("run", "--input", "in/*", "--output", "out", "--run-id", "test"),
        *("--runner", "PortableRunner", "--job_endpoint", (service / "job").read_text()),
        *("--environment_type", "EXTERNAL"),
        *("--environment_config", (service / "pool").read_text()),
    ]
    result = subprocess.run(
        command,
        cwd=tmp_path / "here",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr + (service / "log").read_text()
    assert "stories" in result.stdout

    workers = set((service / "workers").read_text().split())
    assert len(workers) == 2
    assert workers <= {path.name for path in (tmp_path / "seen").iterdir()}

    output = tmp_path / "here" / "out"
    assert {path.name for path in output.iterdir()} == {*TABLES, "manifest.json"}
    for table in TABLES:
        ours, theirs = (rows_of(Path(folder), table) for folder in (output, default_output))
        # A reject names its file as it was given.
        names = [name for name in ours.column_names if name != "file"]
        assert ours.num_rows == theirs.num_rows
        for name in names:
            assert ours.column(name).equals(theirs.column(name)), (table, name)

    check_side_inputs(service, output)


def rows_of(output, table):
    """Give the rows of a table as its files hold them, in the order of the files."""
    files = sorted((output / table).glob("*.parquet"))
    return pa.concat_tables(map(pq.read_table, files)).combine_chunks()


def check_side_inputs(service, output):
    """Find side inputs so small that those of 400,000 new articles are below 80 MB."""
    sizes = json.loads((service / "sides.json").read_text())
    articles = read_table(str(output), "articles", ["article_id"]).num_rows
    assert sizes
    assert max(sizes.values()) / articles * 400_000 < 80e6
