"""Ids are functions of content, so that a replay makes the same id and is dropped as a duplicate."""

import hashlib

ID_HEX_DIGITS = 32


def content_id(*parts: str | int) -> str:
    """A 128-bit hexadecimal id of the given parts, in order; parts are separated so that ('ab','c') and ('a','bc') differ."""
    digest = hashlib.sha256()
    for part in parts:
        raw = str(part).encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()[:ID_HEX_DIGITS]


def bytes_id(content: bytes) -> str:
    """A 128-bit hexadecimal id of raw bytes (a file, an encoded payload)."""
    return hashlib.sha256(content).hexdigest()[:ID_HEX_DIGITS]
