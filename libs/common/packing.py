"""State values as one compressed body for a bytea column: JSON under zstd level 1."""

from typing import Any

import msgspec
import zstandard

from libs.common.events import Event

_compressor = zstandard.ZstdCompressor(level=1)  # one event loop a process: never used by two threads at once


def pack(value: Any) -> bytes:
    """A value (a Struct, or a list of them) as one compressed body."""
    return _compressor.compress(msgspec.json.encode(value))


def body_of(event: Event) -> bytes:
    """An event's payload as a body; what came compressed stays as it came."""
    return event.data if event.compressed else _compressor.compress(event.data)


def unpack(body: bytes) -> bytes:
    """The JSON of a packed body."""
    return zstandard.ZstdDecompressor().decompress(body)
