"""Which securities count as identical, by date (section 1.13): data, not a test of the issuer's name.

A security that the table lacks is a group by itself.  An entry holds from its date until the next entry of the same security.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date

from msgspec import Struct


class IdentityEntry(Struct, frozen=True):
    """From a date on, a security belongs to a group."""

    security_id: str
    group: str
    since: date = date.min


class IdentityTable:
    """The entries, looked up by security and date."""

    def __init__(self, entries: Iterable[IdentityEntry] = ()) -> None:
        self._entries: dict[str, list[tuple[date, str]]] = {}
        for entry in sorted(entries, key=lambda e: (e.security_id, e.since)):
            self._entries.setdefault(entry.security_id, []).append((entry.since, entry.group))
        self._dates = sorted({since for entries in self._entries.values() for since, _ in entries})
        self._members: dict[tuple[str, int], tuple[str, ...]] = {}

    def group(self, security_id: str, on: date) -> str:
        """The group of a security on a day."""
        found = security_id
        for since, group in self._entries.get(security_id, ()):
            if since > on:
                break
            found = group
        return found

    def identical_to(self, security_id: str, on: date) -> tuple[str, ...]:
        """The securities of its group on a day, itself among them, by id."""
        if not self._entries:
            return (security_id,)
        key = (security_id, bisect_right(self._dates, on))
        if key not in self._members:
            group = self.group(security_id, on)
            self._members[key] = tuple(sorted({security_id, *(other for other in self._entries if self.group(other, on) == group)}))
        return self._members[key]


EVERY_SECURITY_BY_ITSELF = IdentityTable()
