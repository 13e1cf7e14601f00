"""The custodian's files, read by a strict little reader of the published format, and what is special on each day."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import pytest

from demo.sample import Sample, make_sample
from demo.sample.book import CUSTODIAN
from demo.sample.days import DEMO_DAYS
from demo.sample.files import BY_MESSAGE, SampleFile, day_files, day_messages, holdings_file
from libs.common.schemas.order import BookedLot, TradeBooked
from tests.unit.demo.shared_sample import made, sample_to_move

DAY_1, DAY_2, DAY_3 = DEMO_DAYS
DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")


@dataclass
class Read:
    """A file as read: its header fields and, by account, cash and lots (lot id: quantity)."""

    header: list[str]
    cash: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    lots: dict[str, dict[str, Decimal]] = field(default_factory=dict)


def read(file: SampleFile) -> Read:
    """Read strictly; ValueError where the format is not kept."""
    lines = file.content.decode("ascii").split("\n")
    if lines.pop() != "":
        raise ValueError("the last line has no end")
    result = Read(lines[0].split(","))
    if result.header[:4] != ["H", "pma-holdings", "1", CUSTODIAN] or len(result.header) != 10 or result.header[8] != "trade_date":
        raise ValueError(lines[0])
    datetime.strptime(result.header[9], "%Y-%m-%dT%H:%M:%S%z")
    current = ""
    for line in lines[1:-1]:
        kind, account, *rest = line.split(",")
        if kind == "A":
            if account in result.lots or len(rest) != 2:
                raise ValueError(line)
            current, result.lots[account] = account, {}
            result.cash[account] = (number(rest[0]), number(rest[1]))
        else:
            lot, security, quantity, basis, acquired = rest
            if kind != "L" or account != current or lot in result.lots[account] or not security or (basis and number(basis) < 0):
                raise ValueError(line)
            if acquired and date.fromisoformat(acquired) > date.fromisoformat(result.header[4]):
                raise ValueError(line)
            result.lots[account][lot] = number(quantity)
    check_trailer(result, lines[-1])
    return result


def number(text: str) -> Decimal:
    if not DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def check_trailer(result: Read, line: str) -> None:
    kind, accounts, lots, shares, cash = line.split(",")
    quantities = [quantity for held in result.lots.values() for quantity in held.values()]
    counted = (str(len(result.lots)), str(len(quantities)), sum(quantities), sum(settled for settled, _ in result.cash.values()))
    if (kind, accounts, lots, number(shares), number(cash)) != ("T", *counted):
        raise ValueError(line)


def bought(account_id: str, seq: int, security_id: str, quantity: int) -> TradeBooked:
    common = ("H", "run", "order", f"exec{seq}", security_id, "buy", Decimal(quantity), Decimal(10), Decimal(0), Decimal(-10 * quantity))
    return TradeBooked(f"T{seq}", seq, "fill", None, account_id, *common, DAY_1.business_date, DAY_2.business_date, [])  # type: ignore[arg-type]


def opened(day_number: int) -> Sample:
    sample = sample_to_move()
    for day in DEMO_DAYS[1:day_number]:
        sample.open_day(day)
    return sample


def test_first_day_is_two_parts_with_every_account() -> None:
    parts = [read(file) for file in day_files(made().custodian, DAY_1)]
    assert [part.header[4:8] for part in parts] == [["2025-12-15", "1", "1", "2"], ["2025-12-15", "1", "2", "2"]]
    in_files = {account for part in parts for account in part.lots}
    assert in_files | set(BY_MESSAGE) == {a.plan.account_id for a in made().accounts}
    assert sum(len(part.lots) for part in parts) + len(BY_MESSAGE) == 250
    lots = sum(len(held) for part in parts for held in part.lots.values())
    assert lots + sum(len(message.lots) for message in day_messages(made().custodian)) == sum(len(a.lots) for a in made().accounts)


def test_messages_are_in_no_file() -> None:
    messages = day_messages(made().custodian)
    assert [message.account_id for message in messages] == list(BY_MESSAGE)
    assert all(message.business_date == DAY_1.business_date and message.lots for message in messages)


def test_second_day_comes_wrong_twice_and_is_corrected() -> None:
    first, again, corrected = day_files(opened(2).custodian, DAY_2)
    assert first.content == again.content
    wrong, right = read(first), read(corrected)
    assert (wrong.header[5], right.header[5]) == ("1", "2") and list(right.lots) == ["A0025"]
    assert wrong.cash["A0025"] == right.cash["A0025"]
    assert sum(right.lots["A0025"].values()) - sum(wrong.lots["A0025"].values()) == 7
    other_accounts = {account: held for account, held in wrong.lots.items() if account != "A0025"}
    assert len(other_accounts) == 247


def test_second_day_shows_the_split_and_the_contribution() -> None:
    sample, security = opened(2), made().market.split_security
    second = read(day_files(sample.custodian, DAY_2)[0])
    first = {account: held for file in day_files(made().custodian, DAY_1) for account, held in read(file).lots.items()}
    splitting = {(a.plan.account_id, lot.lot_id) for a in made().accounts for lot in a.lots if lot.security_id == security}
    assert len(splitting) > 50
    for account, held in second.lots.items():
        if account != "A0025":
            assert held == {lot: shares * (2 if (account, lot) in splitting else 1) for lot, shares in first[account].items()}
    before = made().custodian.holdings("A0021")
    assert second.cash["A0021"][0] == before.cash_settled + before.cash_unsettled + 80_000
    changes = {(change.account_id, change.why) for change in sample.custodian.changes}
    assert ("A0021", "contribution") in changes and {why for _, why in changes} == {"contribution", "split"}


def test_third_day_lacks_an_account_and_has_a_line_that_cannot_be_read() -> None:
    (file,) = day_files(opened(3).custodian, DAY_3)
    assert b"A,A0023," not in file.content
    with pytest.raises(ValueError, match="1e3"):
        read(file)
    bad = [line for line in file.content.decode().splitlines() if line.startswith("L,") and line.split(",")[4] == "1e3"]
    assert len(bad) == 1 and bad[0].startswith("L,A0024,")


def test_a_file_may_reflect_a_part_of_the_trades() -> None:
    sample = sample_to_move()
    trades = [bought("A0028", 1, "NEWCO", 4), bought("A0028", 2, "OTHER", 6)]
    half = sample.custodian.copy()
    half.apply(trades[:1])
    sample.custodian.apply(trades)
    lots = [read(holdings_file(book, DAY_1, [book.holdings("A0028")])).lots["A0028"] for book in (half, sample.custodian)]
    assert [len(held) for held in lots] == [1, 2]
    sold = TradeBooked(
        "T3", 3, "fill", None, "A0028", "H", "run", "o", "e3", "NEWCO", "sell", Decimal(1), Decimal(11), Decimal(0), Decimal(11),
        DAY_1.business_date, DAY_2.business_date, [BookedLot("P-T1", Decimal(1))],
    )  # fmt: skip
    sample.custodian.apply([sold])
    assert sum(sample.custodian.accounts["A0028"].lots[lot].quantity for lot in lots[1]) == 9


def test_same_bytes_again() -> None:
    again = make_sample()
    for number, day in enumerate(DEMO_DAYS, start=1):
        if number > 1:
            again.open_day(day)
        expected = day_files(opened(number).custodian, day)
        assert [(f.name, f.content) for f in day_files(again.custodian, day)] == [(f.name, f.content) for f in expected]
