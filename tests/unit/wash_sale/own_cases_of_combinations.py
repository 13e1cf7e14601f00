"""More cases of the project's own: several lots, accounts, actions and dates at once.  The beginnings are those of `own_cases`.

Each was worked out from the rules alone, by hand; the section stands in the id.
"""

from datetime import date, timedelta
from typing import Any

from tests.unit.wash_sale.own_cases import (
    BOUGHT,
    IRA,
    L1,
    S1,
    SOLD,
    T1,
    T2,
    Row,
    account,
    after,
    buy,
    case,
    lot,
    move,
    sale,
    sell,
    tacked,
    tx,
    wash,
)

SPOUSE = account("SP", owner="B", relation="spouse_of_A")


def gift(lot_id: str, day: str, donor_basis: Any, donor_acquired: str, value: Any) -> Row:
    figures = {"donor_basis": str(donor_basis), "donor_acquired": donor_acquired, "fmv": str(value)}
    return tx("gift_in", day, lot_id=lot_id, quantity="100", **figures)


def by(loss: str, loss_lot: str, replacement: str, quantity: Any, denied: Any, kind: str = "deferred") -> Row:
    return {"loss_sale_id": loss, **wash(loss_lot, replacement, quantity, denied, kind)}


def held_since(day: str) -> timedelta:
    """The days from a purchase to the usual sale."""
    return SOLD - date.fromisoformat(day)


SEVERAL_LOTS = [
    case(
        "1.4 and 1.5 three loss lots over three purchases: 40, 30, 30 over 25, 50, 40",
        [
            *(buy("A", "2024-03-01", 40, 2000), buy("B", "2024-06-03", 30, 1440), buy("C", "2024-12-02", 30, 1380)),
            *(buy("R1", after(-9), 25, 1050), sell("S1", after(0), 4000, {"A": 40, "B": 30, "C": 30})),
            *(buy("R2", after(5), 50, 2050), buy("R3", after(20), 40, 1720)),
        ],
        [sale("S1", "A", -400, 400, term="long"), sale("S1", "B", -240, 240, term="short"), sale("S1", "C", -180, 180, term="short")],
        [
            lot("R1", 25, 1300, hp_date=tacked(-9, held_since("2024-03-01"))),
            lot("R2", 15, 765, hp_date=tacked(5, held_since("2024-03-01"))),
            lot("R2", 30, 1470, hp_date=tacked(5, held_since("2024-06-03"))),
            lot("R2", 5, 235, hp_date=tacked(5, held_since("2024-12-02"))),
            lot("R3", 25, 1225, hp_date=tacked(20, held_since("2024-12-02"))),
            lot("R3", 15, 645, hp_date=after(20)),
        ],
        [wash("A", "R1", 25, 250), wash("A", "R2", 15, 150), wash("B", "R2", 30, 240), wash("C", "R2", 5, 30), wash("C", "R3", 25, 150)],
    ),
    case(
        "1.5 and 1.8 half of two recent lots is sold: what stays of each replaces the other",
        [buy("A", after(-20), 100, 5000), buy("B", after(-15), 100, 5200), sell("S1", after(0), 4000, {"A": 50, "B": 50})],
        [sale("S1", "A", -500, 500), sale("S1", "B", -600, 600)],
        [lot("A", 50, 3100, hp_date=after(-35)), lot("B", 50, 3100, hp_date=after(-35))],
        [wash("A", "B", 50, 500), wash("B", "A", 50, 600)],
    ),
    case(
        "1.8 the rest of the lot, sold at a loss in its turn: a purchase replaces the earlier sale first",
        [
            *(buy("A", after(-10), 200, 10000), sell("S1", after(0), 4000, {"A": 100}), sell("S2", after(5), 3900, {"A": 100})),
            buy("R", after(15), 150, 6000),
        ],
        [sale("S1", "A", -1000, 1000), sale("S2", "A", -1100, 550)],
        [lot("R", 100, 5000, hp_date=after(5)), lot("R", 50, 2550, hp_date=after(0))],
        [by("S1", "A", "R", 100, 1000), by("S2", "A", "R", 50, 550)],
    ),
    case(
        "1.4 two sales of a day in a known order: the first takes the purchase, though its lot is younger",
        [
            *(buy("A", "2024-11-01", 60, 3300), buy("B", "2024-12-02", 60, 3600)),
            *(sell("S1", after(0), 3000, {"B": 60}), sell("S2", after(0), 3000, {"A": 60}), buy("R", after(9), 60, 3100)),
        ],
        [sale("S1", "B", -600, 600), sale("S2", "A", -300)],
        [lot("R", 60, 3700, hp_date=tacked(9, held_since("2024-12-02")))],
        [by("S1", "B", "R", 60, 600)],
    ),
    case(
        "1.6 and 1.10 two sales of a day: the lot that the second sells was bought in the window and replaces the first's",
        [L1, buy("B", after(-10), 100, 4500), S1, sell("S2", after(0), 4000, {"B": 100})],
        [sale("S1", "L1", -1000, 1000), sale("S2", "B", -1500, hp_date=tacked(-10))],
        [],
        [by("S1", "L1", "B", 100, 1000)],
    ),
    case(
        "1.8 two purchases of one day are two purchases",
        [buy("A", after(0), 100, 5000), buy("B", after(0), 100, 5000), sell("S1", after(4), 4000, {"A": 100})],
        [sale("S1", "A", -1000, 1000)],
        [lot("B", 100, 6000, hp_date=after(-4))],
        [wash("A", "B", 100, 1000)],
    ),
    case(
        "8 of the purchase before the loss only what is still held replaces",
        [L1, buy("R", after(-20), 80, 3200), sell("S0", after(-5), 2100, {"R": 50}), S1],
        [sale("S0", "R", 100), sale("S1", "L1", -1000, 300)],
        [lot("R", 30, 1500, hp_date=tacked(-20))],
        [wash("L1", "R", 30, 300)],
    ),
    case(
        "1.5 bought after the loss and sold again at a gain: it was the first purchase, the next one is not needed",
        [L1, S1, buy("R", after(5), 100, 3900), sell("S2", after(6), 5200, {"R": 100}), buy("X", after(25), 100, 5000)],
        [sale("S1", "L1", -1000, 1000), sale("S2", "R", 300)],
        [lot("X", 100, 5000, hp_date=after(25))],
        [wash("L1", "R", 100, 1000)],
    ),
    case(
        "1.1 both ends of the 61 days in one history",
        [L1, buy("A", after(-31), 10, 400), buy("B", after(-30), 10, 400), S1, buy("C", after(30), 10, 400), buy("D", after(31), 10, 400)],
        [sale("S1", "L1", -1000, 200)],
        [lot("A", 10, 400), lot("B", 10, 500), lot("C", 10, 500), lot("D", 10, 400)],
        [wash("L1", "B", 10, 100), wash("L1", "C", 10, 100)],
    ),
]

SEVERAL_LOTS += [
    case(
        f"1.4 two lots of one day in one sale: the one bought first loses first, also where the sale lists {' before '.join(listed)}",
        [
            *(buy("A", "2024-05-14", 37, 1850), buy("B", "2024-05-14", 50, 3000), buy("R", "2024-06-14", 60, 3000)),
            sell("S1", "2024-07-14", 2680, {lot_id: {"A": 37, "B": 30}[lot_id] for lot_id in listed}),
        ],
        [sale("S1", "A", -370, 370), sale("S1", "B", -600, 460)],
        [lot("B", 20, 1200), lot("R", 37, 2220), lot("R", 23, 1610)],
        [wash("A", "R", 37, 370), wash("B", "R", 23, 460)],
    )
    for listed in ("AB", "BA")
]

DAYS_AND_CENTS = [
    case(
        "1.1 from 31 January to 1 March of a leap year are 30 days",
        [buy("A", "2023-09-01", 10, 1000), sell("S1", "2024-01-31", 800, {"A": 10}), buy("R", "2024-03-01", 10, 850)],
        [sale("S1", "A", -200, 200)],
        [lot("R", 10, 1050, hp_date="2023-10-01")],
        [wash("A", "R", 10, 200)],
    ),
    case(
        "1.1 from 31 January to 3 March of a common year are 31",
        [
            *(buy("A", "2022-09-01", 10, 1000), sell("S1", "2023-01-31", 800, {"A": 10})),
            *(buy("R", "2023-03-02", 4, 340), buy("X", "2023-03-03", 6, 510)),
        ],
        [sale("S1", "A", -200, 80)],
        [lot("R", 4, 420), lot("X", 6, 510)],
        [wash("A", "R", 4, 80)],
    ),
    case(
        "1.10 and 3.1 a year and a leap day added: short-term on the anniversary, then long-term three days after the purchase",
        [
            *(buy("A", "2023-03-01", 100, 5000), sell("S1", "2024-03-01", 4000, {"A": 100}), buy("R", "2024-03-15", 100, 4100)),
            *(sell("S2", "2024-03-15", 3000, {"R": 50}), sell("S3", "2024-03-18", 3000, {"R": 50})),
        ],
        [
            sale("S1", "A", -1000, 1000, term="short"),
            sale("S2", "R", 450, term="short", hp_date="2023-03-15"),
            sale("S3", "R", 450, term="long", hp_date="2023-03-15"),
        ],
        [],
        [wash("A", "R", 100, 1000)],
    ),
    case(
        "1.10 a loss rolled twice: 90 and 118 days, the last lot is long-term after eight months",
        [
            *(buy("A", "2024-09-03", 100, 5000), sell("S1", "2024-12-02", 4500, {"A": 100}), buy("B", "2024-12-20", 100, 4400)),
            *(sell("S2", "2025-01-17", 4200, {"B": 100}), buy("C", "2025-02-14", 100, 4100)),
            *(sell("S3", "2025-10-19", 4500, {"C": 50}), sell("S4", "2025-10-20", 4500, {"C": 50})),
        ],
        [
            *(sale("S1", "A", -500, 500), sale("S2", "B", -700, 700, hp_date="2024-09-21")),
            *(sale("S3", "C", 2100, term="short", hp_date="2024-10-19"), sale("S4", "C", 2100, term="long")),
        ],
        [],
        [wash("A", "B", 100, 500), wash("B", "C", 100, 700)],
    ),
    case(
        "1.7 and 3.8 monthly reinvestments: the slivers within the window, each by itself",
        [
            *(L1, buy("D1", after(-25), "0.75", "31.50", via="drip"), S1, buy("D2", after(6), "0.333", "13.40", via="drip")),
            *(buy("D3", after(30), "0.125", "5.00", via="drip"), buy("D4", after(31), "0.125", "5.00", via="drip")),
        ],
        [sale("S1", "L1", -1000, "12.08")],
        [lot("D1", "0.75", "39.00"), lot("D2", "0.333", "16.73"), lot("D3", "0.125", "6.25"), lot("D4", "0.125", "5.00")],
        [wash("L1", "D1", "0.75", "7.50"), wash("L1", "D2", "0.333", "3.33"), wash("L1", "D3", "0.125", "1.25")],
    ),
    case(
        "5.2 proceeds over three named lots: the odd cent goes to the largest remainder",
        [
            *(buy("A", "2023-01-03", 100, 3000), buy("B", "2024-03-01", 100, 5000), buy("C", "2025-01-02", 100, 6000)),
            sell("S1", after(0), "4500.03", {"C": 40, "A": 20, "B": 30}),
        ],
        [
            *(sale("S1", "A", "400.01", proceeds="1000.01"), sale("S1", "B", "0.01", proceeds="1500.01")),
            sale("S1", "C", "-399.99", proceeds="2000.01"),
        ],
        [lot("A", 80, 2400), lot("B", 70, 3500), lot("C", 60, 3600)],
        [],
    ),
    case(
        "10 a December loss: the IRA before it, a purchase on 30 January, another on the 31st; the next year is long-term",
        [
            *(
                buy("A", "2024-02-01", 100, 5000),
                buy("I", "2024-12-20", 10, 400, account="IRA"),
                sell("S1", "2024-12-31", 4000, {"A": 100}),
            ),
            *(buy("R", "2025-01-30", 50, 2000), buy("X", "2025-01-31", 50, 2000), sell("S2", "2025-03-31", 2400, {"R": 50})),
        ],
        [sale("S1", "A", -1000, 600, 100, term="short"), sale("S2", "R", -100, term="long", hp_date="2024-03-02")],
        [lot("I", 10, 400), lot("X", 50, 2000)],
        [wash("A", "I", 10, 100, "permanent"), wash("A", "R", 50, 500)],
        (T1, IRA),
    ),
]

DAYS_AND_CENTS += [
    case(
        "1.2 a cent that only the division of the proceeds brings about is no loss: it uses up nothing",
        [
            *(buy("A", "2023-01-03", "62.5", 4000), buy("R", after(-10), 50, 1500), buy("B", after(-1), "37.5", "3004.88")),
            sell("S1", after(0), "8013.00", {"A": "62.5", "B": "37.5"}),
        ],
        [sale("S1", "A", "1008.13"), sale("S1", "B", "-0.01")],
        [lot("R", 50, 1500, hp_date=after(-10))],
        [],
    ),
    case(
        "1.1 a cent that was lost is a loss",
        [buy("B", after(-1), 10, "100.01"), sell("S1", after(0), "100.00", {"B": 10}), buy("R", after(1), 10, 99)],
        [sale("S1", "B", "-0.01", "0.01")],
        [lot("R", 10, "99.01", hp_date=after(0))],
        [wash("B", "R", 10, "0.01")],
    ),
]

ACCOUNTS = [
    case(
        "1.12 and 1.6 a share of the IRA is used once, by the first loss",
        [L1, buy("B", "2025-01-03", 100, 5500), S1, buy("I", after(1), 60, 2400, account="IRA"), sell("S2", after(2), 4000, {"B": 100})],
        [sale("S1", "L1", -1000, 600, 600), sale("S2", "B", -1500)],
        [lot("I", 60, 2400)],
        [by("S1", "L1", "I", 60, 600, "permanent")],
        (T1, IRA),
    ),
    case(
        "1.12 the IRA and the taxable account buy on one day: in the day's known order",
        [L1, S1, buy("I", after(3), 70, 2800, account="IRA"), buy("R", after(3), 70, 2800)],
        [sale("S1", "L1", -1000, 1000, 700)],
        [lot("I", 70, 2800), lot("R", 30, 1500), lot("R", 40, 1600)],
        [wash("L1", "I", 70, 700, "permanent"), wash("L1", "R", 30, 300)],
        (T1, IRA),
    ),
    case(
        "1.11 the spouse's replacement is sold at a gain over the basis it took",
        [L1, S1, buy("P", after(4), 100, 4100, account="SP"), sell("S2", after(60), 5600, {"P": 100}, account="SP")],
        [sale("S1", "L1", -1000, 1000), sale("S2", "P", 500, term="short", hp_date=tacked(4))],
        [],
        [wash("L1", "P", 100, 1000)],
        (T1, SPOUSE),
    ),
    case(
        "1.10 and 3.6 a washed lot is moved and sold in the other account",
        [L1, S1, buy("R", after(2), 60, 2460), move(after(6), "R", 60, "T1", "T2"), sell("S2", after(50), 2400, {"R": 60}, account="T2")],
        [sale("S1", "L1", -1000, 600), sale("S2", "R", -660, hp_date=tacked(2))],
        [],
        [wash("L1", "R", 60, 600)],
        (T1, T2),
    ),
    case(
        "4.2 and 3.3 one gift with two bases, sold in part at a loss, in part at a gain",
        [
            gift("G", "2025-02-03", 8000, "2020-03-02", 6000),
            *(sell("S1", after(0), 2000, {"G": 40}), sell("S2", after(40), 6000, {"G": 60})),
        ],
        [sale("S1", "G", -400, basis=2400, term="short"), sale("S2", "G", 1200, basis=4800, term="long")],
        [],
        [],
    ),
    case(
        "4.2 and 1.10 a gift that had gained, sold below the donor's basis: the donor's days are added",
        [gift("G", "2025-02-03", 4000, "2023-05-01", 6000), sell("S1", after(0), 3500, {"G": 100}), buy("R", after(2), 40, 1400)],
        [sale("S1", "G", -500, 200, term="long")],
        [lot("R", 40, 1600, hp_date=tacked(2, held_since("2023-05-01")))],
        [wash("G", "R", 40, 200)],
    ),
    case(
        "1.2 a gift sold between its bases is no loss and uses up nothing",
        [
            *(gift("G", "2025-02-03", 10000, "2023-03-01", 9000), L1, sell("S0", after(0), 9500, {"G": 100}), S1),
            buy("R", after(1), 100, 4100),
        ],
        [sale("S0", "G", 0, basis=None, term="none"), sale("S1", "L1", -1000, 1000)],
        [lot("R", 100, 5100, hp_date=tacked(1))],
        [wash("L1", "R", 100, 1000)],
    ),
]

ACTIONS = [
    case(
        "4.4 a split before the sale: early replacement and loss lot count in new shares",
        [L1, buy("R", after(-13), 50, 2100), tx("split", after(-6), ratio="2"), sell("S1", after(0), 4000, {"L1": 200})],
        [sale("S1", "L1", -1000, 500)],
        [lot("R", 100, 2600, hp_date=tacked(-13))],
        [wash("L1", "R", 100, 500)],
    ),
    case(
        "4.4 a stock dividend between sale and repurchase: 50 new shares replace 40 of 100",
        [L1, S1, tx("stock_dividend", after(3), new_per_old="0.25"), buy("R", after(8), 50, 1700)],
        [sale("S1", "L1", -1000, 400)],
        [lot("R", 50, 2100, hp_date=tacked(8))],
        [wash("L1", "R", 50, 400)],
    ),
    case(
        "4.6 return of capital on a washed lot: beyond the basis of its unwashed shares, within that of the others",
        [
            *(buy("A", BOUGHT.isoformat(), 40, 2000), sell("S1", after(0), 1600, {"A": 40}), buy("R", after(2), 100, 1000)),
            tx("return_of_capital", after(40), per_share="15"),
        ],
        [sale("S1", "A", -400, 400), {"lot_id": "R", "proceeds": 300, "raw_gain": 300, "term": "short"}],
        [lot("R", 40, 200, hp_date=tacked(2)), lot("R", 60, 0, hp_date=after(2))],
        [wash("A", "R", 40, 400)],
    ),
    case(
        "4.7 and 1.7 a fraction cashed at a loss, a reinvestment after it",
        [
            *(buy("A", BOUGHT.isoformat(), 101, 5050), tx("split", after(-1), ratio="1.5")),
            *(tx("cash_in_lieu", after(0), quantity="0.5", proceeds="10.00", sale_id="C"), buy("D", after(10), "0.2", 5, via="drip")),
        ],
        [sale("C", "A", "-6.67", "2.67")],
        [lot("A", 151, "5033.33"), lot("D", "0.2", "7.67", hp_date=tacked(10))],
        [wash("A", "D", "0.2", "2.67")],
    ),
    case(
        "1.7 shares of the security that come by a spin-off or a merger are not bought, though their forerunners were",
        [
            *(L1, buy("P", after(-20), 100, 9000, security="PAR"), buy("Q", after(-20), 100, 6000, security="TGT"), S1),
            tx("spin_off", after(6), security="PAR", new_security="XYZ", new_per_old="1", parent_price="60", spun_price="30"),
            tx("merger", after(6), security="TGT", new_security="XYZ", ratio="2"),
        ],
        [sale("S1", "L1", -1000)],
        [
            *(lot("P", 100, 6000, security="PAR"), lot("P", 100, 3000, security="XYZ", hp_date=after(-20))),
            lot("Q", 200, 6000, security="XYZ", hp_date=after(-20)),
        ],
        [],
    ),
    case(
        "4.5 a merger with cash takes the deferred loss along; it is no loss yet",
        [L1, S1, buy("R", after(5), 100, 4100), tx("merger", after(10), new_security="N", ratio="1", cash_per_share="5", new_price="37")],
        [sale("S1", "L1", -1000, 1000)],
        [lot("R", 100, 4600, security="N", hp_date=tacked(5))],
        [wash("L1", "R", 100, 1000)],
    ),
]

OF_COMBINATIONS = [*SEVERAL_LOTS, *DAYS_AND_CENTS, *ACCOUNTS, *ACTIONS]
