"""What the ledger takes from a market snapshot: which securities count as identical, splits and reorganizations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

import msgspec

from libs.common.ids import bytes_id
from libs.common.schemas.market import CorporateAction, Reorganization, ReorganizationKind
from services.wash_sale.core.identity import IdentityEntry, IdentityTable

ONE = Decimal(1)
CHANGES_BASIS: frozenset[ReorganizationKind] = frozenset({"spin_off", "return_of_capital", "merger"})
ENDS_A_SECURITY: frozenset[ReorganizationKind] = frozenset({"merger", "cash_merger"})


@dataclass(frozen=True)
class SecurityFacts:
    """`group_of` maps a security to its identity group (section 1.13: a table); a security it lacks is a group by itself.

    `splits` are the known ones with an ex-date up to the snapshot's date, by security.  `entries` are the groups by date of the securities
    whose group has changed: what was bought or sold counts in the group of its time.  `reorganizations` are the known ones with an
    ex-date up to the snapshot's date, in their order; what they connect is replayed together.
    """

    group_of: Mapping[str, str]
    splits: Mapping[str, tuple[CorporateAction, ...]]
    entries: tuple[IdentityEntry, ...] = ()
    reorganizations: tuple[Reorganization, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(init=False)
    clusters: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        members: dict[str, list[str]] = {}
        for security_id in sorted(self.group_of):
            members.setdefault(self.group_of[security_id], []).append(security_id)
        object.__setattr__(self, "members", {group: tuple(ids) for group, ids in members.items()})
        object.__setattr__(self, "clusters", self._connected())

    @cached_property
    def digest(self) -> str:
        """The same for facts that say the same."""
        return bytes_id(msgspec.json.encode((self.group_of, self.splits, self.entries, self.reorganizations), order="deterministic"))

    def _connected(self) -> dict[str, str]:
        """Groups that shared a security at some time, or whose shares became one another's, by the least of their names."""
        least: dict[str, str] = {}

        def root(group: str) -> str:
            while least.get(group, group) != group:
                group = least[group]
            return group

        together = [(entry.group, self.group(entry.security_id)) for entry in self.entries]
        together += [(self.group(a.security_id), self.group(a.new_security_id)) for a in self.reorganizations if a.new_security_id]
        for first, second in together:
            one, other = sorted((root(first), root(second)))
            least[other] = one
        return {group: root(group) for group in least}

    def cluster(self, security_id: str) -> str:
        """What is replayed together with a security: its group, and those that it was in or that its fellows were in."""
        group = self.group(security_id)
        return self.clusters.get(group, group)

    def identity(self, security_ids: Iterable[str]) -> IdentityTable:
        """The table of some securities by date."""
        wanted = set(security_ids)
        changed = {entry.security_id for entry in self.entries}
        standing = [IdentityEntry(security_id, self.group(security_id)) for security_id in sorted(wanted - changed)]
        return IdentityTable([*standing, *(entry for entry in self.entries if entry.security_id in wanted)])

    def group(self, security_id: str) -> str:
        """The identity group of a security."""
        return self.group_of.get(security_id, security_id)

    def securities(self, group: str) -> tuple[str, ...]:
        """The securities of an identity group, by id."""
        return self.members.get(group, (group,))

    @cached_property
    def ended(self) -> frozenset[str]:
        """Securities that a merger has ended."""
        return frozenset(action.security_id for action in self.reorganizations if action.kind in ENDS_A_SECURITY)

    @cached_property
    def reorganized(self) -> frozenset[str]:
        """Securities whose lots an action changes, or brings."""
        ids = (each for action in self.reorganizations for each in (action.security_id, action.new_security_id))
        return frozenset(each for each in ids if each is not None)

    def basis_changes_on(self, security_id: str, after: date) -> date | None:
        """The first day after another from which on a file's basis of the security's lots is one after an action."""
        days = (
            action.ex_date
            for action in self.reorganizations
            if action.security_id == security_id and action.ex_date > after and action.kind in CHANGES_BASIS
        )
        return min(days, default=None)

    def split_factor(self, security_id: str, counted_on: date) -> Decimal:
        """Today's shares for one share counted on a date: the ratios of the splits with a later ex-date (section 4.4)."""
        factor = ONE
        for split in self.splits.get(security_id, ()):
            if split.ex_date > counted_on:
                factor *= split.ratio
        return factor


def security_facts(
    group_of: Mapping[str, str],
    splits: Iterable[CorporateAction],
    as_of: date,
    entries: Iterable[IdentityEntry] = (),
    reorganizations: Iterable[Reorganization] = (),
) -> SecurityFacts:
    """Facts as of a date: an action that is only announced does not count yet, nor a group of a later date."""
    by_security: dict[str, list[CorporateAction]] = {}
    for split in sorted(splits, key=lambda s: (s.security_id, s.ex_date)):
        if split.ex_date <= as_of:
            by_security.setdefault(split.security_id, []).append(split)
    known = tuple(entry for entry in entries if entry.since <= as_of)
    actions = sorted(
        (each for each in reorganizations if each.ex_date <= as_of), key=lambda a: (a.ex_date, a.kind == "cash_in_lieu", a.security_id)
    )
    return SecurityFacts(group_of, {security_id: tuple(found) for security_id, found in by_security.items()}, known, tuple(actions))


NO_SECURITY_FACTS = SecurityFacts({}, {})
