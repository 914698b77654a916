"""A store like Google's over HTTP, of this process: the emulator, and what it leaves out.

Lists come in pages, an object is replaced or read only if it is of the version that was
asked for, and a test may say what is refused.
"""

import http.server
import io
import json
import re
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

# Of a list, as the store gives it.
PAGE = 1_000

_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+?)(?:/rewriteTo/.*)?")
_NAME = re.compile(rb'"name": ?("(?:[^"\\]|\\.)*")')

# Method and path of a request, and the name of the object that is written, if one is.
Refusing = Callable[[str, str, str], int | None]


class _Handler(RequestHandler):
    def __init__(self, owner: "StorageServer", *given: Any) -> None:
        self.owner = owner
        super().__init__(owner.storage, *given)

    def _answered(self, method: str, serve: Callable[[RequestHandler], None]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.rfile = io.BytesIO(body)
        address = urlsplit(self.path)
        path, asked = unquote(address.path), parse_qs(address.query)
        found = _NAME.search(body) if method == "POST" and "/upload/" in path else None
        written = json.loads(found[1]) if found else ""
        with self.owner.lock:
            self.owner.asked.append((method, path))
            refused = self.owner.refusing(method, path, written)
            if refused is None and "ifGenerationMatch" in asked:
                refused = self._overtaken(path, written, asked["ifGenerationMatch"][0])
            if refused is not None:
                message = f"refused with {refused}"
                self._give(refused, {"error": {"code": refused, "message": message}})
            elif method == "GET" and path.endswith("/o"):
                self._list(path.split("/")[-2], asked)
            else:
                serve(self)

    def _overtaken(self, path: str, written: str, version: str) -> int | None:
        place = _OBJECT.fullmatch(path)
        bucket, name = (place[1], place[2]) if place else (path.split("/")[-2], written)
        try:
            now = self.owner.storage.get_file_obj(bucket, name)["generation"]
        except NotFound:
            now = "0"
        return None if str(now) == version else 412

    def _list(self, bucket: str, asked: dict[str, list[str]]) -> None:
        prefix, delimiter, token = (
            asked.get(name, [""])[0] for name in ("prefix", "delimiter", "pageToken")
        )
        try:
            items, prefixes = self.owner.storage.get_file_list(
                bucket, prefix or None, delimiter or None
            )
        except NotFound:
            self._give(404, {"error": {"code": 404, "message": "no such bucket"}})
            return
        size = min(PAGE, int(asked.get("maxResults", [PAGE])[0]))
        start = int(token or 0)
        page = {"items": items[start : start + size], "prefixes": prefixes}
        if start + size < len(items):
            page["nextPageToken"] = str(start + size)
        self._give(200, page)

    def _give(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _serving(method: str) -> Callable[[_Handler], None]:
    def serve(self: _Handler) -> None:
        self._answered(method, getattr(RequestHandler, f"do_{method}"))

    return serve


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    setattr(_Handler, f"do_{_method}", _serving(_method))


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that went away."""


class StorageServer:
    """A store with empty buckets.

    Attributes:
      address: where it listens.
      asked: method and path of every request so far.
      refusing: gives the status with which a request is refused, None where it is not.
    """

    def __init__(self, *buckets: str) -> None:
        self.storage = Storage(use_memory_fs=True)
        self.lock = threading.Lock()
        self.asked: list[tuple[str, str]] = []
        self.refusing: Refusing = lambda *_: None
        for name in buckets:
            self.storage.create_bucket(name, {"name": name, "kind": "storage#bucket"})
        self._server = _Quiet(("127.0.0.1", 0), partial(_Handler, self))
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "StorageServer":
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def names(self, bucket: str) -> list[str]:
        """Give the names of the objects of a bucket, ascending."""
        with self.lock:
            return sorted(self.storage.objects.get(bucket, {}))

    def content(self, bucket: str, name: str) -> bytes:
        """Give the content of an object."""
        with self.lock:
            return bytes(self.storage.get_file(bucket, name))
