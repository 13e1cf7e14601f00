"""Identity groups by date: a change of the table never restates what happened before it."""

from datetime import date
from decimal import Decimal

import pytest

from services.wash_sale.core.identity import IdentityEntry, IdentityTable
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import security_facts
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, applied, buy, day, lot, sell

D = Decimal
OLD = lot("L1", "XA", "100", "5000", day(-400))
LOSS = sell("s", 1, day(1), "4000", {"L1": "100"}, security_id="XA")
PARTED = (IdentityEntry("XB", "X"), IdentityEntry("XB", "B", day(10)))
JOINED = (IdentityEntry("XB", "B"), IdentityEntry("XB", "X", day(10)))


@pytest.mark.parametrize(
    ("entries", "bought", "denied"),
    [
        pytest.param(PARTED, 5, 1000, id="bought while they were one"),
        pytest.param(PARTED, 10, 0, id="bought on the day they part"),
        pytest.param(JOINED, 9, 0, id="bought before they are one"),
        pytest.param(JOINED, 10, 1000, id="bought on the day they become one"),
    ],
)
def test_a_purchase_counts_in_the_group_of_its_day(entries: tuple[IdentityEntry, ...], bought: int, denied: int) -> None:
    now = {"XA": "X", "XB": entries[-1].group}
    facts = security_facts(now, (), date.max, entries)
    ledger = applied([account(lots=[OLD]), LOSS, buy("t", 2, day(bought), "100", "4100", security_id="XB")], facts)
    found = ledger_content(ledger, facts, day(12))
    assert not isinstance(found, Refusal)
    assert [row.disallowed for row in found.sales] == [D(denied)]


def test_groups_that_shared_a_security_are_replayed_together() -> None:
    facts = security_facts({"XA": "X", "XB": "B", "Y": "Y"}, (), date.max, PARTED)
    assert facts.cluster("XA") == facts.cluster("XB") != facts.cluster("Y")
    later = security_facts({"XA": "X", "XB": "X"}, (), day(9), JOINED)
    assert later.entries == JOINED[:1]


def test_a_table_by_date() -> None:
    table = IdentityTable((*PARTED, IdentityEntry("XA", "X")))
    assert table.identical_to("XA", day(9)) == ("XA", "XB")
    assert table.identical_to("XA", day(10)) == ("XA",)
    assert table.identical_to("Z", day(10)) == ("Z",)
