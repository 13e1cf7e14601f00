"""The ledger against a second engine in exact fractions, on random histories of a household: every sale and every lot, to a few cents."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.history_rows import history_rows
from tests.unit.wash_sale.own_cases import IRA, T1, T2, Row, account
from tests.unit.wash_sale.second_engine import SecondEngine

ACCOUNTS = [T1, T2, IRA, account("SP", owner="B", relation="spouse_of_A"), account("Z", owner="Z")]
CENTS = Fraction(1, 10)
"""The ledger divides to the cent at each step, the second engine never: some cents may lie between them."""
SEEDS = 8
HISTORIES = 40
FINE = 500


class Writer:
    """Writes one random history; what is held is followed with a second engine, so that nothing is oversold."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.engine = SecondEngine({each["id"]: each for each in ACCOUNTS})
        self.transactions: list[Row] = []
        self.security = "XYZ"
        self.day = date(2023, 1, 2) + timedelta(days=rng.randrange(400))

    def write(self, events: int) -> list[Row]:
        for _ in range(events):
            # a day has one purchase at most: the order of equal dates is no matter of the rules that are compared
            self.day += timedelta(days=self.rng.choice([1, 1, 2, 2, 5, 9, 15, 29, 30, 31, 60, 200]))
            self.put(
                "buy", account=self.where(), quantity=self.some(), lot_id=f"L{len(self.transactions)}", cost=f"{self.price() * 50:.2f}"
            )
            for _ in range(self.rng.choice([1, 1, 2])):
                sales = [self.sell_named, self.sell_named, self.sell_first, self.sell_first]
                self.rng.choice([*sales, self.split, self.merge, self.move, self.receive])()
        return self.transactions

    def put(self, action: str, **fields: Any) -> None:
        tx = {"seq": len(self.transactions) + 1, "date": self.day.isoformat(), "action": action, "security": self.security, **fields}
        self.transactions.append(tx)
        self.engine.run([tx])

    def where(self) -> str:
        return self.rng.choice([*["T1"] * 6, "T2", "T2", "IRA", "SP", "Z"])

    def some(self) -> str:
        return self.rng.choice(["10", "20", "25.5", "40", "60", "100", "0.75"])

    def price(self) -> float:
        # with four places no two are alike: at break-even the cents, not the rules, would say whether there is a loss
        return self.rng.randrange(200_000, 800_000) / 10_000

    def in_account(self) -> tuple[str, dict[str, Fraction]]:
        where, lots = self.where(), Counter[str]()
        for each in self.engine.held:
            if each.account == where:
                lots[each.lot] += each.quantity  # type: ignore[assignment]
        return where, {lot: Fraction(quantity) for lot, quantity in lots.items()}

    def sell_named(self) -> None:
        where, lots = self.in_account()
        if not lots:
            return
        chosen = self.rng.sample(sorted(lots), self.rng.randint(1, min(3, len(lots))))
        parts = {lot: self.part(lots[lot], [1, 1, 2]) for lot in chosen}
        self.sell(where, sum(parts.values(), Fraction(0)), [{"lot_id": lot, "quantity": plain(part)} for lot, part in parts.items()])

    def sell_first(self) -> None:
        where, lots = self.in_account()
        if lots:
            self.sell(where, self.part(sum(lots.values(), Fraction(0)), [1, 2, 4]), None)

    def part(self, quantity: Fraction, divisors: list[int]) -> Fraction:
        """Some of the shares; all of them where they have been divided often already."""
        return quantity / self.rng.choice(divisors) if quantity.denominator < FINE else quantity

    def sell(self, where: str, quantity: Fraction, lots: list[Row] | None) -> None:
        proceeds = f"{float(quantity) * self.price():.2f}"
        self.put("sell", account=where, quantity=plain(quantity), proceeds=proceeds, sale_id=f"S{len(self.transactions)}", lots=lots)

    def split(self) -> None:
        if not any(tx["action"] == "split" for tx in self.transactions):
            self.put("split", account="T1", ratio=self.rng.choice(["2", "4", "0.5"]))

    def merge(self) -> None:
        if self.security == "XYZ":
            self.put("merger", account=None, new_security="NEW", ratio=self.rng.choice(["2", "3", "4"]))
            self.security = "NEW"

    def move(self) -> None:
        where, lots = self.in_account()
        if lots and where in ("T1", "T2"):
            lot = self.rng.choice(sorted(lots))
            self.put("transfer", from_account=where, to_account={"T1": "T2", "T2": "T1"}[where], lot_id=lot, quantity=plain(lots[lot]))

    def receive(self) -> None:
        lot_id, value = f"L{len(self.transactions)}", f"{self.price() * 50:.2f}"
        if self.rng.random() < 0.5:
            self.put("inherit", account="T1", quantity="50", lot_id=lot_id, fmv=value)
            return
        since = (self.day - timedelta(days=self.rng.randrange(1, 700))).isoformat()
        donor_basis = f"{self.price() * 50:.2f}"
        self.put("gift_in", account="T1", quantity="50", lot_id=lot_id, fmv=value, donor_basis=donor_basis, donor_acquired=since)


def plain(quantity: Fraction) -> str:
    """Shares as a plain decimal; the histories divide too seldom for more than twelve places."""
    digits = quantity * 10**12
    assert digits.denominator == 1
    whole, rest = divmod(digits.numerator, 10**12)
    return f"{whole}.{rest:012}".rstrip("0").rstrip(".")


def together(items: Iterable[tuple[Any, Iterable[Fraction]]]) -> dict[Any, list[Fraction]]:
    found: dict[Any, list[Fraction]] = {}
    for key, figures in items:
        found[key] = [one + other for one, other in zip(found[key], figures, strict=True)] if key in found else list(figures)
    return found


def differences(one: dict[Any, list[Fraction]], other: dict[Any, list[Fraction]]) -> list[str]:
    missing = [f"{key} is on one side only" for key in one.keys() ^ other.keys()]
    both = ((key, one[key], other[key]) for key in one.keys() & other.keys())
    return missing + [f"{key}: {a} and {b}" for key, a, b in both if any(abs(x - y) > CENTS for x, y in zip(a, b, strict=True))]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_ledger_agrees_with_a_second_engine(seed: int) -> None:
    rng = random.Random(seed)
    washed, partly, chained, merged = 0, 0, 0, 0
    for _ in range(HISTORIES):
        transactions = Writer(rng).write(rng.randint(8, 16))
        second = SecondEngine({each["id"]: each for each in ACCOUNTS})
        second.run(transactions)
        books = books_of_history({"id": "random", "lot_method": "fifo", "accounts": ACCOUNTS, "transactions": transactions})
        assert not isinstance(books, BadHistory), books.text()
        answer = history_rows(books)
        figures = ("quantity", "raw_gain", "disallowed", "permanently_disallowed")
        claimed = [row for row in answer["sales"] if row["raw_gain"] is not None]
        sales = together(((row["sale_id"], row["lot_id"], row["term"]), [Fraction(row[name]) for name in figures]) for row in claimed)
        again = together(((row.sale, row.lot, row.term), (row.quantity, row.gain, row.denied, row.gone)) for row in second.rows)
        assert differences(sales, again) == [], transactions
        names, dollars = ("lot_id", "account", "acquired", "hp_date"), ("quantity", "adjusted_basis")
        lots = together((tuple(row[name] for name in names), [Fraction(row[name]) for name in dollars]) for row in answer["lots"])
        assert differences(lots, together(second.lots())) == [], transactions
        replaced = {wash["replacement_lot_id"] for wash in answer["washes"]}
        washed += bool(replaced)
        partly += any(0 < Fraction(row["disallowed"]) < -Fraction(row["raw_gain"]) for row in claimed)
        chained += any(wash["loss_lot_id"] in replaced for wash in answer["washes"])
        early = {tx["lot_id"] for tx in transactions if tx["action"] == "buy" and tx["security"] == "XYZ"}
        late = {tx["sale_id"] for tx in transactions if tx["action"] == "sell" and tx["security"] == "NEW"}
        merged += any(wash["loss_sale_id"] in late and wash["replacement_lot_id"] in early for wash in answer["washes"])
    assert merged, "no loss in a successor met a purchase of its predecessor"
    assert washed > HISTORIES / 2 and partly > HISTORIES / 5 and chained > HISTORIES / 5


def test_a_difference_is_seen() -> None:
    """The comparison itself can fail: a row on one side, and more than a few cents."""
    one, other = {"a": [Fraction(1)], "b": [Fraction(5)]}, {"a": [Fraction(11, 10)], "b": [Fraction(6)]}
    assert differences(one, other) == ["b: [Fraction(5, 1)] and [Fraction(6, 1)]"]
    assert differences(one, {"a": [Fraction(1)]}) == ["b is on one side only"]
