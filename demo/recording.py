"""A recorded course of business: every event that was said, in the order in which it was seen, as one compressed file.

One JSON line an event, zstd over all: `zstdcat out/demo/events.jsonl.zst | head` shows them.  `data` is the payload as it was said, byte
for byte, only not compressed by itself.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
import zstandard
from msgspec import Raw, Struct

from libs.common.events import EVENT_TYPES, Event, payload_of

EVENTS = "events.jsonl.zst"
WINDOW_LOG = 27  # an account's versions differ little: look back far enough to find the last one


class Recorded(Struct, frozen=True):
    """One event; its members are CloudEvents' attributes."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    partitionkey: str
    correlationid: str
    causationid: str | None
    data: Raw

    def event(self) -> Event:
        """The event as it may be said again."""
        data = bytes(self.data)
        place = (self.partitionkey, self.correlationid, self.causationid)
        return Event(self.id, self.source, self.type, self.subject, self.time, *place, traceparent=None, compressed=False, data=data)

    def payload(self) -> Struct:
        """The payload, decoded."""
        return payload_of(self.event(), EVENT_TYPES[self.type].payload)


def recorded(event: Event) -> Recorded:
    """An event as it is recorded."""
    raw = zstandard.ZstdDecompressor().decompress(event.data) if event.compressed else event.data
    place = (event.partitionkey, event.correlationid, event.causationid)
    return Recorded(event.id, event.source, event.type, event.subject, event.time, *place, Raw(raw))


def write_recording(file: Path, events: Iterable[Event]) -> None:
    """Write the events in their order; what stood in the file is replaced."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=WINDOW_LOG, enable_ldm=True)
    encoder = msgspec.json.Encoder()
    with file.open("wb") as raw, zstandard.ZstdCompressor(compression_params=parameters).stream_writer(raw) as writer:
        for event in events:
            writer.write(encoder.encode(recorded(event)) + b"\n")


def read_recording(file: Path) -> list[Recorded]:
    """Every event of a recording, in order."""
    decoder = msgspec.json.Decoder(Recorded)
    with file.open("rb") as raw, zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG).stream_reader(raw) as reader:
        return [decoder.decode(line) for line in reader.read().splitlines()]
