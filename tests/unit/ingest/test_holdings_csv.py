"""The canonical holdings file: every refusal by example, and what holds for any file."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import BadInput
from libs.common.schemas.account import Lot
from services.ingest.core.holdings_csv import AccountHoldings, HoldingsReader
from services.ingest.core.snapshot import Snapshot, lot_columns
from tests.unit.ingest.holdings_samples import HEADER, LINES, edited, read, written

D = Decimal
DAY = date(2025, 12, 15)


def test_a_file_is_read_account_by_account() -> None:
    reader, accounts = read(LINES)
    assert (reader.header.custodian, reader.header.business_date, reader.header.sequence, reader.header.basis) == (
        "north",
        DAY,
        1,
        "trade_date",
    )
    assert (reader.account_lines, reader.lot_lines, reader.quantity_sum, reader.cash_sum) == (3, 3, D("119.345678"), D("5980.50"))
    first = accounts[0].snapshot
    assert first is not None
    assert list(first.lots.rows()) == [
        Lot("L1", "AAA", D(100), D("1234.56"), date(2024, 5, 31)),
        Lot("L2", "BBB", D("12.345678"), None, None),
    ]
    assert [(a.account_id, a.quarantine, len(a.snapshot.lots.lot_id) if a.snapshot else None) for a in accounts] == [
        ("A1", None, 2),
        ("A2", None, 1),
        ("A3", None, 0),
    ]
    assert accounts[1].snapshot is not None
    assert (accounts[1].snapshot.cash_settled, accounts[1].snapshot.cash_unsettled) == (D(-20), D("300.25"))


# (what, the line that is changed, its new text or None to leave it out, the line named, the field named, a word of problem or remedy)
WHOLE_FILE: list[tuple[str, int, str | None, int, str | None, str]] = [
    ("no header", 1, None, 1, "record type", "Begin with H,pma-holdings,1"),
    ("another format version", 1, HEADER.replace(",1,north", ",2,north"), 1, "record type", "is no header"),
    ("header of nine fields", 1, HEADER.rsplit(",", 1)[0], 1, "record type", "of ten fields"),
    ("byte order mark", 1, "\ufeff" + HEADER, 1, "record type", "is no header"),
    ("custodian with a space", 1, HEADER.replace("north", "north star"), 1, "custodian", "without spaces"),
    ("custodian missing", 1, HEADER.replace("north", ""), 1, "custodian", "is no id"),
    ("date in another order", 1, HEADER.replace("2025-12-15,", "15.12.2025,", 1), 1, "business_date", "Write it as 2025-12-15"),
    ("date that is none", 1, HEADER.replace("2025-12-15,", "2025-02-30,", 1), 1, "business_date", "is no date"),
    ("date after its making", 1, HEADER.replace("2025-12-15,", "2025-12-20,", 1), 1, "business_date", "days after the file was made"),
    ("time that is none", 1, HEADER.replace("T11:30:00Z", " noon"), 1, "created_at", "2025-12-15T11:30:00Z"),
    ("sequence 0", 1, HEADER.replace(",1,1,1,", ",0,1,1,"), 1, "sequence", "Count from 1"),
    ("sequence of Arabic digits", 1, HEADER.replace(",1,1,1,", ",١,1,1,"), 1, "sequence", "is no number"),
    ("sequence without end", 1, HEADER.replace(",1,1,1,", f",{'1' * 10},1,1,"), 1, "sequence", "is no number"),
    ("part beyond parts", 1, HEADER.replace(",1,1,1,", ",1,2,1,"), 1, "part", "Parts count from 1 to parts"),
    ("unknown basis", 1, HEADER.replace("trade_date", "today"), 1, "basis", "trade_date or settlement_date"),
    ("account id with a space", 2, "A,A 1,1000.50,0", 2, "account_id", "letters, digits"),
    ("account id empty", 2, "A,,1000.50,0", 2, "account_id", "is unreadable"),
    ("account id too long", 2, f"A,{'A' * 41},1000.50,0", 2, "account_id", "1 to 40"),
    ("account twice", 5, "A,A1,-20,300.25", 5, "account_id", "A1 comes twice"),
    ("lot before any account", 2, None, 2, "account_id", "outside its account"),
    ("lot of another account", 4, "L,A2,L2,BBB,12.345678,,", 4, "account_id", "under its account's A line"),
    ("lot without an account", 4, "L,,L2,BBB,12.345678,,", 4, "account_id", "outside its account"),
    ("unknown record type", 4, "X,A1,L2", 4, "record type", "A, L or T"),
    ("empty line", 4, "", 4, "record type", "is unknown"),
    ("quote that never ends", 4, 'L,A1,"L2,BBB,12.345678,,', 8, None, "can't be read"),
    ("carriage return inside", 4, "L,A1,L2\rX,BBB,12.345678,,", 4, None, "can't be read"),
    ("trailer missing", 8, None, 7, "record type", "cut off"),
    ("trailer of four fields", 8, "T,3,3,119.345678", 8, "T line", "has 5"),
    ("fewer accounts than said", 8, "T,4,3,119.345678,5980.5", 8, "account lines", "the trailer says 4, the file has 3"),
    ("fewer lots than said", 4, None, 7, "lot lines", "the trailer says 3, the file has 2"),
    ("other shares than said", 4, "L,A1,L2,BBB,12.345679,,", 8, "sum of quantity", "the lines add up to 119.345679"),
    ("other cash than said", 5, "A,A2,-21,300.25", 8, "sum of cash_settled", "the lines add up to 5979.5"),
    ("sum that is no number", 8, "T,3,3,NaN,5980.5", 8, "sum of quantity", "the trailer says NaN"),
    ("a line after the trailer", 8, "T,3,3,119.345678,5980.5\nA,A9,1,0", 9, "record type", "after the trailer"),
]


@pytest.mark.parametrize(("number", "text", "line", "field", "said"), [c[1:] for c in WHOLE_FILE], ids=[c[0] for c in WHOLE_FILE])
def test_what_refuses_the_whole_file(number: int, text: str | None, line: int, field: str | None, said: str) -> None:
    lines = "\n".join(edited(number, text)).split("\n")
    with pytest.raises(BadInput) as refused:
        read(lines)
    assert (refused.value.file, refused.value.line, refused.value.field) == ("day1.csv", line, field)
    assert said in str(refused.value)
    assert refused.value.remedy


# (what, the line that is changed, its new text, the account quarantined, the field named, a word of problem or remedy)
ONE_ACCOUNT: list[tuple[str, int, str, str, str, str]] = [
    ("account line of three fields", 2, "A,A1,1000.50", "A1", "A line", "An A line has 4"),
    ("settled cash in words", 2, "A,A1,much,0", "A1", "cash_settled", "Write dollars as 1234.56"),
    ("settled cash missing", 2, "A,A1,,0", "A1", "cash_settled", "is no plain decimal"),
    ("unsettled cash with a separator", 2, 'A,A1,1000.50,"1,000"', "A1", "cash_unsettled", "is no plain decimal"),
    ("lot line of six fields", 3, "L,A1,L1,AAA,100,1234.56", "A1", "L line", "An L line has 7"),
    ("quantity with an exponent", 3, "L,A1,L1,AAA,1e2,1234.56,2024-05-31", "A1", "quantity", "12.345678"),
    ("quantity of seven places", 3, "L,A1,L1,AAA,99.9999999,1234.56,2024-05-31", "A1", "quantity", "is no plain decimal"),
    ("quantity NaN", 3, "L,A1,L1,AAA,NaN,1234.56,2024-05-31", "A1", "quantity", "is no plain decimal"),
    ("lot id twice", 4, "L,A1,L1,BBB,12.345678,,", "A1", "lot_id", "its own id"),
    ("lot id empty", 4, "L,A1,,BBB,12.345678,,", "A1", "lot_id", "is unreadable"),
    ("security id with a space", 4, "L,A1,L2,BBB CO,12.345678,,", "A1", "security_id", "security master"),
    ("cost basis below zero", 3, "L,A1,L1,AAA,100,-1,2024-05-31", "A1", "cost_basis", "or leave it empty"),
    ("cost basis in words", 3, "L,A1,L1,AAA,100,n/a,2024-05-31", "A1", "cost_basis", "is no amount"),
    ("acquired in another order", 3, "L,A1,L1,AAA,100,1234.56,31/05/2024", "A1", "acquired", "Write 2024-05-31"),
    ("acquired after the business date", 6, "L,A2,L3,AAA,7,70,2025-12-16", "A2", "acquired", "up to the business date"),
]


@pytest.mark.parametrize(("number", "text", "account", "field", "said"), [c[1:] for c in ONE_ACCOUNT], ids=[c[0] for c in ONE_ACCOUNT])
def test_what_quarantines_one_account_and_leaves_the_others(number: int, text: str, account: str, field: str, said: str) -> None:
    good = {one.account_id: one for one in read(LINES)[1]}
    reader, accounts = read(edited(number, text))
    (refused,) = reader.refused
    assert (refused.line, refused.account_id, refused.field) == (number, account, field)
    assert said in f"{refused.problem}. {refused.remedy}"
    for one in accounts:
        if one.account_id == account:
            assert one == AccountHoldings(account, None, f"day1.csv, line {number}, field {field}: {refused.problem}")
        else:
            assert one == good[one.account_id]


@pytest.mark.parametrize("quantity", ["0", "-7", "-0.000001"])
def test_a_lot_that_is_closed_or_short_quarantines_its_account(quantity: str) -> None:
    total = D("112.345678") + D(quantity)
    lines = edited(6, f"L,A2,L3,AAA,{quantity},70,2025-12-15", edited(8, f"T,3,3,{total},5980.5"))
    reader, accounts = read(lines)
    assert [(r.field, r.account_id) for r in reader.refused] == [("quantity", "A2")]
    assert [a.account_id for a in accounts if a.quarantine] == ["A2"]


def test_every_bad_line_is_listed_and_the_first_of_an_account_is_its_reason() -> None:
    lines = edited(3, "L,A1,L1,AAA,x,1,", edited(4, "L,A1,L2,BBB,y,,", edited(6, "L,A2,L3,AAA,z,70,")))
    reader, accounts = read(lines)
    assert [(r.line, r.account_id) for r in reader.refused] == [(3, "A1"), (4, "A1"), (6, "A2")]
    assert [a.quarantine and a.quarantine.split(",")[1] for a in accounts] == [" line 3", " line 6", None]


def test_a_file_without_accounts_is_read() -> None:
    assert read([HEADER, "T,0,0,0,0"])[1] == []
    with pytest.raises(BadInput, match="the file is empty"):
        read([])


def test_line_ends_of_windows_are_read() -> None:
    assert read([line + "\r\n" for line in LINES])[1] == read(LINES)[1]


IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
LOTS = st.builds(
    Lot,
    IDS,
    IDS,
    st.decimals(min_value="0.000001", max_value=10**9, places=6),
    st.none() | st.decimals(min_value=0, max_value=10**9, places=2),
    st.none() | st.dates(date(1950, 1, 1), DAY),
)


@st.composite
def snapshots(draw: st.DrawFn) -> list[Snapshot]:
    """A delivery: accounts with their own ids, each with lots of their own ids."""
    accounts = draw(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), min_size=1, max_size=5, unique=True))
    basis = draw(st.sampled_from(["trade_date", "settlement_date"]))
    return [
        Snapshot(
            "north", one, DAY, 3, basis, draw(AMOUNTS), draw(AMOUNTS), lot_columns(iter(draw(st.lists(LOTS, max_size=5, unique_by=_id))))
        )
        for one in accounts
    ]


def _id(lot: Lot) -> str:
    return lot.lot_id


@settings(max_examples=60)
@given(delivery=snapshots())
def test_what_is_written_is_read_again(delivery: list[Snapshot]) -> None:
    reader, accounts = read(written(delivery))
    assert [account.snapshot for account in accounts] == delivery
    assert reader.refused == []


MADE = [
    Snapshot(
        "north",
        account_id,
        DAY,
        1,
        "trade_date",
        D(cash),
        D(0),
        lot_columns(Lot(f"{account_id}-{n}", "AAA", D(shares), D("10.5"), DAY) for n, shares in enumerate(lots)),
    )
    for account_id, cash, lots in [("A1", "10.25", ["5", "6"]), ("A2", "77", ["8.5"]), ("A3", "-4", []), ("A4", "12", ["1", "2", "3"])]
]
CONTENT = "\n".join(written(MADE))


@settings(max_examples=300)
@given(place=st.integers(0, len(CONTENT) - 1), byte=st.integers(0, 127))
def test_no_single_wrong_byte_changes_another_account(place: int, byte: int) -> None:
    """Refused; or the byte's own account is quarantined or differs, all others are as they were, and the counts stand.

    An account without lots whose id is hit is another account: only a checksum could tell.  A byte of the header is of all accounts.
    """
    if CONTENT[place] == chr(byte):
        return
    try:
        reader, accounts = read((CONTENT[:place] + chr(byte) + CONTENT[place + 1 :]).split("\n"))
    except BadInput as refused:
        assert refused.line is not None
        assert refused.remedy
        return
    assert (len(accounts), reader.lot_lines) == (len(MADE), 6)
    line = CONTENT[:place].count("\n")
    if line == 0:
        for before, after in zip(MADE, accounts, strict=True):
            assert after.quarantine or (after.snapshot is not None and after.snapshot.lots == before.lots)
        return
    hit = CONTENT.split("\n")[line].split(",")[1]
    for before, after in zip(MADE, accounts, strict=True):
        if before.account_id != hit:
            assert after == AccountHoldings(before.account_id, before, None)


def test_invariant_4_lines_are_read_only_as_far_as_accounts_are_taken() -> None:
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        yield "H,pma-holdings,1,north,2025-12-15,1,1,1,trade_date,"
        for number in range(1_000_000):
            taken += 2
            yield f"A,A{number},1,0"
            yield f"L,A{number},L1,AAA,1,1,"

    accounts = HoldingsReader("endless", lines()).accounts()
    for number in range(50):
        assert next(accounts).account_id == f"A{number}"
    assert taken <= 2 * 52
