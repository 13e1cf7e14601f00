"""The working state of a household's books, which events change one by one, and how a change is taken back.

Every change goes through the undo log.  So a refused event leaves nothing behind, a late fact is put in its
place by going back to that place and on again, and intended trades are tried out and taken back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.identity import IdentityTable
from services.wash_sale.core.lots import Layer, new_shares
from services.wash_sale.core.matching import WASH_WINDOW, Loss, Purchase, SoldShares, Wash, match, match_sold, may_replace
from services.wash_sale.core.policy import Policy
from services.wash_sale.core.positions import Layers, LotKey, Position
from services.wash_sale.core.sale_rows import Gift, SaleRow
from services.wash_sale.core.tax_events import TaxAccount
from services.wash_sale.core.undo_log import UndoLog
from services.wash_sale.core.waiting_lines import WaitingLines


class Book:
    """Lots, rows and washes of a household; recent purchases and losses that are not washed in full, by security."""

    def __init__(self, accounts: Mapping[str, TaxAccount], identity: IdentityTable, policy: Policy) -> None:
        self.accounts = accounts
        self.identity = identity
        self.policy = policy
        self.positions: dict[tuple[str, str], Position] = {}
        self.rows: list[SaleRow] = []
        self.washes: list[Wash] = []
        self.losses: list[Loss] = []
        self.gifts: list[Gift] = []
        self.undo = UndoLog()
        self._purchases: WaitingLines[Purchase] = WaitingLines(self.undo, _day_of)
        self._losses: WaitingLines[int] = WaitingLines(self.undo, _day_of_loss(self.losses))
        self._sold: dict[str, list[SoldShares]] = {}
        self._moved: dict[str, tuple[LotKey, ...]] = {}
        self._predecessors: dict[str, tuple[str, ...]] = {}
        self._number = 0

    def lot(self, key: LotKey) -> Layers | None:
        """A lot's layers: empty where it is sold, None where it was never there."""
        position = self.positions.get(key[:2])
        return None if position is None else position.lots.get(key[2])

    def put(self, key: LotKey, layers: Sequence[Layer]) -> None:
        """Set a lot's layers."""
        place = key[:2]
        position = self.positions.get(place)
        if position is None:
            position = self.positions[place] = Position()
        before = position.lots.get(key.lot_id)
        self.undo.set_noted(position.lots, key.lot_id, tuple(layers), key)
        old, new = before[0].acquired if before else None, layers[0].acquired if layers else None
        if before and layers and old == new:
            return
        if before:
            self.undo.pop(position.order, position.place_of(key.lot_id, old or date.min))
        if layers:
            self._number += 1
            self.undo.insort(position.order, (new or date.min, self._number, key.lot_id))

    def add(self, key: LotKey, layers: Sequence[Layer]) -> None:
        """Add layers to those that the lot has: behind them, but older shares (of another lot of that name) before younger ones."""
        self.put(key, sorted((*(self.lot(key) or ()), *layers), key=lambda layer: layer.acquired or date.min))

    def add_row(self, row: SaleRow) -> int:
        """Write a row; returns its number."""
        self.undo.append(self.rows, row)
        return len(self.rows) - 1

    def add_gift(self, gift: Gift) -> None:
        """Note what was given away."""
        self.undo.append(self.gifts, gift)

    def note_moved(self, purchase_id: str, to: LotKey) -> None:
        """Shares of a purchase are now (also) in another lot."""
        if to not in self._moved.get(purchase_id, ()):
            self.undo.set(self._moved, purchase_id, (*self._moved.get(purchase_id, ()), to))

    def note_successor(self, security_id: str, successor: str) -> None:
        """Shares of a security became shares of another in a reorganization."""
        if security_id not in self._predecessors.get(successor, ()):
            self.undo.set(self._predecessors, successor, (*self._predecessors.get(successor, ()), security_id))

    def buy(self, key: LotKey, purchase_id: str, day: date, settled: bool) -> None:
        """An acquisition: it replaces the open losses of the 30 days before, first loss first (section 1.4)."""
        self._number += 1
        purchase = Purchase(day, self._number, purchase_id, key.account_id, key.security_id, key.lot_id, settled)
        self._purchases.add(key.security_id, purchase)

        def meet(number: int) -> bool:
            self._wash(number, purchase)
            return self._has_free_shares(purchase)

        if self._alone(key.security_id, day):
            self._losses.walk(key.security_id, day - WASH_WINDOW, self._is_open, meet)
        else:
            for number in self.open_losses(key.security_id, day):
                if not meet(number):
                    break

    def lose(self, loss: Loss) -> None:
        """A loss meets the purchases of the 30 days before that are still held (section 1.5), and waits for those of the 30 days after."""
        self.undo.append(self.losses, loss)
        number = len(self.losses) - 1

        def meet(purchase: Purchase) -> bool:
            self._wash(number, purchase)
            return self._is_open(number)

        if self._alone(loss.security_id, loss.sold):
            self._purchases.walk(loss.security_id, loss.sold - WASH_WINDOW, self._has_free_shares, meet)
        else:
            for purchase in self.recent_purchases(loss.security_id, loss.sold):
                if not meet(purchase):
                    break
        if self._is_open(number):
            self._losses.add(loss.security_id, number)

    def _alone(self, security_id: str, day: date) -> bool:
        """Whether nothing else is identical and nothing became it, so that one line holds all there is to meet."""
        return not self._predecessors and len(self.identity.identical_to(security_id, day)) == 1

    def free_purchases(self, as_of: date) -> Iterator[Purchase]:
        """Purchases of the last 30 days with shares still held that have replaced nothing."""
        recent = self._purchases.all_since(as_of - WASH_WINDOW)
        yield from (each for each in recent if each.day <= as_of and self._has_free_shares(each))

    def recent_purchases(self, security_id: str, day: date) -> list[Purchase]:
        """Purchases of identical securities in the 30 days before, by date; those without free shares drop out for good.

        A purchase of what a reorganization turned into such a security is one of them: it was bought in the window and is held as
        the stock that is sold (sections 1.1, 1.5); the reorganization itself is no acquisition (1.7).
        """
        identical = self.identity.identical_to(security_id, day)
        found: list[Purchase] = []
        for name in identical:
            found += self._recent(name, day)
        for name in self._became(identical) if self._predecessors else ():
            bought = self._recent(name, day)
            found += (each for each in bought if self._sold.get(each.purchase_id) or not self.held_as(each).isdisjoint(identical))
        return sorted(found, key=_place_of) if len(found) > 1 else found

    def _recent(self, security_id: str, day: date) -> list[Purchase]:
        return self._purchases.waiting(security_id, day - WASH_WINDOW, self._has_free_shares)

    def _became(self, identical: Sequence[str]) -> list[str]:
        """The other securities whose shares became some of these, one reorganization after another."""
        found = list(identical)
        for name in found:
            found += [each for each in self._predecessors.get(name, ()) if each not in found]
        return found[len(identical) :]

    def held_as(self, purchase: Purchase) -> set[str]:
        """The securities that a purchase's free shares are now: others than were bought, after a reorganization."""
        return {home.security_id for home in self.homes(purchase) if self._is_free(purchase, home)}

    def open_losses(self, security_id: str, day: date) -> list[int]:
        """Losses of identical securities in the 30 days before that are not denied in full, by number; the others drop out for good."""
        found: list[int] = []
        for identical in self.identity.identical_to(security_id, day):
            found += self._losses.waiting(identical, day - WASH_WINDOW, self._is_open)
        return sorted(found)

    def _is_open(self, number: int) -> bool:
        return not self.losses[number].over

    def homes(self, purchase: Purchase) -> Sequence[LotKey]:
        """Where the shares of a purchase may be."""
        home = LotKey(purchase.account_id, purchase.security_id, purchase.lot_id)
        moved = self._moved.get(purchase.purchase_id)
        return (home,) if moved is None else (home, *(to for to in moved if to != home))

    def _homes_as(self, purchase: Purchase, loss: Loss) -> Sequence[LotKey]:
        """Where shares of a purchase may replace a loss: bought as a predecessor, only where they are what is sold."""
        homes = self.homes(purchase)
        if not self._predecessors or purchase.security_id in (identical := self.identity.identical_to(loss.security_id, loss.sold)):
            return homes
        return [home for home in homes if home.security_id in identical]

    def _has_free_shares(self, purchase: Purchase) -> bool:
        if self._sold and self._sold.get(purchase.purchase_id):
            return True
        return any(self._is_free(purchase, home) for home in self.homes(purchase))

    def _is_free(self, purchase: Purchase, home: LotKey) -> bool:
        for layer in self.lot(home) or ():  # noqa: SIM110 (asked for every purchase of a window; a generator costs half as much again)
            if not layer.replaces and layer.purchase_id == purchase.purchase_id:
                return True
        return False

    def _wash(self, number: int, purchase: Purchase) -> None:
        loss = self.losses[number]
        if loss.over or not may_replace(loss, purchase, self.accounts, self.policy):
            return
        if self._sold.get(purchase.purchase_id):
            loss = self._wash_by_sold(number, purchase)
        for home in self._homes_as(purchase, loss):
            layers = self.lot(home)
            if not layers or loss.over:
                continue
            found = match(loss, layers, purchase.purchase_id, self.accounts, self.policy)
            if found.loss is loss:
                continue
            loss = found.loss
            self.put(home, found.layers)
            self.undo.replace(self.losses, number, loss)
            for wash in found.washes:
                self._deny(loss, wash)

    def note_sold(self, layer: Layer, row: int) -> None:
        """Shares of a recent purchase were sold; under one reading they may still replace a loss (section 8)."""
        found = [*self._sold.get(layer.purchase_id, ()), SoldShares(row, layer.quantity)]
        self.undo.set(self._sold, layer.purchase_id, found)

    def _wash_by_sold(self, number: int, purchase: Purchase) -> Loss:
        """Sold shares of a purchase come first: they were its first shares."""
        loss = self.losses[number]
        left: list[SoldShares] = []
        for sold in self._sold[purchase.purchase_id]:
            if loss.over or loss.uses_up:
                left.append(sold)
                continue
            before = loss.quantity
            loss, wash, row = match_sold(loss, sold, self.rows[sold.row], self.accounts, self.policy)
            self.undo.replace(self.rows, sold.row, row)
            self._deny(loss, wash)
            if sold.quantity > before - loss.quantity:
                left.append(SoldShares(sold.row, sold.quantity - (before - loss.quantity)))
        self.undo.set(self._sold, purchase.purchase_id, left)
        self.undo.replace(self.losses, number, loss)
        return loss

    def _deny(self, loss: Loss, wash: Wash) -> None:
        self.undo.append(self.washes, wash)
        index = loss.row
        if index is None:
            return
        row = self.rows[index]
        gone = row.permanently_disallowed + (wash.disallowed if wash.permanent else ZERO)
        self.undo.replace(self.rows, index, replace(row, disallowed=row.disallowed + wash.disallowed, permanently_disallowed=gone))

    def scale_losses(self, security_id: str, account_id: str | None, new: Decimal, old: Decimal) -> None:
        """Loss shares, and sold ones that may replace, count in new shares after a split (section 8, split between sale and repurchase)."""
        for number in self._losses.of(security_id):
            loss = self.losses[number]
            if account_id in (None, loss.account_id) and not loss.over:
                self.undo.replace(self.losses, number, replace(loss, quantity=new_shares([loss.quantity], new, old)[0]))
        self.scale_sold(security_id, account_id, new, old)

    def scale_sold(self, security_id: str, account_id: str | None, new: Decimal, old: Decimal) -> None:
        """Sold shares that may replace a loss, in new shares: of the security, and of those that became it."""
        if not self._sold:
            return
        bought = (each for name in (security_id, *self._became((security_id,))) for each in self._purchases.of(name))
        for purchase_id in {each.purchase_id for each in bought if account_id in (None, each.account_id)}:
            if sold := self._sold.get(purchase_id):
                shares = new_shares([each.quantity for each in sold], new, old)
                scaled = [each._replace(quantity=quantity) for each, quantity in zip(sold, shares, strict=True)]
                self.undo.set(self._sold, purchase_id, scaled)

    def layers(self) -> Iterator[Layer]:
        """Everything that is held."""
        for position in self.positions.values():
            for layers in position.lots.values():
                yield from layers


def _day_of(purchase: Purchase) -> date:
    return purchase.day


def _day_of_loss(losses: Sequence[Loss]) -> Callable[[int], date]:
    return lambda number: losses[number].sold


def _place_of(purchase: Purchase) -> tuple[date, int]:
    return (purchase.day, purchase.number)
