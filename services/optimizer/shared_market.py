"""A prepared market in a file that worker processes map: its arrays are in memory once, whoever reads them, and can't be written to.

The file is the service's own, in a directory of its own: pickle, with the arrays' bytes out of band behind it.

    8 bytes   length of the pickle, then for the count of arrays
    8 bytes each   where an array begins and how long it is
    the pickle, then the arrays, each from a multiple of 64 bytes on

Invariant: what is read equals what was written, array for array and bit for bit.
"""

import mmap
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot

ALIGNED = 64
HEAD = struct.Struct("<QQ")


def write_market(market: Snapshot | Decline, file: Path) -> None:
    """Write the market, whole or not at all: who reads at the same time sees the file complete or none."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(market, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    unfinished = file.with_suffix(".part")
    with unfinished.open("wb") as out:
        out.write(HEAD.pack(len(body), len(views)))
        for view in views:
            out.write(struct.pack("<Q", view.nbytes))
        out.write(body)
        for view in views:
            _pad(out)
            out.write(view)
    unfinished.replace(file)


def _pad(out: BinaryIO) -> None:
    out.write(bytes(-out.tell() % ALIGNED))


def read_market(file: Path) -> Snapshot | Decline:
    """The market with its arrays where the file is mapped."""
    with file.open("rb") as opened:
        mapped = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    length, count = HEAD.unpack_from(mapped, 0)
    sizes = struct.unpack_from(f"<{count}Q", mapped, HEAD.size)
    begins = HEAD.size + 8 * count
    body = mapped[begins : begins + length]
    market: Snapshot | Decline = pickle.loads(body, buffers=_arrays(mapped, begins + length, sizes))  # written by this service
    return market


def _arrays(mapped: memoryview, at: int, sizes: tuple[int, ...]) -> Iterator[memoryview]:
    for size in sizes:
        at += -at % ALIGNED
        yield mapped[at : at + size]
        at += size
