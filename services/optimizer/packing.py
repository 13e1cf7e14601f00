"""Stored bodies: the JSON of a payload, compressed once and carried as it is from the bus through the tables to the workers."""

import msgspec
import zstandard

from libs.common.events import Event


def pack(value: msgspec.Struct) -> bytes:
    """A value as one compressed body."""
    return zstandard.ZstdCompressor(level=1).compress(msgspec.json.encode(value))


def body_of(event: Event) -> bytes:
    """An event's payload as a body; what came compressed stays as it came."""
    return event.data if event.compressed else zstandard.ZstdCompressor(level=1).compress(event.data)


def unpack(body: bytes) -> bytes:
    """The JSON of a body."""
    return zstandard.ZstdDecompressor().decompress(body)
