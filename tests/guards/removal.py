"""What a removal is, and its edit."""

from dataclasses import dataclass
from pathlib import Path

ASSERTED = ("AssertionError", "Failed")  # pytest.fail and pytest.raises end in `Failed`


class CannotRemove(Exception):
    """The text of a guard is not there exactly once, or the file would no longer be Python: the removal must be written anew."""


@dataclass(frozen=True)
class Removal:
    """Without `guard` (a name a reader understands), `file` has `new` where `old` stands.

    `caught_by` are pytest node ids of which at least one must fail; `shows_as` names the exceptions that count as its failing: an
    assertion, unless the guard's absence shows first as the error of a table's own constraint.
    """

    guard: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]
    shows_as: tuple[str, ...] = ASSERTED


def without_guard(removal: Removal, text: str) -> str:
    """The file's text without the guard.  Raises CannotRemove."""
    found = text.count(removal.old)
    if found != 1:
        raise CannotRemove(f"{removal.guard}: the text stands {found} times in {removal.file}, not once: {removal.old!r}")
    changed = text.replace(removal.old, removal.new)
    try:
        compile(changed, removal.file, "exec")
    except SyntaxError as error:
        raise CannotRemove(f"{removal.guard}: {removal.file} is no Python any more: {error}") from error
    if changed == text:
        raise CannotRemove(f"{removal.guard}: the removal changes nothing")
    return changed


def _text(file: Path) -> str:
    """A file's text; nothing where there is no such file."""
    return file.read_text() if file.exists() else ""


def check(removal: Removal, root: Path) -> None:
    """Whether the removal can be made and names tests that are there.  Raises CannotRemove."""
    without_guard(removal, _text(root / removal.file))
    for test in removal.caught_by:
        file, _, name = test.partition("::")
        function = name.partition("[")[0]
        if f"def {function}(" not in _text(root / file):
            raise CannotRemove(f"{removal.guard}: there is no test {test}")
