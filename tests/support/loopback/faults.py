"""What can go wrong with an answer of the loopback Hub, and how it is sent then."""

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

KINDS = ("close", "reset", "stall", "call", "flip", "longer", "shorter", "head_size", "whole")


@dataclass(frozen=True)
class Fault:
    """One spoiled answer.

    Attributes:
        kind: "close", "reset", "stall" after `at` bytes of the body; "call" calls `action` there
            and closes; "flip" a bit of byte `at`; "longer", "shorter" by a byte; "head_size" one
            more in the size that HEAD tells; "whole" ignores Range; "status" answers `status`.
        at: bytes of the body that are sent as they should be; -1 for not even a header.
        headers: of a "status" answer.
    """

    kind: str
    at: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    action: Callable[[], object] | None = None

    def __post_init__(self):
        if self.kind not in (*KINDS, "status"):
            raise ValueError(self.kind)

    @property
    def stops(self) -> bool:
        """Whether the answer ends early."""
        return self.kind in ("close", "reset", "stall", "call")

    def spoil(self, body: bytes) -> bytes:
        if self.kind == "flip":
            return body[: self.at] + bytes([body[self.at] ^ 1]) + body[self.at + 1 :]
        return {"longer": body + b"\0", "shorter": body[:-1]}.get(self.kind, body)

    def stop(self, connection: socket.socket) -> None:
        """Ends an answer whose first `at` bytes are sent."""
        if self.kind == "call":
            self.action()
        elif self.kind == "stall":
            while connection.recv(4096):  # until the client gives up
                pass
        elif self.kind == "reset":  # no lingering: the peer gets RST, not FIN
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())
