"""Cases of the project's own about lots that meet under one name, shares that no decimal divides, and layers of layers.

Each was worked out from the rules alone, by hand; the section stands in the id.
"""

from tests.unit.wash_sale.own_cases import IRA, L1, S1, T1, T2, account, after, buy, case, lot, move, sale, sell, tacked, tx, wash

STRANGER = account("F", owner="F")
OLD, NEW = buy("L", "2024-01-02", 10, 100), buy("L", "2025-01-02", 10, 200, account="T2")

OF_NAMES = [
    case(
        "5.2 lots named in time, but the broker has not confirmed them: the oldest goes",
        [
            *(buy("A", "2024-01-02", 100, 3000), buy("B", "2024-02-01", 100, 5000)),
            sell("S1", after(0), 4000, {"B": 100}, identification={"made_on": after(0), "confirmed": False}),
        ],
        [sale("S1", "A", 1000)],
        [lot("B", 100, 5000)],
        [],
    ),
    case(
        "3.6 and 5.1 a lot moves to where another of its name is: both keep their basis and period, the older goes first",
        [
            OLD,
            NEW,
            move("2025-03-03", "L", 10, "T2", "T1"),
            sell("S1", "2025-04-01", 90, {"L": 10}),
            sell("S2", "2025-04-02", 90, {"L": 6}),
        ],
        [
            sale("S1", "L", -10, basis=100, term="long"),
            sale("S2", "L", -30, basis=120, term="short"),
        ],
        [lot("L", 4, 80, hp_date="2025-01-02")],
        [],
        (T1, T2),
    ),
    case(
        "4.5 a merger into a security of which a lot has the same name",
        [
            buy("L", "2023-05-01", 100, 1000, security="OLD"),
            buy("L", "2025-02-03", 50, 900, security="NEW"),
            tx("merger", "2025-05-01", security="OLD", new_security="NEW", ratio="0.5"),
            sell("S1", after(0), 900, quantity=60, security="NEW"),
        ],
        [
            sale("S1", "L", -250, basis=1000, term="long"),
            sale("S1", "L", -30, basis=180, term="short"),
        ],
        [lot("L", 40, 720, security="NEW", acquired="2025-02-03")],
        [],
    ),
    case(
        "8 and 4.4 one for three between: 33.333333 new shares replace 100 old ones, nothing is lost or left",
        [L1, S1, tx("split", after(3), ratio="1/3"), buy("R", after(5), 20, 2400), buy("Q", after(6), 20, 2460)],
        [sale("S1", "L1", -1000, 1000)],
        [
            lot("R", 20, 3000, hp_date=tacked(5)),
            lot("Q", "13.333333", 2040, hp_date=tacked(6)),
            lot("Q", "6.666667", 820, hp_date=after(6)),
        ],
        [wash("L1", "R", 20, 600), wash("L1", "Q", "13.333333", 400)],
    ),
    case(
        "1.5 and 1.11 the first purchases are a stranger's: they are passed over, the household's own replaces",
        [L1, *(buy(f"F{n}", after(-9), 10, 400, account="F") for n in range(20)), S1, buy("R", after(9), 60, 2400)],
        [sale("S1", "L1", -1000, 600)],
        [*(lot(f"F{n}", 10, 400) for n in range(20)), lot("R", 60, 3000, hp_date=tacked(9))],
        [wash("L1", "R", 60, 600)],
        (T1, STRANGER),
    ),
    case(
        "1.5 and 1.6 twenty reinvested slivers before the loss, two of them the IRA's",
        [
            *(L1, buy("I1", after(-22), 3, 120, account="IRA")),
            *(buy(f"D{n}", after(-21 + n), "0.5", 20, via="drip") for n in range(20)),
            *(buy("I2", after(-1), 7, 280, account="IRA"), S1, buy("R", after(30), 100, 3900)),
        ],
        [sale("S1", "L1", -1000, 1000, 100)],
        [
            *(lot("I1", 3, 120), lot("I2", 7, 280)),
            *(lot(f"D{n}", "0.5", 25, hp_date=tacked(-21 + n)) for n in range(20)),
            *(lot("R", 80, 3920, hp_date=tacked(30)), lot("R", 20, 780, hp_date=after(30))),
        ],
        [
            wash("L1", "I1", 3, 30, "permanent"),
            *(wash("L1", f"D{n}", "0.5", 5) for n in range(20)),
            *(wash("L1", "I2", 7, 70, "permanent"), wash("L1", "R", 80, 800)),
        ],
        (T1, IRA),
    ),
]
