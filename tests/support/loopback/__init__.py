"""A small, strict Hub on 127.0.0.1 for the real client of `huggingface_hub`.

Everything is in memory. Two ports, as on the real Hub: large files are redirected to a storage
host, which must never see a token. What no client should send (an unknown route, a wrong hash, a
token for the storage) is answered with an error and kept in `problems`; tests assert that there
are none. Every request is kept in `requests`, and `fail` spoils answers.
"""

import threading
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path

from .faults import Fault
from .http import Request, StorageRoutes
from .repo import LARGE, File, Repo
from .routes import HubRoutes

OWNER, READER = "hf_ownerownerownerowner", "hf_readerreaderreader"


class Hub:
    """The server: a context manager.

    Attributes:
        endpoint: for HF_ENDPOINT.
        repos: "org/name" -> `Repo`.
        tokens: token -> namespaces that it may write to.
        stored: large files by sha256.
        requests, problems: all there were.
    """

    def __init__(self):
        self.repos: dict[str, Repo] = {}
        self.tokens: dict[str, tuple[str, ...]] = {OWNER: ("org",), READER: ()}
        self.stored: dict[str, bytes] = {}
        self.announced: dict[str, int] = {}
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self._faults: list[tuple[str, str, list[Fault | None], bool]] = []
        self._lock = threading.Lock()
        self._servers = []
        for routes in (HubRoutes, StorageRoutes):
            handler = type("Handler", (routes,), {"hub": self})
            self._servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        for server in self._servers:
            server.daemon_threads, server.block_on_close = True, False
            server.handle_error = lambda *_: None  # clients that are killed
        self.endpoint, self.storage = (
            f"http://127.0.0.1:{server.server_port}" for server in self._servers
        )

    def __enter__(self):
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, repo: str, files: Mapping[str, bytes] | Path, message="files", **options) -> str:
        """Commits files (or a folder's) to a repository, which is made where needed; the commit."""
        if isinstance(files, Path):
            files = {p.name: p.read_bytes() for p in files.iterdir()}
        found = self.repos.setdefault(repo, Repo(**options))
        new = {name: File(data, name.endswith(LARGE)) for name, data in files.items()}
        self.stored.update({file.sha256: file.data for file in new.values() if file.large})
        return found.commit(found.files | new, message)

    def fail(self, end: str, *faults: Fault | None, method: str = "GET", forever: bool = False):
        """The n-th request from now with this method whose path ends so gets the n-th fault.

        None leaves a request alone. With `forever` the last fault stays.
        """
        with self._lock:
            self._faults.append((method, end, list(faults), forever))

    def heal(self) -> None:
        """No more faults; forgets the requests."""
        with self._lock:
            self._faults.clear()
        self.requests.clear()

    def count(self, end: str = "", method: str | None = None) -> int:
        """Requests so far whose path ends so."""
        return sum(r.path.endswith(end) and method in (None, r.method) for r in self.requests)

    def environment(self, home: Path, token: str = "", **more: str) -> dict[str, str]:
        """For a process whose client shall talk to this Hub alone, with its cache in `home`."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN": token,
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "HF_HUB_ETAG_TIMEOUT": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            **more,
        }

    def fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for wanted, end, faults, forever in self._faults:
                if wanted == method and path.endswith(end) and faults:
                    return faults[0] if forever and len(faults) == 1 else faults.pop(0)
        return None
