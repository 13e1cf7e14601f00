"""Random histories in the shape of the cases file: own accounts, a spouse, a Roth; two share classes; every kind of event."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from libs.common.money import plain

D = Decimal
Raw = dict[str, Any]
FIRST = date(2024, 11, 4)
ACCOUNTS = [
    {"id": "T1", "owner": "A", "type": "taxable"},
    {"id": "T2", "owner": "A", "type": "taxable"},
    {"id": "S1", "owner": "B", "type": "taxable", "relation": "spouse_of_A"},
    {"id": "R1", "owner": "A", "type": "roth_ira"},
]
TAXABLE = ("T1", "T2", "S1")
GROUPS = [{"group": "X", "securities": ["XA", "XB"]}]
DOLLAR_STEP = D("0.01")


@dataclass
class Story:
    """What the strategy writes down, and what it knows of holdings: shares by account and security, and by lot."""

    transactions: list[Raw] = field(default_factory=list)
    lots: dict[tuple[str, str], dict[str, Decimal]] = field(default_factory=dict)
    acquired: dict[str, date] = field(default_factory=dict)
    today: date = FIRST
    price: dict[str, int] = field(default_factory=lambda: {"XA": 5000, "XB": 5000, "Y": 2000, "Z": 1000})

    def write(self, action: str, **fields: Any) -> None:
        number = len(self.transactions) + 1
        self.transactions.append({"seq": number, "date": self.today.isoformat(), "action": action, **fields})

    def held(self) -> list[tuple[str, str]]:
        return sorted(place for place, lots in self.lots.items() if sum(lots.values()) > 0)

    def come_in(self, account: str, security: str, lot_id: str, quantity: Decimal) -> None:
        self.lots.setdefault((account, security), {})[lot_id] = quantity
        self.acquired[lot_id] = self.today

    def go_out(self, place: tuple[str, str], chosen: list[Raw] | None, quantity: Decimal) -> dict[str, Decimal]:
        lots, gone = self.lots[place], {}
        parts = (
            [(one["lot_id"], D(one["quantity"])) for one in chosen]
            if chosen
            else sorted(lots.items(), key=lambda lot: self.acquired[lot[0]])
        )
        for lot_id, most in parts:
            part = min(most, quantity)
            if part:
                gone[lot_id] = part
                lots[lot_id] -= part
                quantity -= part
            if not lots[lot_id]:
                del lots[lot_id]
        return gone

    def dollars(self, security: str, quantity: Decimal) -> str:
        return plain((quantity * self.price[security] / 100).quantize(DOLLAR_STEP))


def _quantity(draw: st.DrawFn) -> Decimal:
    return D(draw(st.integers(1, 10))) if draw(st.integers(0, 3)) else D(draw(st.integers(1, 40))) / 4


def _buy(draw: st.DrawFn, story: Story) -> None:
    account = draw(st.sampled_from(("T1", "T1", "T1", "T1", "T2", "S1", "R1")))
    security = draw(st.sampled_from(("XA", "XA", "XA", "XA", "XB", "Y")))
    quantity, lot_id = _quantity(draw), f"L{len(story.transactions)}"
    story.write("buy", account=account, security=security, quantity=plain(quantity), cost=story.dollars(security, quantity), lot_id=lot_id)
    story.come_in(account, security, lot_id, quantity)


def _part(
    draw: st.DrawFn, story: Story, accounts: tuple[str, ...] | None = None
) -> tuple[tuple[str, str], Decimal, list[Raw] | None] | None:
    places = [place for place in story.held() if accounts is None or place[0] in accounts]
    if not places:
        return None
    place = draw(st.sampled_from(places))
    lots = story.lots[place]
    if draw(st.booleans()):
        total = sum(lots.values())
        return place, (total if draw(st.booleans()) else min(_quantity(draw), total)), None
    names = draw(st.lists(st.sampled_from(sorted(lots)), min_size=1, max_size=2, unique=True))
    chosen = [{"lot_id": name, "quantity": plain(min(lots[name], _quantity(draw)))} for name in names]
    return place, sum((D(one["quantity"]) for one in chosen), D(0)), chosen


def _sell(draw: st.DrawFn, story: Story) -> None:
    part = _part(draw, story)
    if part is None:
        return _buy(draw, story)
    (account, security), quantity, chosen = part
    name = f"S{len(story.transactions)}"
    proceeds = story.dollars(security, quantity)
    story.write("sell", account=account, security=security, quantity=plain(quantity), proceeds=proceeds, sale_id=name, lots=chosen)
    story.go_out((account, security), chosen, quantity)
    return None


def _gift(draw: st.DrawFn, story: Story) -> None:
    if draw(st.booleans()):
        quantity, lot_id = _quantity(draw), f"G{len(story.transactions)}"
        account, security = draw(st.sampled_from(TAXABLE)), draw(st.sampled_from(("XA", "Y")))
        value = D(story.dollars(security, quantity))
        facts = {"account": account, "security": security, "quantity": plain(quantity), "lot_id": lot_id, "fmv": plain(value)}
        kind = draw(st.sampled_from(("gift_in", "inherit", "spouse_transfer_in")))
        if kind != "inherit":
            donor = value if draw(st.booleans()) else (value / 2).quantize(DOLLAR_STEP)
            facts |= {"donor_basis": plain(donor), "donor_acquired": "2022-03-01"}
        story.write(kind, **facts)
        return story.come_in(account, security, lot_id, quantity)
    part = _part(draw, story)
    if part is None:
        return _buy(draw, story)
    (account, security), quantity, chosen = part
    story.write("gift_out", account=account, security=security, quantity=plain(quantity), lots=chosen)
    story.go_out((account, security), chosen, quantity)
    return None


def _transfer(draw: st.DrawFn, story: Story) -> None:
    part = _part(draw, story, TAXABLE)
    if part is None:
        return _buy(draw, story)
    (account, security), quantity, chosen = part
    target = draw(st.sampled_from([each for each in TAXABLE if each != account]))
    fields: Raw = {"security": security, "quantity": plain(quantity), "from_account": account, "to_account": target, "lots": chosen}
    story.write("transfer", **fields)
    for lot_id, moved in story.go_out((account, security), chosen, quantity).items():
        there = story.lots.setdefault((target, security), {})
        there[lot_id] = there.get(lot_id, D(0)) + moved
    return None


def _split(draw: st.DrawFn, story: Story) -> None:
    security, ratio = draw(st.sampled_from(("XA", "XB", "Y"))), draw(st.sampled_from(("2", "3", "0.5", "1.1")))
    if draw(st.booleans()):
        story.write("split", security=security, ratio=ratio)
    else:
        ratio = "1.25"
        story.write("stock_dividend", security=security, new_per_old="0.25")
    story.price[security] = max(1, int(story.price[security] / D(ratio)))
    for place, lots in story.lots.items():
        if place[1] == security:
            story.lots[place] = {lot_id: quantity * D(ratio) for lot_id, quantity in lots.items()}


def _spin_off(draw: st.DrawFn, story: Story) -> None:
    security = draw(st.sampled_from(("XA", "Y")))
    story.write("spin_off", security=security, new_security="Z", new_per_old="0.5", parent_price="40.5", spun_price="7.25")
    for (account, held), lots in list(story.lots.items()):
        if held == security:
            there = story.lots.setdefault((account, "Z"), {})
            for lot_id, quantity in lots.items():
                there[lot_id] = there.get(lot_id, D(0)) + quantity / 2


def _return_of_capital(draw: st.DrawFn, story: Story) -> None:
    story.write("return_of_capital", security=draw(st.sampled_from(("XA", "Y"))), per_share=draw(st.sampled_from(("0.13", "7", "30"))))


def _merge(draw: st.DrawFn, story: Story) -> None:
    cash = draw(st.sampled_from(("0", "3.5")))
    story.write("merger", security="Z", new_security="Y", ratio="0.5", cash_per_share=cash, new_price="21.37")
    for (account, held), lots in list(story.lots.items()):
        if held == "Z":
            there = story.lots.setdefault((account, "Y"), {})
            for lot_id, quantity in lots.items():
                there[lot_id] = there.get(lot_id, D(0)) + quantity / 2
            story.lots[account, "Z"] = {}


Step = Callable[[st.DrawFn, Story], None]
PLAIN: tuple[Step, ...] = (_buy, _buy, _sell, _sell)
MOVES: tuple[Step, ...] = (*PLAIN, *PLAIN, _transfer, _split)
ALL: tuple[Step, ...] = (*PLAIN, *PLAIN, *PLAIN, *PLAIN, _gift, _transfer, _split, _spin_off, _return_of_capital, _merge)


@st.composite
def stories(draw: st.DrawFn, kinds: tuple[Step, ...] = ALL) -> Story:
    """A few months: up to 30 events, prices that mostly fall, gaps within and beyond the window."""
    story = Story()
    for _ in range(draw(st.integers(8, 26))):
        story.today += timedelta(days=draw(st.sampled_from((0, 1, 2, 5, 9, 31))))
        for security in ("XA", "XB", "Y"):
            story.price[security] = max(1, story.price[security] * draw(st.sampled_from((84, 90, 95, 104))) // 100)
        draw(st.sampled_from(kinds))(draw, story)
    return story


def as_file(story: Story, **more: Any) -> Raw:
    """The story as one history of a file."""
    return {
        "id": "random",
        "lot_method": "fifo",
        "accounts": ACCOUNTS,
        "identity_groups": GROUPS,
        "transactions": story.transactions,
        **more,
    }
