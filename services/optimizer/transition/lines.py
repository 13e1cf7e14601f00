"""The lines of a JSON document's members, found once for each list, so that a form of thousands of lots is read in one pass."""

import json
import re
from bisect import bisect_right

from services.optimizer.account_file_reader import line_of

ITEM = re.compile(r"(\w+)\[(\d+)\](.*)", re.DOTALL)
DECODER = json.JSONDecoder()
SPACES = " \t\n\r,"


class Lines:
    """Tells the line of a member such as lots[12].shares; 0 where it can't be told."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.breaks = [at for at, c in enumerate(text) if c == "\n"]
        self.lists: dict[str, list[tuple[int, int]]] = {}

    def __call__(self, place: str) -> int:
        """The line, counted from 1."""
        try:
            return self._line(place)
        except (ValueError, IndexError, RecursionError):
            return 0

    def _line(self, place: str) -> int:
        found = ITEM.fullmatch(place)
        if found is None:
            return line_of(self.text, place)
        name, rest = found[1], found[3]
        if name not in self.lists:
            self.lists[name] = self._items(name)
        items, number = self.lists[name], int(found[2])
        if number >= len(items):
            return line_of(self.text, name)
        begin, end = items[number]
        first = bisect_right(self.breaks, begin) + 1
        return first + (line_of(self.text[begin:end], rest) - 1 if rest and self.text[begin] in "{[" else 0)

    def _items(self, name: str) -> list[tuple[int, int]]:
        """Where each item of a list of the document begins and ends; none where it is no list."""
        at = self._member(name)
        found: list[tuple[int, int]] = []
        if at is None or self.text[at] != "[":
            return found
        at = self._past(at + 1)
        while self.text[at] != "]":
            _, end = DECODER.raw_decode(self.text, at)
            found.append((at, end))
            at = self._past(end)
        return found

    def _member(self, name: str) -> int | None:
        """Where the value of a member of the document begins; the last one of that name, which is the one that counts."""
        found = None
        at = self._past(self._past(0) + 1)
        while self.text[at] == '"':
            key, at = DECODER.raw_decode(self.text, at)
            at = self._past(self.text.index(":", at) + 1)
            found = at if key == name else found
            at = self._past(DECODER.raw_decode(self.text, at)[1])
        return found

    def _past(self, at: int) -> int:
        """Past spaces and commas."""
        while self.text[at] in SPACES:
            at += 1
        return at
