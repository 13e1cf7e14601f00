"""A second engine for the ledger's central rules, in exact fractions: written from the rules alone and in another way, to compare with.

It knows buys, sales with named lots or FIFO, splits, all-stock mergers, transfers, gifts in and inheritances, in several accounts (sections
1, 3, 4.2 and 5.1) with the default readings of section 8.  It rounds nothing, keeps no undo log and looks at everything each time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

WINDOW_DAYS = 30
HALF_A_CENT = Fraction(1, 200)


@dataclass
class Shares:
    """Shares that are alike; `share` figures are dollars a share."""

    lot: str
    account: str
    security: str
    quantity: Fraction
    share_basis: Fraction
    acquired: date
    since: date
    bought: bool
    free: bool = True
    inherited: bool = False
    share_loss_basis: Fraction | None = None


@dataclass
class Loss:
    """A loss that is not denied in full yet."""

    row: "Row"
    security: str
    account: str
    share_loss: Fraction
    left: Fraction
    since: date


@dataclass
class Row:
    """Shares of one layer, sold."""

    sale: str
    lot: str
    day: date
    quantity: Fraction
    gain: Fraction
    term: str
    denied: Fraction = Fraction(0)
    gone: Fraction = Fraction(0)


@dataclass
class SecondEngine:
    """The books after `run`."""

    accounts: Mapping[str, Mapping[str, Any]]
    held: list[Shares] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    open_losses: list[Loss] = field(default_factory=list)

    def run(self, transactions: list[dict[str, Any]]) -> None:
        """Take the transactions one by one, in the order given."""
        for tx in transactions:
            getattr(self, tx["action"])(date.fromisoformat(tx["date"]), tx)

    def buy(self, day: date, tx: dict[str, Any]) -> None:
        quantity = Fraction(tx["quantity"])
        shares = Shares(tx["lot_id"], tx["account"], tx["security"], quantity, Fraction(tx["cost"]) / quantity, day, day, bought=True)
        self.held.append(shares)
        for loss in self.open_losses:
            self.wash(loss)

    def gift_in(self, day: date, tx: dict[str, Any]) -> None:
        quantity, donor, value = Fraction(tx["quantity"]), Fraction(tx["donor_basis"]), Fraction(tx["fmv"])
        since = date.fromisoformat(tx["donor_acquired"])
        low = value / quantity if value < donor else None
        got = Shares(tx["lot_id"], tx["account"], tx["security"], quantity, donor / quantity, day, since, False, share_loss_basis=low)
        self.held.append(got)

    def inherit(self, day: date, tx: dict[str, Any]) -> None:
        quantity = Fraction(tx["quantity"])
        share_value = Fraction(tx["fmv"]) / quantity
        self.held.append(Shares(tx["lot_id"], tx["account"], tx["security"], quantity, share_value, day, day, False, inherited=True))

    def split(self, _day: date, tx: dict[str, Any]) -> None:
        ratio = Fraction(tx["ratio"])
        for shares in self.of(tx["security"]):
            shares.quantity *= ratio
            shares.share_basis /= ratio
            shares.share_loss_basis = None if shares.share_loss_basis is None else shares.share_loss_basis / ratio
        for loss in self.open_losses:
            if loss.security == tx["security"]:
                loss.left *= ratio
                loss.share_loss /= ratio

    def merger(self, _day: date, tx: dict[str, Any]) -> None:
        """All stock; shares stay the shares of their purchase."""
        ratio = Fraction(tx["ratio"])
        for shares in self.of(tx["security"]):
            shares.quantity *= ratio
            shares.share_basis /= ratio
            shares.share_loss_basis = None if shares.share_loss_basis is None else shares.share_loss_basis / ratio
            shares.security = tx["new_security"]

    def transfer(self, _day: date, tx: dict[str, Any]) -> None:
        source = [each for each in self.held if (each.account, each.lot) == (tx["from_account"], tx["lot_id"])]
        for shares in self.take(source, Fraction(tx["quantity"])):
            self.held.append(replace(shares, account=tx["to_account"]))

    def sell(self, day: date, tx: dict[str, Any]) -> None:
        quantity = Fraction(tx["quantity"])
        price = Fraction(tx["proceeds"]) / quantity
        own = sorted((each for each in self.of(tx["security"]) if each.account == tx["account"]), key=lambda each: each.acquired)
        if tx["lots"] is None:
            sold = self.take(own, quantity)
        else:
            named = {part["lot_id"]: Fraction(part["quantity"]) for part in tx["lots"]}
            held = dict.fromkeys(each.lot for each in own if each.lot in named)
            sold = [shares for lot in held for shares in self.take([each for each in own if each.lot == lot], named[lot])]
        if self.accounts[tx["account"]]["type"] != "taxable":
            return
        for shares in sorted(sold, key=lambda each: each.acquired):
            self.realise(tx["sale_id"], day, shares, price)

    def realise(self, sale: str, day: date, shares: Shares, price: Fraction) -> None:
        share_gain, since = price - shares.share_basis, shares.since
        term = "long" if shares.inherited or day >= first_long_day(since) else "short"
        if shares.share_loss_basis is not None and share_gain < 0:
            share_gain, since = min(Fraction(0), price - shares.share_loss_basis), shares.acquired
            term = "none" if not share_gain else "long" if day >= first_long_day(since) else "short"
        row = Row(sale, shares.lot, day, shares.quantity, share_gain * shares.quantity, term)
        self.rows.append(row)
        if row.gain <= -HALF_A_CENT:
            loss = Loss(row, shares.security, shares.account, -share_gain, shares.quantity, since)
            self.open_losses.append(loss)
            self.wash(loss)

    def wash(self, loss: Loss) -> None:
        """Deny as much of a loss as free shares, bought within the window and held now, replace; the earliest purchase first."""
        for shares in sorted(self.of(loss.security), key=lambda each: each.acquired):
            near = abs((shares.acquired - loss.row.day).days) <= WINDOW_DAYS
            if not (loss.left and near and shares.bought and shares.free and shares.lot != loss.row.lot and self.household(shares, loss)):
                continue
            used = self.first(shares, min(loss.left, shares.quantity))
            used.free = False
            loss.left -= used.quantity
            loss.row.denied += loss.share_loss * used.quantity
            if self.accounts[used.account]["type"] != "taxable":
                loss.row.gone += loss.share_loss * used.quantity
            else:
                used.share_basis += loss.share_loss
                used.since -= loss.row.day - loss.since

    def household(self, shares: Shares, loss: Loss) -> bool:
        both = (self.accounts[shares.account], self.accounts[loss.account])
        return len({"A" if each.get("relation") == "spouse_of_A" else each["owner"] for each in both}) == 1

    def of(self, security: str) -> list[Shares]:
        return [each for each in self.held if each.security == security]

    def first(self, shares: Shares, quantity: Fraction) -> Shares:
        """The first shares of some, apart from the others."""
        if quantity == shares.quantity:
            return shares
        apart = replace(shares, quantity=quantity)
        shares.quantity -= quantity
        self.held.insert(self.held.index(shares), apart)
        return apart

    def take(self, source: list[Shares], quantity: Fraction) -> list[Shares]:
        taken = []
        for shares in source:
            if quantity:
                taken.append(self.first(shares, min(quantity, shares.quantity)))
                self.held = [each for each in self.held if each is not taken[-1]]
                quantity -= taken[-1].quantity
        assert not quantity, "oversold"
        return taken

    def lots(self) -> Iterator[tuple[tuple[str, str, str, str], tuple[Fraction, Fraction]]]:
        """What is held, by lot, account and dates: shares and basis."""
        for each in self.held:
            names = (each.lot, each.account, each.acquired.isoformat(), each.since.isoformat())
            yield names, (each.quantity, each.quantity * each.share_basis)


def first_long_day(since: date) -> date:
    """The day after, a year later; 1 March where that day does not exist (section 3.1)."""
    start = since + timedelta(days=1)
    leap_day = (start.month, start.day) == (2, 29)
    return date(start.year + 1, 3, 1) if leap_day else date(start.year + 1, start.month, start.day)
