"""Messages as bytes and back, each validated by protocol.schema.json where it arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import msgpack

_SCHEMA = json.loads((Path(__file__).parent / "protocol.schema.json").read_text())
PROTOCOL_VERSION: int = _SCHEMA["version"]
_to_worker = fastjsonschema.compile(_SCHEMA["to_worker"])
_params = {name: fastjsonschema.compile(operation["params"]) for name, operation in _SCHEMA["operations"].items()}


class ProtocolError(Exception):
    """Bytes arrived that are not a message of this protocol."""


def encode(message: dict[str, Any]) -> bytes:
    return msgpack.packb(message)


def decode(content: bytes) -> dict[str, Any]:
    """Raises ProtocolError for anything but a message to a worker whose parameters fit its operation."""
    try:
        message = msgpack.unpackb(content)
        _to_worker(message)
        if message["type"] == "request":
            _params[message["operation"]](message["params"])
    except (ValueError, msgpack.UnpackException, fastjsonschema.JsonSchemaValueException) as error:
        raise ProtocolError(f"a message that is not of the protocol: {error}") from None
    return message
