"""The keys a worker connects with over tcp: its own pair, and the public key of the only orchestrator it talks to.

CURVE (ZeroMQ's RFC 26), as Z85 text; the files are ZeroMQ certificates, which `familyseer keys` writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import zmq


class KeysError(Exception):
    """There are no keys where some were named, or others may know them."""


@dataclass(frozen=True)
class ClientKeys:
    public: bytes
    secret: bytes = field(repr=False)
    server: bytes

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """From here on the socket connects to that server alone, encrypted, as this client."""
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret
        socket.curve_serverkey = self.server


def read_keys(folder: Path) -> ClientKeys:
    """From the folder `client` that `familyseer keys` made. Raises KeysError."""
    from zmq.auth import load_certificate

    secret_file = folder / "client.key_secret"
    try:
        if secret_file.stat().st_mode & 0o077:
            raise KeysError(f"{secret_file} is open to others, who may know it by now. Make new keys, of mode 0600.")
        public, secret = load_certificate(secret_file)
        server, _ = load_certificate(folder / "server.key")
    except (OSError, ValueError) as error:
        raise KeysError(
            f"There are no keys in {folder}: {error}. Expected the folder `client` that `familyseer keys` made."
        ) from None
    if secret is None:
        raise KeysError(f"{secret_file} has no secret key. Expected what `familyseer keys` wrote.")
    return ClientKeys(public, secret, server)


def receive_keys(lines: TextIO) -> ClientKeys:
    """From the orchestrator that started this process, as the next line of `lines`."""
    keys = json.loads(lines.readline())
    return ClientKeys(keys["publicKey"].encode(), keys["secretKey"].encode(), keys["server"].encode())
