"""Which lot of the custodian is which purchase of ours, and how much of every trade the changed lots show.

A sale names its lot.  A purchase has only a provisional lot, which is matched by security, trade date and quantity, from the surest
evidence to the weakest: everything that is due, lots that are known already, whole purchases (a custodian may keep those of a day as one
lot), parts, and at last a purchase that the custodian spread over several lots.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from libs.common.money import ZERO
from libs.common.schemas.account import Break
from libs.common.schemas.order import TradeBooked
from services.ingest.core.lot_steps import Step, adds_up, due_shares, explained
from services.ingest.core.snapshot import Snapshot

Day = tuple[str, date | None]


class Matching:
    """One reconciliation.  `changes` are shares by the custodian's lot id; `purchases` our buys and their busts by
    their number.

    `aliases` grows as provisional lots find their lot at the custodian.
    """

    def __init__(
        self,
        newest: Snapshot,
        before: Snapshot | None,
        changes: Mapping[str, Decimal],
        aliases: Mapping[str, str],
        purchases: Mapping[int, TradeBooked],
    ) -> None:
        self.aliases = dict(aliases)
        self._left = dict(changes)
        self._purchases = purchases
        self._security: dict[str, str] = {}
        self._of_day: dict[Day, list[str]] = {}
        for snapshot in (newest, before) if before is not None else (newest,):
            columns = snapshot.lots
            for lot_id, security_id, acquired in zip(columns.lot_id, columns.security_id, columns.acquired, strict=True):
                if lot_id not in self._security:
                    self._security[lot_id] = security_id
                    day = None if acquired is None else date.fromisoformat(acquired)
                    self._of_day.setdefault((security_id, day), []).append(lot_id)
        self._shown: dict[tuple[int, int], Decimal] = {}
        self._chains: dict[str, list[Step]] = {}
        self._settled: set[str] = set()

    def explain(self, steps: Sequence[Step]) -> dict[tuple[int, int], tuple[Decimal, Decimal]]:
        """For each step, by its trade and part: the shares that the lots' changes show, and the shares of the step."""
        for step in steps:
            self._chains.setdefault(self.aliases.get(step.lot_id, step.lot_id), []).append(step)
        self._all_that_is_due()
        self._whole_known_lots()
        for together in (True, False):
            self._whole_purchases(together)
        self._parts()
        self._spread_purchases(steps)
        return {(s.trade, s.part): (self._shown.get((s.trade, s.part), ZERO), s.shares) for s in steps}

    def unexplained(self, traded: set[tuple[str, int]]) -> list[Break]:
        """Lots that grew (or shrank) beyond our trades, of a security that we bought (1) or sold (-1)."""
        found = []
        for lot_id, left in sorted(self._left.items()):
            if left and (self._security[lot_id], 1 if left > 0 else -1) in traded:
                kind = "lot_larger_than_trades" if left > 0 else "lot_smaller_than_trades"
                found.append(Break(kind, self._security[lot_id], lot_id, None, left))
        return found

    def _all_that_is_due(self) -> None:
        """Lots that hold, with all purchases of their day in one, everything that a custodian in order holds by now."""
        for lot_id, ours in self._unsettled_of_days():
            chain = self._joint(lot_id, ours)
            if due_shares(chain) == self._left[lot_id]:
                self._settle(lot_id, chain, ours)

    def _whole_known_lots(self) -> None:
        """Lots whose own steps add up to their change."""
        for lot_id, chain in self._chains.items():
            if lot_id in self._left and lot_id not in self._settled and adds_up(chain, self._left[lot_id]):
                self._settle(lot_id, chain)

    def _whole_purchases(self, together: bool) -> None:
        """Lots whose change is that of whole purchases of their day: of the first ones together (kept as one lot), or of a single one."""
        for lot_id, ours in self._unsettled_of_days():
            for chosen in [ours] if together else [[one] for one in ours]:
                chain = self._joint(lot_id, chosen)
                if adds_up(chain, self._left[lot_id]):
                    self._settle(lot_id, chain, chosen)
                    break

    def _parts(self) -> None:
        """Parts: first of a lot's own steps; where it grew beyond them, of the purchases of its day; and what came and went in between."""
        for lot_id, ours in self._unsettled_of_days():
            own = self._chains.get(lot_id, [])
            if self._left[lot_id] > sum(explained(own, self._left[lot_id]), ZERO):
                self._settle(lot_id, self._joint(lot_id, ours), ours)
        for lot_id, chain in list(self._chains.items()):
            if lot_id not in self._settled:
                self._settle(lot_id, chain)

    def _spread_purchases(self, steps: Sequence[Step]) -> None:
        """What is missing of a purchase may be in further lots of its day."""
        for step in steps:
            if step.trade not in self._purchases:
                continue
            trade = self._purchases[step.trade]
            for lot_id in self._of_day.get((trade.security_id, trade.trade_date), ()):
                missing = step.shares - self._shown.get((step.trade, step.part), ZERO)
                taken = _toward(self._left[lot_id], missing)
                if taken:
                    self._left[lot_id] -= taken
                    self._shown[step.trade, step.part] = self._shown.get((step.trade, step.part), ZERO) + taken
                    self.aliases.setdefault(step.lot_id, lot_id)

    def _unsettled_of_days(self) -> Iterator[tuple[str, list[str]]]:
        """Lots with a change or steps, on the days of our purchases, each with the provisional lots of its day that have no lot yet."""
        days = sorted({(trade.security_id, trade.trade_date) for trade in self._purchases.values()})
        for security_id, day in days:
            for lot_id in self._of_day.get((security_id, day), ()):
                ours = [one for one, chain in self._chains.items() if self._is_new(one, chain[0], security_id, day)]
                changed = self._left[lot_id] or lot_id in self._chains
                if ours and changed and lot_id not in self._settled:
                    yield lot_id, ours

    def _is_new(self, lot_id: str, first: Step, security_id: str, day: date) -> bool:
        trade = self._purchases.get(first.trade)
        if trade is None or lot_id in self._left:
            return False
        return (trade.security_id, trade.trade_date) == (security_id, day)

    def _joint(self, lot_id: str, ours: Sequence[str]) -> list[Step]:
        """The steps of a custodian's lot and of provisional lots of ours, in the order of the trades."""
        steps = [*self._chains.get(lot_id, []), *(step for one in ours for step in self._chains[one])]
        return sorted(steps, key=lambda step: (step.trade, step.part))

    def _settle(self, lot_id: str, chain: Sequence[Step], ours: Sequence[str] = ()) -> None:
        """Explain a lot's change by these steps; provisional lots whose purchase it shows are that lot from now on."""
        shown = explained(chain, self._left.get(lot_id, ZERO))
        bought = {step.lot_id for step, shares in zip(chain, shown, strict=True) if shares > 0}
        for one in ours:
            if one in bought:
                self.aliases[one] = lot_id
                del self._chains[one]
        for step, shares in zip(chain, shown, strict=True):
            if self.aliases.get(step.lot_id, step.lot_id) == lot_id:
                self._shown[step.trade, step.part] = shares
                if lot_id in self._left:
                    self._left[lot_id] -= shares
        self._settled.add(lot_id)


def _toward(available: Decimal, wanted: Decimal) -> Decimal:
    """The part of `available` that has the sign of `wanted` and is not more than it."""
    if wanted > 0:
        return max(ZERO, min(available, wanted))
    return min(ZERO, max(available, wanted))
