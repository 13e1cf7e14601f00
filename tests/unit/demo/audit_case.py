"""A small but complete out/demo, made by hand: two households, four accounts, five names, two runs, a split and a contribution.

H1: A1 (taxable) sells AAA whole, with a fraction, at a loss and buys BBB; A2 (IRA) sells CCC and buys BBB.
H2: B1 (taxable) sells AAA and BBB and buys CCC; B2 (taxable) declines, and on the second day, after a contribution, buys DDD.
"""

from collections import Counter
from decimal import Decimal as D
from pathlib import Path

import msgspec

from demo.audit.layout import FILES, SUMMARY, CustodyChanged, OrderRefused, line_of, schema_bytes
from demo.sample.custodian import Custodian, CustodyAccount
from tests.unit.demo.audit_case_book import CASH, DAY_1, DAY_2, LOTS, NOW, SPLIT, Case, account_of, open_run
from tests.unit.demo.audit_case_desk import WANTED, propose


def write_case(directory: Path) -> None:
    """Write the whole case."""
    held = {a: CustodyAccount(a, D(CASH[a]), [], {lot.lot_id: lot for lot in lots}) for a, lots in LOTS.items()}
    case = Case(Custodian("hand", DAY_1, held))
    first = open_run(case, DAY_1, version=1, file="accounts_before")
    propose(case, first, WANTED, version=1)
    case.say("orders", OrderRefused(first.run_id, "refused-proposal", "B2", "H2", None, "kill_switch", None, None))
    case.custodian.open_day(DAY_2, [SPLIT], [("B2", D(1000))])
    for change in case.custodian.changes:
        case.say("custody", CustodyChanged(**msgspec.structs.asdict(change)))
    second = open_run(case, DAY_2, version=2, file="accounts_runs")
    propose(case, second, {"B2": [("buy", "DDD", "7", [])]}, version=2)
    case.say("accounts_after", *(account_of(case, a, DAY_2, 3 if a == "B2" else 2) for a in LOTS))
    _write(case, directory)


def _write(case: Case, directory: Path) -> None:
    for file, lines in case.said.items():
        (directory / f"{file}.jsonl").write_bytes(b"".join(line_of(name, NOW, payload) for name, payload in lines))
    for file in (*FILES, SUMMARY):
        (directory / f"{file}.schema.json").write_bytes(schema_bytes(file))
    count = Counter(name for lines in case.said.values() for name, _ in lines)
    names = {"runs": "pma.run.opened", "orders": "pma.order.placed", "executions": "pma.execution.reported", "trades": "pma.trade.booked"}
    summary = {"simulated": True, "accounts": len(LOTS)} | {name: count[kind] for name, kind in names.items()}
    (directory / f"{SUMMARY}.json").write_bytes(msgspec.json.encode(summary))
