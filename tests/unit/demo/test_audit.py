"""The audit passes a good out/demo and catches each planted corruption by the rule meant for it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.audit.__main__ import main
from demo.audit.rules import REFERENCES, RULES, SCHEMA, audit
from tests.unit.demo.audit_case import write_case

Line = dict[str, Any]
Plant = Callable[[list[Line]], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("out") / "demo"
    directory.mkdir()
    write_case(directory)
    return directory


def violated(directory: Path) -> dict[str, list[str]]:
    return {tally.rule: [v.detail for v in tally.violations] for tally in audit(directory) if tally.violations}


def copy_with(good: Path, tmp_path: Path, file: str, plant: Plant) -> Path:
    """A copy of the good case with one file's lines changed."""
    directory = tmp_path / "demo"
    shutil.copytree(good, directory)
    path = directory / file
    if file.endswith(".jsonl"):
        lines = [msgspec.json.decode(raw) for raw in path.read_bytes().splitlines()]
        plant(lines)
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    else:
        document = [msgspec.json.decode(path.read_bytes())]
        plant(document)
        path.write_bytes(msgspec.json.encode(document[0]))
    return directory


def first(lines: list[Line], **wanted: Any) -> Line:
    """The first line with these members."""
    return next(line for line in lines if all(line.get(key) == value for key, value in wanted.items()))


def order_of(lines: list[Line], security_id: str, side: str) -> Line:
    return first(lines, type="pma.order.placed", security_id=security_id, side=side)


def set_in(path: str, value: Any, **wanted: Any) -> Plant:
    """Set a member, given as a dotted path, of the first line with the wanted members."""

    def plant(lines: list[Line]) -> None:
        node: Any = first(lines, **wanted)
        *parents, last = path.split(".")
        for key in parents:
            node = node[int(key)] if key.isdigit() else node[key]
        node[int(last) if last.isdigit() else last] = value

    return plant


def change_order(security_id: str, side: str, change: Callable[[Line], None]) -> Plant:
    return lambda lines: change(order_of(lines, security_id, side))


def add(line: Callable[[list[Line]], Line]) -> Plant:
    return lambda lines: lines.append(line(lines))


def verdict(**members: Any) -> Line:
    return {
        "security_id": "BBB",
        "may_buy": True,
        "may_sell": True,
        "must_sell": False,
        "max_weight_frac": None,
        "min_weight_frac": None,
        "rules": [],
    } | members


def window(group: str, securities: list[str], lots: list[str], account: str) -> Line:
    window_days = {"trade_date": "2025-12-01", "until": "2025-12-31"}
    return {"identity_group": group, "security_ids": securities, "account_id": account, "cause": "x", "lot_ids": lots} | window_days


def two_buyers_of_what_is_sold_at_a_loss(lines: list[Line]) -> None:
    """The IRA of the household buys the other class of AAA, which the taxable account sells at a loss."""
    order = order_of(lines, "BBB", "buy")
    ira = order["allocations"].pop(1)
    order["order_qty"] = "20"
    lines.append(order | {"security_id": "AAB", "allocations": [ira], "order_qty": "10", "reference_price": "101", "cl_ord_id": "x"})


def proposal_for_the_other_class(lines: list[Line]) -> None:
    trade = first(lines, account_id="A2")["trades"][0]
    trade |= {"security_id": "AAB", "price": "101"}


def one_share_to_the_other_account(lines: list[Line]) -> None:
    """Of the first fill of BBB, A2 gives one share to A1."""
    parts = [line for line in lines if line["type"] == "pma.trade.booked" and line["security_id"] == "BBB"][:2]
    for trade, shares in zip(parts, (1, -1), strict=True):
        trade["quantity"] = str(int(trade["quantity"]) + shares)
        trade["amount"] = f"{-int(trade['quantity']) * 50.01:.2f}"


def sell_from_the_later_lot_first(lines: list[Line]) -> None:
    """B1's first booked sale of AAA takes L9 although L8 stands first and keeps shares."""
    trade = first(lines, type="pma.trade.booked", account_id="B1", security_id="AAA")
    trade["lots"] = [{"lot_id": "L9", "quantity": trade["quantity"]}]


def refuse_what_was_placed(lines: list[Line]) -> None:
    first(lines, type="demo.order.refused")["proposal_id"] = order_of(lines, "BBB", "buy")["allocations"][0]["proposal_id"]


def drop(**wanted: Any) -> Plant:
    return lambda lines: lines.remove(first(lines, **wanted))


LOSS_WINDOW = window("BBB", ["BBB"], [], "A1")
A1_BUYS_BBB = {"account_id": "A1", "run_id": "run-2025-12-15"}
# rule, what is planted, file, how
PLANTS: list[tuple[str, str, str, Plant]] = [
    ("schema", "a member is missing", "screens.jsonl", lambda lines: lines[0].pop("version")),
    ("schema", "a member is unknown", "orders.jsonl", lambda lines: lines[0].update(extra=1)),
    ("schema", "a decimal is a number", "fills.jsonl", set_in("last_qty", 7, exec_type="partial_fill")),
    ("schema", "a day that is none", "custody.jsonl", set_in("business_date", "2025-13-40", why="contribution")),
    ("references", "the proposal is not in the files", "proposals.jsonl", drop(account_id="B1")),
    ("references", "the run does not list the account", "market.jsonl", lambda lines: lines[1]["accounts"].pop(0)),
    ("may_buy", "the screen forbids the buy", "screens.jsonl", set_in("verdicts", [verdict(may_buy=False)], **A1_BUYS_BBB)),
    ("may_sell", "the screen forbids the sale", "screens.jsonl", set_in("verdicts.0.may_sell", False, account_id="B1")),
    ("weight_bounds", "above the maximum", "screens.jsonl", set_in("verdicts.1.max_weight_frac", "0.01", account_id="B1")),
    ("weight_bounds", "below the minimum", "screens.jsonl", set_in("verdicts.0.min_weight_frac", "0.9", account_id="B1")),
    ("market_blocks", "the name is blocked", "market.jsonl", set_in("securities.blocked.2", "price_jump", market_id="market-2025-12-15")),
    ("market_blocks", "not the snapshot's price", "orders.jsonl", change_order("BBB", "buy", lambda o: o.update(reference_price="49.9"))),
    ("tradable", "do not trade", "accounts_before.jsonl", set_in("do_not_trade", True, account_id="A1")),
    ("tradable", "quarantined", "accounts_before.jsonl", set_in("state", "quarantined", account_id="B1")),
    ("tradable", "left out of the run", "market.jsonl", set_in("accounts.1.excluded", "stale", run_id="run-2025-12-15")),
    ("tradable", "lots disagree", "ledgers.jsonl", set_in("accounts.0.disagreements", ["L1"], household_id="H1")),
    ("answered", "the account declined", "proposals.jsonl", add(lambda lines: first(lines, account_id="B2") | {"account_id": "A1"})),
    ("answered", "orders refused it", "orders.jsonl", refuse_what_was_placed),
    ("blocked_buys", "a window after a loss", "ledgers.jsonl", set_in("blocked_buys", [LOSS_WINDOW], household_id="H1")),
    (
        "blocked_loss_sales",
        "the other class was bought",
        "ledgers.jsonl",
        set_in("blocked_loss_sales", [window("G-A", ["AAB"], ["L4"], "A2")], household_id="H1"),
    ),
    ("washed_losses", "the IRA bought the other class", "accounts_before.jsonl", set_in("lots.acquired.0", "2025-12-01", account_id="A2")),
    ("open_lots", "no such lot", "accounts_before.jsonl", set_in("lots.lot_id.0", "L77", account_id="A1")),
    ("open_lots", "more than the lot holds", "accounts_before.jsonl", set_in("lots.quantity.1", "29", account_id="A2")),
    ("open_lots", "the ledger holds less", "ledgers.jsonl", set_in("accounts.1.lots.quantity.1", "31", household_id="H1")),
    ("unknown_basis", "sold without force", "ledgers.jsonl", set_in("accounts.0.lots.tax_basis.0", None, household_id="H1")),
    (
        "whole_shares",
        "a fraction of a position that stays",
        "accounts_before.jsonl",
        set_in("lots.quantity.0", "11.5", account_id="A1"),
    ),
    ("whole_shares", "half a share ordered", "orders.jsonl", change_order("CCC", "buy", lambda o: o.update(order_qty="24.5"))),
    ("booked_lots", "a lot that the order does not name", "fills.jsonl", set_in("lots.0.lot_id", "L2", account_id="A1", security_id="AAA")),
    ("booked_lots", "the later lot first", "fills.jsonl", sell_from_the_later_lot_first),
    ("spendable_cash", "not enough cash", "accounts_before.jsonl", set_in("cash_settled", "-700", account_id="A2")),
    ("spendable_cash", "cash is owed", "accounts_before.jsonl", set_in("cash_unsettled", "-5500", account_id="A1")),
    ("amounts", "a dollar too much", "fills.jsonl", set_in("amount", "-1.01", type="pma.trade.booked", side="buy")),
    ("one_order", "the same order twice", "orders.jsonl", add(lambda lines: dict(lines[0]))),
    ("allocations", "more ordered than allocated", "orders.jsonl", change_order("BBB", "buy", lambda o: o.update(order_qty="31"))),
    ("allocations", "re-rounded", "proposals.jsonl", set_in("trades.1.quantity", "21", account_id="A1")),
    ("ids", "an order id that is none", "orders.jsonl", change_order("CCC", "buy", lambda o: o.update(cl_ord_id="order-1"))),
    ("ids", "a trade id that is none", "fills.jsonl", set_in("trade_id", "trade-1", type="pma.trade.booked")),
    ("ids", "a proposal id that is none", "proposals.jsonl", set_in("proposal_id", "proposal-1", account_id="B2")),
    ("within_order", "more filled than ordered", "fills.jsonl", set_in("last_qty", "16", exec_type="fill", last_px="100")),
    ("within_order", "a fill that nobody booked", "fills.jsonl", drop(type="pma.trade.booked", account_id="B1")),
    ("within_order", "a fraction without its whole", "fills.jsonl", drop(type="pma.trade.booked", kind="cash_in_lieu")),
    ("pro_rata", "a share too many for one account", "fills.jsonl", one_share_to_the_other_account),
    ("prices", "beyond the collar", "fills.jsonl", set_in("last_px", "51", last_px="50.01")),
    ("prices", "one account gets a better price", "fills.jsonl", set_in("price", "50", type="pma.trade.booked", account_id="A2")),
    ("prices", "a fraction at another price than the average", "fills.jsonl", set_in("price", "100", kind="cash_in_lieu")),
    ("conservation_shares", "shares appear", "accounts_after.jsonl", set_in("lots.quantity.0", "38", account_id="B2")),
    ("conservation_shares", "a split that the custodian did not make", "custody.jsonl", drop(why="split")),
    ("conservation_cash", "a cent vanishes", "accounts_after.jsonl", set_in("cash_settled", "1229.92", account_id="B2")),
    ("complete", "the last state lacks a trade", "accounts_after.jsonl", set_in("trade_seq", 0, account_id="B2")),
    ("complete", "an account is lost", "accounts_after.jsonl", drop(account_id="A2")),
    ("pins", "an older screen", "proposals.jsonl", set_in("pins.screen_version", 2, account_id="A1")),
    ("pins", "another date", "proposals.jsonl", set_in("pins.as_of", "2025-12-14", account_id="A1")),
    ("pins", "a ledger that has not seen the account", "ledgers.jsonl", set_in("accounts.0.account_version", 9, household_id="H1")),
    ("household_order", "the earlier account was not seen", "proposals.jsonl", set_in("pins.intents", {}, account_id="A2")),
    ("counts", "the summary counts another number", "summary.json", lambda lines: lines[0].update(trades=99)),
]


def test_a_good_case_violates_nothing_and_no_rule_is_idle(good: Path) -> None:
    tallies = audit(good)
    assert violated(good) == {}
    assert [tally.rule for tally in tallies if tally.checked == 0] == []
    assert len(tallies) == len(RULES) + 2


@pytest.mark.parametrize(("rule", "name", "file", "plant"), PLANTS, ids=[f"{rule}: {name}" for rule, name, _, _ in PLANTS])
def test_each_corruption_is_caught_by_the_rule_meant_for_it(
    good: Path, tmp_path: Path, rule: str, name: str, file: str, plant: Plant
) -> None:
    found = violated(copy_with(good, tmp_path, file, plant))
    assert rule in found, f"{name}: only {sorted(found)} were violated"


def test_a_household_that_buys_what_it_sells_at_a_loss_is_caught(good: Path, tmp_path: Path) -> None:
    planted = copy_with(good, tmp_path, "orders.jsonl", two_buyers_of_what_is_sold_at_a_loss)
    found = violated(copy_with(planted, tmp_path / "again", "proposals.jsonl", proposal_for_the_other_class))
    (detail,) = found["household_conflict"]
    assert "A2 buy 10 AAB against A1 sell 10.5 AAA" in detail


def test_every_rule_has_a_corruption() -> None:
    planted = {rule for rule, _, _, _ in PLANTS} | {"household_conflict"}
    assert planted == {SCHEMA, REFERENCES, *RULES}


def test_the_program_exits_1_and_names_order_and_numbers(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(good)]) == 0
    capsys.readouterr()
    planted = copy_with(good, tmp_path, "fills.jsonl", set_in("last_px", "51", last_px="50.01"))
    assert main([str(planted)]) == 1
    said = capsys.readouterr().out
    assert "prices: order " in said and "filled at 51, pinned 50, collar 0.01" in said


@pytest.mark.parametrize("file", ["orders.jsonl", "ledgers.schema.json", "summary.json"])
def test_a_missing_file_is_a_violation(good: Path, tmp_path: Path, file: str) -> None:
    directory = tmp_path / "demo"
    shutil.copytree(good, directory)
    (directory / file).unlink()
    assert any(detail.startswith(file) for detail in violated(directory)[SCHEMA])
