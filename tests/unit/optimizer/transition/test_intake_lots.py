"""Tables of lots in whatever encoding, with whatever marks: the same lots; a wrong line is marked and left out, the others are kept."""

from datetime import date
from decimal import Decimal

import pytest

from services.optimizer.transition.lots_csv import FormLot, read_table
from services.optimizer.transition.short_form import read_csv, read_short_form

LOTS = [
    ("ACORN", date(2019, 3, 4), Decimal(1000), Decimal("12.5")),
    ("BOLT", date(2024, 11, 30), Decimal("12.345"), Decimal("1234.5")),
]
US = 'Symbol,Date Acquired,Quantity,Cost/Share\nACORN,3/4/2019,"1,000",$12.50\nBOLT,11/30/2024,12.345,"$1,234.50"\nTotal,,,\n'
EUROPEAN = "Quantity;Ticker;Purchase date;Unit cost\n1.000,0;acorn;04.03.2019;12,50 €\n12,345;bolt;30.11.2024;1.234,50 €\n"
PASTED = "ACORN\t2019-03-04\t1000\t12.5\r\nBOLT\t2024-11-30\t12.345\t1234.5\r\n"
TOTALS = "ticker|acquired|shares|cost basis\nACORN|2019-03-04|1000|12500.00\nBOLT|2024-11-30|12.345|15239.9025\n"


def essence(lots: list[FormLot]) -> list[tuple[str, date, Decimal, Decimal]]:
    return [(lot.ticker, lot.acquired, lot.shares, lot.cost_per_share.quantize(Decimal("0.0001"))) for lot in lots]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("text", [US, EUROPEAN, PASTED, TOTALS], ids=["us", "european", "pasted", "totals"])
def test_every_spelling_of_a_table_is_the_same_lots(text: str, encoding: str) -> None:
    body = text.replace("€", "EUR").encode(encoding) if encoding == "latin-1" else text.encode(encoding)
    table = read_table(body)
    assert table.faults == []
    assert essence(table.lots) == LOTS


def test_a_wrong_line_is_marked_with_its_line_and_the_others_are_kept() -> None:
    text = US + "CRANE,2019-03-04,,4\n,2019-03-04,5,4\nDELTA,someday,0,-3\nEMBER,2020-01-02,3,\n"
    table = read_table(text)
    assert essence(table.lots) == LOTS
    assert [(each.line, each.field) for each in table.faults] == [
        (5, "lots[2].shares"),
        (6, "lots[3].ticker"),
        (7, "lots[4].acquired"),
        (7, "lots[4].shares"),
        (7, "lots[4].cost_per_share"),
        (8, "lots[5].cost_per_share"),
    ]
    assert [each.what for each in table.left_out] == [
        "Lot of CRANE (line 5)",
        "Lot of 5 a security without a name (line 6)",
        "Lot of 0 DELTA (line 7)",
        "Lot of 3 EMBER (line 8)",
    ]
    assert all(each.message and each.remedy for each in table.faults)


def test_numbers_that_may_be_read_two_ways_are_not_guessed() -> None:
    table = read_table("ticker;acquired;shares;cost per share\nACORN;2019-03-04;1,234;7\n")
    assert [each.field for each in table.faults] == ["lots[0].shares"]
    assert "both ways" in table.faults[0].message or "thousand" in table.faults[0].message


def test_the_short_form_stands_above_the_lots() -> None:
    text = 'client_name,Ada Example\nstrategy,direct-index-large-cap\nshort_rate,40.8%\nexclude,"tobacco, weapons"\ncolour,blue\n\n' + US
    read = read_csv(text)
    assert (read.form.client_name, read.form.strategy, read.form.short_rate) == ("Ada Example", "direct-index-large-cap", Decimal("0.408"))
    assert read.form.exclude == ("tobacco", "weapons")
    assert [(each.line, each.field) for each in read.faults] == [(5, "colour")]
    assert essence(list(read.form.lots)) == LOTS


def test_a_page_field_goes_before_the_file_and_its_fault_has_no_line() -> None:
    read = read_short_form({"strategy": "core-equity", "cash": "many", "income": ""}, "strategy,other\n" + US)
    assert read.form.strategy == "core-equity"
    assert [(each.line, each.field) for each in read.faults] == [(0, "cash")]
    assert len(read.form.lots) == 2


def test_a_file_in_latin_1_keeps_its_letters() -> None:
    read = read_csv(("client_name,Zoë Müller\n" + US).encode("latin-1"))
    assert read.form.client_name == "Zoë Müller"
    assert read.faults == []


def test_an_empty_table_is_no_lots() -> None:
    for body in (b"", b"\n\n", b"\xff\xfe", "ticker,acquired,shares,cost"):
        assert read_table(body).lots == []
