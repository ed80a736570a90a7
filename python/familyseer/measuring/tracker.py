"""What a TVM RPC tracker is asked, and whether one of its servers is still there (TVM: rpc/base.py, rpc/tracker.py)."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass

from tvm.rpc import base

# Seconds that a tracker or server on a slow network gets to answer.
_PATIENCE = 5.0
_NOBODY = "client:familyseer-probe"


@dataclass(frozen=True)
class Tracker:
    """Where a tracker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """Raises OSError if nobody answers there, ValueError if it is not a tracker."""
        connection = socket.create_connection((self.host, self.port), _PATIENCE)
        try:
            connection.sendall(struct.pack("<i", base.RPC_TRACKER_MAGIC))
            if struct.unpack("<i", base.recvall(connection, 4))[0] != base.RPC_TRACKER_MAGIC:
                raise ValueError(f"{self} is not a TVM RPC tracker.")
        except BaseException:
            connection.close()
            raise
        return connection


@dataclass(frozen=True)
class Address:
    """Where a server listens, as the tracker tells it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def is_here(self) -> bool:
        """Whether the server runs on this machine. Loopback addresses other than the usual one are left for tunnels."""
        if self.host in ("127.0.0.1", "::1", "localhost"):
            return True
        if self.host.startswith("127."):
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.bind((self.host, 0))
            return True
        return False

    def answers(self) -> bool:
        """Whether its process is there still, be it busy or deaf: asked as a client that it does not know."""
        try:
            connection = socket.create_connection((self.host, self.port), _PATIENCE / 2)
        except OSError:
            return False
        with connection:
            try:
                connection.sendall(struct.pack("<ii", base.RPC_MAGIC, len(_NOBODY)) + _NOBODY.encode())
                connection.settimeout(_PATIENCE / 10)
                return bool(connection.recv(4))
            except socket.timeout:
                return True
            except OSError:
                return False


@dataclass(frozen=True)
class Grant:
    """The right to open one session with a server; worth nothing after some seconds."""

    address: Address
    match_key: str


def servers(connection: socket.socket) -> list[tuple[str, Address]]:
    """The servers that are with the tracker, with their keys."""
    base.sendjson(connection, [base.TrackerCode.SUMMARY])
    code, summary = base.recvjson(connection)
    if code != base.TrackerCode.SUCCESS:
        raise OSError(f"the tracker answered its summary with {code}")
    return [(info["key"].split(":", 1)[1], Address(*info["addr"])) for info in summary["server_info"]]


def free(connection: socket.socket) -> dict[str, int]:
    """How many servers of each key are free."""
    base.sendjson(connection, [base.TrackerCode.SUMMARY])
    _code, summary = base.recvjson(connection)
    return {key: queue["free"] for key, queue in summary["queue_info"].items()}


def ask(connection: socket.socket, key: str) -> None:
    """Asks for a server; `granted` when the connection can be read. Closing it takes the question back."""
    base.sendjson(connection, [base.TrackerCode.REQUEST, key, "", 1])


def granted(connection: socket.socket) -> Grant:
    """Raises OSError if the tracker went away."""
    code, value = base.recvjson(connection)
    if code != base.TrackerCode.SUCCESS:
        raise OSError(f"the tracker answered a request with {code}")
    host, port, match_key = value
    return Grant(Address(host, port), match_key)
