"""Buckets: objects of Google's store, found, fetched, sent, copied and deleted.

What differs from a disk, and is dealt with here:

* An object appears whole or not at all, when its writer is done, and never changes.
* There are no folders, only names with slashes in them, and nothing is moved.
* It is far away. Small objects are fetched whole, many are asked for side by side, and what
  fails for the moment is tried again for `SECONDS_TO_RETRY`. But the first question to a
  bucket is answered within `SECONDS_TO_ANSWER` or not at all: a user without credentials
  need not wait to be told.

Whatever the store refuses is an OSError of one sentence.
"""

import concurrent.futures
import contextlib
import functools
import gzip
import io
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple, TypeVar, cast

# That a store has to say whether it knows a bucket, or a hub a model.
SECONDS_TO_ANSWER = 10.0
# That what fails for the moment is tried again, once a bucket has answered.
SECONDS_TO_RETRY = 60.0
# That the metadata server of a machine has to say that it is there; and how often it is
# asked before the machine is taken to have none.
_SECONDS_BESIDE, _QUESTIONS = 1.0, 2
# An object up to this size is fetched whole, of a larger one so much at a time.
FETCHED_BYTES = 16 << 20
# Objects copied, deleted or asked for at the same time.
_SIDE_BY_SIDE = 8
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"

T = TypeVar("T")
U = TypeVar("U")


class UnreachableError(OSError):
    """The store does not answer, or is out of order: the same may work later."""


class OvertakenError(OSError):
    """Somebody else has written a file since it was read."""


class Found(NamedTuple):
    """A file that was listed.

    Attributes:
      path: its path.
      size: in bytes.
      content: a text that differs when its content does; "" for a file of this machine,
        which tells none without being read.
    """

    path: str
    size: int
    content: str = ""


def bucket_and_name(path: str) -> tuple[str, str]:
    """Take the path of an object apart; the name is empty where only a bucket is named.

    >>> bucket_and_name("gs://news/out/manifest.json")
    ('news', 'out/manifest.json')

    Raises:
      ValueError: if it names no bucket.
    """
    parts = re.fullmatch(r"gs://([a-z0-9][-_.a-z0-9]*[a-z0-9])(?:/(.*))?", path, re.DOTALL)
    if parts is None:
        raise ValueError(f"a path in a bucket must be gs://BUCKET/NAME, got {path}")
    return parts[1], parts[2] or ""


def answer(question: Callable[[], T]) -> T:
    """Ask a server and wait `SECONDS_TO_ANSWER`, whatever keeps it from answering.

    A library bounds each of its attempts, but neither the look-up of the host's name nor
    the number of its addresses.

    Raises:
      TimeoutError: if it has not answered by then.
    """
    given: concurrent.futures.Future[T] = concurrent.futures.Future()

    def ask() -> None:
        try:
            given.set_result(question())
        except Exception as error:
            given.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return given.result(SECONDS_TO_ANSWER)


@contextlib.contextmanager
def told(path: str, doing: str, *, first: bool = False) -> Iterator[None]:
    """Tell what the store's library raises as an OSError of one sentence.

    Args:
      path: what is asked for.
      doing: what these credentials would have to be allowed, with a bucket.
      first: whether it is the bucket itself that may not exist.

    Raises:
      FileNotFoundError: if there is no such bucket or object.
      PermissionError: if there are no credentials, or they do not suffice.
      UnreachableError: if the store does not answer.
      OvertakenError: if the object is not what it was any more.
      OSError: for anything else that it refuses.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from requests import RequestException

    bucket = bucket_and_name(path)[0]
    try:
        yield
    except api.NotFound as error:
        if first:
            raise FileNotFoundError(f"there is no bucket {bucket}") from error
        raise FileNotFoundError(2, "No such object", path) from error
    except api.PreconditionFailed as error:
        raise OvertakenError(f"somebody else has written {path} meanwhile") from error
    except (api.Forbidden, api.Unauthorized) as error:
        raise PermissionError(
            f"these Google credentials may not {doing} bucket {bucket}"
        ) from error
    except auth.DefaultCredentialsError as error:
        raise PermissionError(
            f"Google credentials are needed: {first_sentence(error)}"
        ) from error
    except (auth.TransportError, api.RetryError, RequestException, TimeoutError) as error:
        raise UnreachableError("the store cannot be reached") from error
    except (api.ServerError, api.TooManyRequests) as error:
        raise UnreachableError(
            f"the store is out of order, it says {error.code}"
        ) from error
    except (DataCorruption, InvalidResponse) as error:
        raise UnreachableError(f"what came of {path} is not what is there") from error
    except (api.GoogleAPIError, auth.GoogleAuthError) as error:
        raise OSError(first_sentence(error)) from error


def first_sentence(error: BaseException) -> str:
    """Give what an error of another library says first, the way our own are written."""
    lines = str(error).strip().splitlines() or [repr(error)]
    return lines[0].split(". ")[0].rstrip(".:")


def _credentials() -> Any:
    """Find Google credentials, without long waiting for a metadata server.

    Raises:
      PermissionError: if there is no metadata server, nor anything else to find them by.
    """
    import google.auth
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    request, failed = Request(), 0

    def beside(*given: Any, **named: Any) -> Any:
        nonlocal failed
        try:
            return request(*given, **{**named, "timeout": _SECONDS_BESIDE})
        except TransportError as error:
            failed += 1
            if failed < _QUESTIONS:
                raise
            raise PermissionError(
                "Google credentials are needed: none were found, and "
                "`gcloud auth application-default login` makes some"
            ) from error

    # It warns of every question that is not answered; one sentence tells the end.
    logger = logging.getLogger("google.auth")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return google.auth.default(scopes=[_SCOPE], request=cast(Any, beside))[0]
    finally:
        logger.setLevel(level)


@functools.lru_cache(maxsize=4)
def _client_of(emulator: str | None, process: int) -> Any:
    from google.cloud.storage import Client

    # No project is needed to read and write objects.
    return Client(project=None, credentials=None if emulator else _credentials())


def client() -> Any:
    """Give the store's client of this process, a `google.cloud.storage.Client`.

    It may be shared by threads, not by processes.
    """
    return _client_of(os.environ.get("STORAGE_EMULATOR_HOST"), os.getpid())


# Buckets that have answered, and of which emulator.
_answered: set[tuple[str | None, str]] = set()


def _located(path: str) -> tuple[Any, str]:
    """Give the bucket of a path, and the name in it; a bucket must answer first."""
    name, inside = bucket_and_name(path)
    known = os.environ.get("STORAGE_EMULATOR_HOST"), name
    if known not in _answered:
        with told(path, "list", first=True):
            answer(lambda: _first_question(name, inside))
        _answered.add(known)
    return client().bucket(name), inside


def _first_question(bucket: str, start: str) -> None:
    list(client().list_blobs(bucket, prefix=start, max_results=1, retry=None))


def _again() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(SECONDS_TO_RETRY)


def side_by_side(work: Callable[[T], U], given: Iterable[T]) -> list[U]:
    """Do something for each of many objects, several at a time; a failure ends it."""
    with concurrent.futures.ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        done = [pool.submit(work, one) for one in given]
        try:
            return [one.result() for one in done]
        finally:
            pool.shutdown(cancel_futures=True)


def listed(path: str, *, deep: bool = True) -> list[Found]:
    """List the objects whose paths begin so, page by page; folders are none.

    Args:
      path: that theirs begin with.
      deep: also those that have slashes after it.
    """
    bucket, start = _located(path)
    until = None if deep else "/"
    with told(path, "list"):
        return [
            Found(
                f"gs://{bucket.name}/{item.name}",
                item.size or 0,
                f"{item.size} {item.md5_hash or item.crc32c}",
            )
            for item in bucket.list_blobs(prefix=start, delimiter=until, retry=_again())
            # A console's way to show an empty folder.
            if not item.name.endswith("/")
        ]


class StoredObject(NamedTuple):
    """An object as it was when it was asked for: readers see no later one."""

    path: str
    bucket: Any
    name: str
    size: int
    version: int
    is_gzipped: bool

    def part(self, start: int, length: int) -> bytes:
        """Fetch some of its bytes, as they are stored."""
        if not length:
            return b""
        whole = length == self.size
        with told(self.path, "read"):
            # What a download tells of an object is written into the blob.
            content: bytes = self.bucket.blob(self.name).download_as_bytes(
                start=None if whole else start,
                end=None if whole else start + length - 1,
                raw_download=True,
                if_generation_match=self.version,
                retry=_again(),
            )
        return content


def asked_for(path: str) -> StoredObject | None:
    """Ask for an object as it is now; None if there is none."""
    bucket, name = _located(path)
    with told(path, "read"):
        blob = bucket.get_blob(name, retry=_again()) if name else None
    if blob is None:
        return None
    is_gzipped = blob.content_encoding == "gzip" and not name.endswith(".gz")
    return StoredObject(path, bucket, name, blob.size, int(blob.generation), is_gzipped)


class _Stream(io.RawIOBase):
    """A large object, read a part at a time."""

    def __init__(self, found: StoredObject) -> None:
        self._found, self._place = found, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._found.size}
        self._place = start[whence] + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), max(0, self._found.size - self._place))
        buffer[:length] = self._found.part(self._place, length)
        self._place += length
        return length


def open_object(path: str) -> IO[bytes]:
    """Open an object to be read, as it was before the store compressed it.

    Raises:
      FileNotFoundError: if there is none.
    """
    found = asked_for(path)
    if found is None:
        raise FileNotFoundError(2, "No such object", path)
    if found.size <= FETCHED_BYTES:
        stream: IO[bytes] = io.BytesIO(found.part(0, found.size))
    else:
        stream = io.BufferedReader(_Stream(found), FETCHED_BYTES)
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if found.is_gzipped else stream


def object_exists(path: str) -> bool:
    """Tell whether there is such an object."""
    bucket, name = _located(path)
    with told(path, "read"):
        return bool(name) and bool(bucket.blob(name).exists(retry=_again()))


def fetch(path: str, start: int, length: int) -> bytes:
    """Fetch some bytes of an object that is known to be large enough."""
    bucket, name = _located(path)
    with told(path, "read"):
        content: bytes = bucket.blob(name).download_as_bytes(
            start=start, end=start + length - 1, raw_download=True, retry=_again()
        )
    return content


def upload(stream: IO[bytes], path: str, version: int | None = None) -> None:
    """Send all of a stream.

    Args:
      stream: that can be read from its start again.
      path: of the object, which appears when all of it has come.
      version: that is there now, 0 for none; None: whatever is there.

    Raises:
      OvertakenError: if another version is there.
    """
    bucket, name = _located(path)
    # Of a known size, a small one is sent with a single request.
    size = stream.seek(0, io.SEEK_END)
    with told(path, "write to"):
        bucket.blob(name).upload_from_file(
            stream, rewind=True, size=size, if_generation_match=version, retry=_again()
        )


def copy_object(source: str, target: str) -> None:
    """Copy an object in the store; a large one takes several requests."""
    source_bucket, source_name = _located(source)
    bucket, name = _located(target)
    with told(target, "write to"):
        token, blob = None, source_bucket.blob(source_name)
        while True:
            token, _, _ = bucket.blob(name).rewrite(blob, token=token, retry=_again())
            if token is None:
                return


def delete_object(path: str) -> None:
    """Delete an object; one that is gone already is none."""
    bucket, name = _located(path)
    with contextlib.suppress(FileNotFoundError), told(path, "delete from"):
        bucket.blob(name).delete(retry=_again())
