"""Cases of the project's own, derived from the rules where the verified file is thin; the rule's section stands in each id.

The usual beginning: 100 XYZ bought on 2 January 2025 for 5,000 in T1 (L1) and sold on 2 June for 4,000 (S1): a loss of 1,000, 10 a share,
of shares held 151 days.  Only figures that the rule decides are stated.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
BOUGHT, SOLD = date(2025, 1, 2), date(2025, 6, 2)
HELD = SOLD - BOUGHT


def after(days: int) -> str:
    """So many days after the usual sale."""
    return (SOLD + timedelta(days=days)).isoformat()


def tacked(days: int, held: timedelta = HELD) -> str:
    """The effective date of a replacement bought so many days after the usual sale: the days held are added (1.10)."""
    return (SOLD + timedelta(days=days) - held).isoformat()


def account(name: str, kind: str = "taxable", owner: str = "A", relation: str | None = None, **more: Any) -> Row:
    return {"id": name, "owner": owner, "type": kind, "relation": relation, **more}


T1, T2 = account("T1"), account("T2")
IRA, ROTH = account("IRA", "traditional_ira"), account("ROTH", "roth_ira")
SPOUSE, CORP = account("SP", owner="B", relation="spouse_of_A"), account("CO", owner="C", relation="corporation_controlled_by_A")


def tx(action: str, day: str, **fields: Any) -> Row:
    return {"action": action, "date": day, "account": "T1", "security": "XYZ", **fields}


def buy(lot: str, day: str, quantity: Any, cost: Any, **more: Any) -> Row:
    return tx("buy", day, lot_id=lot, quantity=str(quantity), cost=str(cost), **more)


def sell(sale: str, day: str, proceeds: Any, lots: dict[str, Any] | None = None, quantity: Any = None, **more: Any) -> Row:
    chosen = None if lots is None else [{"lot_id": lot, "quantity": str(part)} for lot, part in lots.items()]
    whole = quantity if lots is None else sum(Decimal(str(part)) for part in lots.values())
    return tx("sell", day, sale_id=sale, quantity=str(whole), proceeds=str(proceeds), lots=chosen, **more)


L1 = buy("L1", BOUGHT.isoformat(), 100, 5000)
S1 = sell("S1", after(0), 4000, {"L1": 100})


def sale(sale_id: str, lot: str, gain: Any, denied: Any = 0, gone: Any = 0, **more: Any) -> Row:
    figures = {"raw_gain": gain, "disallowed": denied, "permanently_disallowed": gone, "form_8949_code": "W" if denied else ""}
    return {"sale_id": sale_id, "lot_id": lot, **figures, "allowed_gain": Decimal(str(gain)) + Decimal(str(denied)), **more}


def lot(lot_id: str, quantity: Any, basis: Any, **more: Any) -> Row:
    return {"lot_id": lot_id, "quantity": quantity, "adjusted_basis": basis, **more}


def wash(loss_lot: str, by: str, quantity: Any, denied: Any, kind: str = "deferred") -> Row:
    return {"loss_lot_id": loss_lot, "replacement_lot_id": by, "quantity": quantity, "disallowed": denied, "kind": kind}


def case(
    name: str, transactions: list[Row], sales: list[Row], lots: list[Row], washes: list[Row], accounts: Any = (T1,), **more: Any
) -> Row:
    """One case; the transactions stand in the order of their day."""
    numbered = [{"seq": number, **each} for number, each in enumerate(transactions, start=1)]
    for each in numbered:
        if each["action"] in ("transfer", "split", "stock_dividend", "spin_off", "merger", "return_of_capital", "cash_merger"):
            del each["account"]
    expected = {"sales": sales, "lots": lots, "washes": washes, **more.pop("also", {})}
    return {"id": name, "lot_method": "fifo", "accounts": list(accounts), "transactions": numbered, "expected": expected, **more}


def move(day: str, lot_id: str, quantity: Any, source: str, target: str) -> Row:
    return tx("transfer", day, quantity=str(quantity), lot_id=lot_id, from_account=source, to_account=target)


RETIREMENT = [
    case(
        "1.12 the IRA buys first: its shares replace first",
        [L1, S1, buy("I", after(3), 40, 1640, account="IRA"), buy("L2", after(5), 60, 2460)],
        [sale("S1", "L1", -1000, 1000, 400)],
        [lot("I", 40, 1640, hp_date=after(3)), lot("L2", 60, 3060, hp_date=tacked(5))],
        [wash("L1", "I", 40, 400, "permanent"), wash("L1", "L2", 60, 600)],
        (T1, IRA),
    ),
    case(
        "1.12 the taxable account buys first: the IRA replaces only what is left",
        [L1, S1, buy("L2", after(3), 60, 2460), buy("I", after(5), 60, 2460, account="IRA")],
        [sale("S1", "L1", -1000, 1000, 400)],
        [lot("L2", 60, 3060), lot("I", 60, 2460)],
        [wash("L1", "L2", 60, 600), wash("L1", "I", 40, 400, "permanent")],
        (T1, IRA),
    ),
    case(
        "1.12 bought before the sale: still in one order of dates",
        [L1, buy("I", after(-10), 50, 2000, account="IRA"), buy("L2", after(-5), 30, 1200), S1, buy("L3", after(7), 30, 1230)],
        [sale("S1", "L1", -1000, 1000, 500)],
        [lot("I", 50, 2000), lot("L2", 30, 1500), lot("L3", 20, 1020), lot("L3", 10, 410)],
        [wash("L1", "I", 50, 500, "permanent"), wash("L1", "L2", 30, 300), wash("L1", "L3", 20, 200)],
        (T1, IRA),
    ),
    case(
        "1.12 an IRA and a Roth both buy: all is gone",
        [L1, S1, buy("R", after(1), 50, 2050, account="ROTH"), buy("I", after(2), 50, 2050, account="IRA")],
        [sale("S1", "L1", -1000, 1000, 1000)],
        [lot("R", 50, 2050), lot("I", 50, 2050)],
        [wash("L1", "R", 50, 500, "permanent"), wash("L1", "I", 50, 500, "permanent")],
        (T1, IRA, ROTH),
    ),
    case(
        "1.11 and 1.12 the spouse's Roth",
        [L1, S1, buy("R", after(9), 100, 4100, account="SR")],
        [sale("S1", "L1", -1000, 1000, 1000)],
        [lot("R", 100, 4100, wash_adjustment=0)],
        [wash("L1", "R", 100, 1000, "permanent")],
        (T1, account("SR", "roth_ira", "B", "spouse_of_A")),
    ),
    case(
        "1.12 a loss inside an IRA is never claimed, so nothing is denied and nothing deferred",
        [{**L1, "account": "IRA"}, {**S1, "account": "IRA"}, buy("L2", after(5), 100, 4100)],
        [{"sale_id": "S1", "lot_id": "L1", "disallowed": 0, "form_8949_code": ""}],
        [lot("L2", 100, 4100, wash_adjustment=0, hp_date=after(5))],
        [],
        (T1, IRA),
    ),
    case(
        "8 what the IRA sold before the loss replaces nothing",
        [
            L1,
            buy("I", after(-9), 100, 4100, account="IRA"),
            sell("SI", after(-2), 4000, {"I": 100}, account="IRA"),
            S1,
        ],
        [{"sale_id": "SI", "disallowed": 0}, sale("S1", "L1", -1000)],
        [],
        [],
        (T1, IRA),
    ),
    case(
        "1.1 a Roth purchase on the 30th day after",
        [L1, S1, buy("R", after(30), 100, 4100, account="ROTH")],
        [sale("S1", "L1", -1000, 1000, 1000)],
        [lot("R", 100, 4100)],
        [wash("L1", "R", 100, 1000, "permanent")],
        (T1, ROTH),
    ),
    case(
        "1.1 a Roth purchase on the 31st day after",
        [L1, S1, buy("R", after(31), 100, 4100, account="ROTH")],
        [sale("S1", "L1", -1000)],
        [lot("R", 100, 4100)],
        [],
        (T1, ROTH),
    ),
    case(
        "1.12 a rolled loss that a Roth replaces is gone with what was rolled into it",
        [L1, S1, buy("L2", after(5), 100, 4200), sell("S2", after(60), 4600, {"L2": 100}), buy("R", after(70), 100, 4500, account="ROTH")],
        [sale("S1", "L1", -1000, 1000), sale("S2", "L2", -600, 600, 600, basis=5200)],
        [lot("R", 100, 4500)],
        [wash("L1", "L2", 100, 1000), wash("L2", "R", 100, 600, "permanent")],
        (T1, ROTH),
    ),
]

RELATED = [
    case(
        "1.11 the spouse sells, the taxpayer buys",
        [{**L1, "account": "SP"}, {**S1, "account": "SP"}, buy("L2", after(5), 100, 4100)],
        [sale("S1", "L1", -1000, 1000)],
        [lot("L2", 100, 5100, hp_date=tacked(5), account="T1")],
        [wash("L1", "L2", 100, 1000)],
        (T1, SPOUSE),
    ),
    case(
        "1.11 a controlled corporation buys: its lot takes the loss",
        [L1, S1, buy("C", after(5), 100, 4100, account="CO")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("C", 100, 5100, hp_date=tacked(5))],
        [wash("L1", "C", 100, 1000)],
        (T1, CORP),
    ),
    case(
        "8 under the other reading the loss that a controlled corporation replaces is gone",
        [L1, S1, buy("C", after(5), 100, 4100, account="CO")],
        [sale("S1", "L1", -1000, 1000, 1000)],
        [lot("C", 100, 4100, hp_date=after(5))],
        [wash("L1", "C", 100, 1000, "permanent")],
        (T1, CORP),
        policy={"related_basis": "permanent"},
    ),
    case(
        "8 and under it the spouse's lot keeps its cost, the taxpayer's own does not",
        [L1, S1, buy("P", after(4), 50, 2050, account="SP"), buy("L2", after(5), 50, 2050)],
        [sale("S1", "L1", -1000, 1000, 500)],
        [lot("P", 50, 2050), lot("L2", 50, 2550)],
        [wash("L1", "P", 50, 500, "permanent"), wash("L1", "L2", 50, 500)],
        (T1, SPOUSE),
        policy={"related_basis": "permanent"},
    ),
    case(
        "1.11 another taxpayer's purchase does not count",
        [L1, S1, buy("X", after(5), 100, 4100, account="F1")],
        [sale("S1", "L1", -1000)],
        [lot("X", 100, 4100)],
        [],
        (T1, account("F1", owner="F")),
    ),
    case(
        "1.11 a joint account is each owner's",
        [L1, S1, buy("J", after(5), 100, 4100, account="J1")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("J", 100, 5100)],
        [wash("L1", "J", 100, 1000)],
        (T1, account("J1", owner="A & B")),
    ),
    case(
        "1.11 spouse, corporation and IRA buy: by date",
        [
            L1,
            S1,
            buy("C", after(2), 30, 1200, account="CO"),
            buy("I", after(4), 30, 1200, account="IRA"),
            buy("P", after(6), 60, 2400, account="SP"),
        ],
        [sale("S1", "L1", -1000, 1000, 300)],
        [lot("C", 30, 1500), lot("I", 30, 1200), lot("P", 40, 2000), lot("P", 20, 800)],
        [wash("L1", "C", 30, 300), wash("L1", "I", 30, 300, "permanent"), wash("L1", "P", 40, 400)],
        (T1, SPOUSE, CORP, IRA),
    ),
]

CLASSES = [{"group": "XYZ Corp", "securities": ["XYZ", "XYZ.B"]}]
IDENTITY = [
    case(
        "1.13 another share class of the issuer",
        [L1, S1, buy("B", after(5), 100, 4100, security="XYZ.B")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("B", 100, 5100, security="XYZ.B")],
        [wash("L1", "B", 100, 1000)],
        securities={"XYZ": {"issuer": "XYZ Corp"}, "XYZ.B": {"issuer": "XYZ Corp"}},
    ),
    case(
        "1.13 both classes are bought: by date",
        [L1, buy("B", after(-5), 40, 1600, security="XYZ.B"), S1, buy("L2", after(5), 100, 4100)],
        [sale("S1", "L1", -1000, 1000)],
        [lot("B", 40, 2000), lot("L2", 60, 3060), lot("L2", 40, 1640)],
        [wash("L1", "B", 40, 400), wash("L1", "L2", 60, 600)],
        identity_groups=CLASSES,
    ),
    case(
        "1.13 a group that begins after the purchase does not reach back",
        [L1, S1, buy("B", after(5), 100, 4100, security="XYZ.B")],
        [sale("S1", "L1", -1000)],
        [lot("B", 100, 4100)],
        [],
        identity_groups=[{**CLASSES[0], "since": after(6)}],
    ),
    case(
        "1.13 a group that has begun by the purchase does",
        [L1, S1, buy("B", after(5), 100, 4100, security="XYZ.B")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("B", 100, 5100)],
        [wash("L1", "B", 100, 1000)],
        identity_groups=[{**CLASSES[0], "since": after(5)}],
    ),
    case(
        "8 two funds on one index are identical where the table says so",
        [L1, S1, buy("F", after(0), 100, 4000, security="FUND2")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("F", 100, 5000)],
        [wash("L1", "F", 100, 1000)],
        identity_groups=[{"group": "an index", "securities": ["XYZ", "FUND2"]}],
    ),
]

TRANSFERS = [
    case(
        "1.7 a lot bought in the window and moved since: the purchase counts, wherever the shares are",
        [L1, buy("L2", after(-8), 100, 4100, account="T2"), move(after(-3), "L2", 100, "T2", "T1"), S1],
        [sale("S1", "L1", -1000, 1000)],
        [lot("L2", 100, 5100, account="T1", hp_date=tacked(-8))],
        [wash("L1", "L2", 100, 1000)],
        (T1, T2),
    ),
    case(
        "1.7 half of it is moved: both halves replace",
        [L1, buy("L2", after(-8), 100, 4100, account="T2"), move(after(-3), "L2", 50, "T2", "T1"), S1],
        [sale("S1", "L1", -1000, 1000)],
        [lot("L2", 50, 2550, account="T1"), lot("L2", 50, 2550, account="T2")],
        [wash("L1", "L2", 50, 500), wash("L1", "L2", 50, 500)],
        (T1, T2),
    ),
    case(
        "1.8 what is left of the purchase in the other account does not replace it",
        [buy("L1", after(-20), 100, 5000, account="T2"), move(after(-10), "L1", 50, "T2", "T1"), sell("S1", after(0), 2000, {"L1": 50})],
        [sale("S1", "L1", -500)],
        [lot("L1", 50, 2500, account="T2")],
        [],
        (T1, T2),
    ),
    case(
        "1.9 a replacement takes its basis and period along",
        [L1, S1, buy("L2", after(5), 100, 4100, account="T2"), move(after(9), "L2", 100, "T2", "T1")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("L2", 100, 5100, account="T1", hp_date=tacked(5))],
        [wash("L1", "L2", 100, 1000)],
        (T1, T2),
    ),
    case(
        "5.1 FIFO goes by the date of purchase, not of the transfer",
        [
            buy("L0", "2023-01-03", 100, 3300, account="T2"),
            L1,
            move("2025-05-01", "L0", 100, "T2", "T1"),
            sell("S1", after(0), 4000, quantity=100),
        ],
        [sale("S1", "L0", 700, term="long")],
        [lot("L1", 100, 5000)],
        [],
        (T1, T2),
    ),
    case(
        "5.1 FIFO stays within an account",
        [buy("L0", "2023-01-03", 100, 3300, account="T2"), L1, sell("S1", after(0), 4000, quantity=100)],
        [sale("S1", "L1", -1000)],
        [lot("L0", 100, 3300)],
        [],
        (T1, T2),
    ),
]
