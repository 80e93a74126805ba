"""Requests of the loopback Hub: routes, answers, faults; and the storage host."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    token: str | None


class Refusal(Exception):
    """An answer that is an error. `bug` tells what no client should have sent."""

    def __init__(self, status: int, code: str = "", message: str = "", bug: str = "", body=None):
        self.status, self.code, self.message, self.bug, self.body = status, code, message, bug, body


class Handler(BaseHTTPRequestHandler):
    """Finds the route and sends what it returns: (status, headers, body or JSON)."""

    hub = None  # each server has a subclass that knows its `Hub`
    routes: tuple[tuple[str, str, str], ...]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        url = urlsplit(self.path)
        self.route, self.query = unquote(url.path), parse_qs(url.query)
        header = self.headers.get("Authorization")
        self.token = header.removeprefix("Bearer ") if header else None
        self.body = self.read_body()
        request = Request(self.command, self.route, self.headers.get("Range"), self.token)
        self.hub.requests.append(request)
        self.fault = self.hub.fault(self.command, self.route)
        try:
            if self.fault and self.fault.kind == "status":
                self.send(self.fault.status, self.fault.headers, b"")
                return
            # Quoted slashes (of a revision such as "refs/pr/1") are no separators.
            for method, pattern, name in self.routes:
                if method == self.command and (match := re.fullmatch(pattern, url.path)):
                    arguments = {k: unquote(v) for k, v in match.groupdict().items()}
                    self.send(*getattr(self, name)(**arguments))
                    return
            raise Refusal(500, bug="unknown route")
        except Refusal as error:
            if error.bug:
                self.hub.problems.append(f"{self.command} {self.path}: {error.bug}")
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message}
            body = error.body or {"error": error.message or error.bug}
            self.send(error.status, {k: v for k, v in headers.items() if v}, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(self, status: int, headers: Mapping[str, str], body) -> None:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fault, wanted = self.fault, self.headers.get("Range")
        headers = dict(headers)
        if fault and fault.kind == "head_size":
            key = "X-Linked-Size" if "X-Linked-Size" in headers else "Content-Length"
            headers[key] = str(int(headers.get(key, len(body))) + 1)
        elif fault:
            body = fault.spoil(body)
        if fault and fault.stops and fault.at < 0:
            return self.stop()
        if wanted and status == 200 and not (fault and fault.kind == "whole"):
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            if not match or int(match[1]) >= len(body):
                self.hub.problems.append(f"{self.command} {self.path}: Range {wanted}")
                status, body = 416, b""
            else:
                headers["Content-Range"] = f"bytes {match[1]}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[int(match[1]) :]
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return None
        if fault and fault.stops:
            self.wfile.write(body[: fault.at])
            return self.stop()
        self.wfile.write(body)
        return None

    def stop(self) -> None:
        self.wfile.flush()
        self.fault.stop(self.connection)
        self.close_connection = True


class StorageRoutes(Handler):
    """The second port: large files by hash."""

    routes = (
        ("GET", r"/objects/(?P<sha256>\w{64})/.+", "get"),
        ("PUT", r"/objects/(?P<sha256>\w{64})", "put"),
    )

    def get(self, sha256: str):
        self.without_token()
        if sha256 not in self.hub.stored:
            raise Refusal(404, bug="no such object")
        return 200, {"ETag": f'"{sha256}"'}, self.hub.stored[sha256]

    def put(self, sha256: str):
        self.without_token()
        if self.hub.announced.get(sha256) != len(self.body):
            raise Refusal(400, bug="not as announced to the batch route")
        if hashlib.sha256(self.body).hexdigest() != sha256:
            raise Refusal(400, bug="the content has another sha256")
        self.hub.stored[sha256] = self.body
        return 200, {}, b""

    def without_token(self):
        if self.token is not None:
            raise Refusal(400, bug="a token for the storage host")
