"""Messages as bytes and back, each validated by protocol.schema.json where it arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import fastjsonschema
import msgpack

from ..errors import MESSAGE_LENGTH

if TYPE_CHECKING:
    from . import messages

_SCHEMA = json.loads((Path(__file__).parent / "protocol.schema.json").read_text())
PROTOCOL_VERSION: int = _SCHEMA["version"]
LIMITS: dict[str, int] = _SCHEMA["limits"]
_to_worker = fastjsonschema.compile(_SCHEMA["to_worker"])
_params = {name: fastjsonschema.compile(operation["params"]) for name, operation in _SCHEMA["operations"].items()}


class ProtocolError(Exception):
    """Bytes arrived that are not a message of this protocol."""


def encode(message: messages.FromWorker) -> bytes:
    """Raises ProtocolError for a message of more bytes than may be sent."""
    content: bytes = msgpack.packb(message)
    most = LIMITS["message_bytes"]
    if len(content) > most:
        raise ProtocolError(f"a {message['type']} message of {len(content)} bytes is too long: at most {most} are sent")
    return content


def decode(content: bytes) -> messages.ToWorker:
    """Raises ProtocolError for anything but a message to a worker, within the limits, whose parameters fit its
    operation."""
    if len(content) > LIMITS["message_bytes"]:
        raise ProtocolError(f"a message of {len(content)} bytes; it has at most {LIMITS['message_bytes']}")
    # A few bytes can announce an array of gigabytes.
    items = min(len(content), LIMITS["items"])
    try:
        message: messages.ToWorker = msgpack.unpackb(
            content, max_array_len=items, max_map_len=items, max_bin_len=0, max_ext_len=0
        )
        _to_worker(message)
        if message["type"] == "request":
            _params[message["operation"]](message["params"])
    except (ValueError, msgpack.UnpackException, fastjsonschema.JsonSchemaValueException) as error:
        reason = str(error)[:MESSAGE_LENGTH] or type(error).__name__
        raise ProtocolError(f"a message that is not of the protocol: {reason}") from None
    return message
