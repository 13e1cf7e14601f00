"""Changes of dicts and lists that can be taken back, the last one first."""

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Undone(NamedTuple):
    """How one change is taken back: `undo(target, key, old)`."""

    undo: Callable[..., None]
    target: Any
    key: Any
    old: Any


class UndoLog:
    """Every change goes through a method here.  A mark counts the changes since the beginning, also those that are forgotten."""

    def __init__(self) -> None:
        self._log: list[tuple[Callable[..., None], Any, Any, Any]] = []
        self._forgotten = 0

    def mark(self) -> int:
        """A point to go back to."""
        return self._forgotten + len(self._log)

    def back_to(self, mark: int) -> None:
        """Undo everything since a mark."""
        log = self._log
        while len(log) + self._forgotten > mark:
            undo, target, key, old = log.pop()
            undo(target, key, old)

    def forget(self, mark: int) -> None:
        """Nothing before the mark will be taken back any more."""
        if mark > self._forgotten:
            del self._log[: mark - self._forgotten]
            self._forgotten = mark

    def goes_back_to(self, mark: int) -> bool:
        """Whether a mark is still there to go back to."""
        return mark >= self._forgotten

    def since(self, mark: int) -> Iterator[Undone]:
        """The changes since a mark, the last one first."""
        return (Undone(*each) for each in reversed(self._log[mark - self._forgotten :]))

    def set(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """target[key] = value"""
        self._log.append((_unset, target, key, target.get(key)))
        target[key] = value

    def set_noted(self, target: dict[Any, Any], key: Any, value: Any, what: Any) -> None:
        """target[key] = value, with a note before it of what the change is about, for `since`."""
        self._log += ((nothing, what, None, None), (_unset, target, key, target.get(key)))
        target[key] = value

    def append(self, target: list[Any], value: Any) -> None:
        """target.append(value)"""
        self._log.append((_shorten, target, None, None))
        target.append(value)

    def replace(self, target: list[Any], index: int, value: Any) -> None:
        """target[index] = value"""
        self._log.append((_put, target, index, target[index]))
        target[index] = value

    def splice(self, target: list[Any], start: int, stop: int, values: list[Any]) -> None:
        """target[start:stop] = values"""
        self._log.append((_unsplice, target, (start, start + len(values)), target[start:stop]))
        target[start:stop] = values

    def insort(self, target: list[Any], value: Any) -> None:
        """Insert into a sorted list."""
        insort(target, value)
        self._log.append((_remove, target, value, None))

    def pop(self, target: list[Any], index: int) -> None:
        """Take out of a sorted list."""
        self._log.append((_insert, target, target.pop(index), None))


def nothing(target: Any, key: Any, old: Any) -> None:
    """Undo of a note."""


def _unset(target: dict[Any, Any], key: Any, old: Any) -> None:
    if old is None:
        del target[key]
    else:
        target[key] = old


def _shorten(target: list[Any], key: Any, old: Any) -> None:
    target.pop()


def _put(target: list[Any], key: Any, old: Any) -> None:
    target[key] = old


def _unsplice(target: list[Any], key: Any, old: Any) -> None:
    start, stop = key
    target[start:stop] = old


def _remove(target: list[Any], key: Any, old: Any) -> None:
    target.remove(key)


def _insert(target: list[Any], key: Any, old: Any) -> None:
    insort(target, key)
