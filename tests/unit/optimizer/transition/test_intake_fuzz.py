"""Whatever comes as a form, nothing raises: not the reading, not the case, and every lot is either judged or listed."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.optimizer.transition.analyse_form import cases_of
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.client_form import Form, Reading
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import MEMBERS, read_form
from services.optimizer.transition.lots_csv import COLUMNS
from services.optimizer.transition.market_directory import TransitionMarket, read_market
from services.optimizer.transition.short_form import read_csv, read_short_form

MARKET, CATALOGUE = read_market(), read_catalogue()
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "2019-03-04",
            "2030-01-01",
            "1,234",
            "12,5",
            "$5",
            "40%",
            "core-equity",
            "multi-manager-large-cap",
            "tobacco",
            "mfj",
            "BNDAG",
            "LNDSP",
        ]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)), max_leaves=8
)
PARTS = st.dictionaries(
    st.sampled_from(["ticker", "to", "years", "yearly", "bought", "kind", "value", "state", "short_rate", "long_rate", "what"]), SCALARS
)
LOTS = st.lists(st.one_of(st.dictionaries(st.sampled_from(sorted(COLUMNS)), SCALARS), ANYTHING), max_size=4)
FORMS = st.dictionaries(st.sampled_from(sorted(MEMBERS)), st.one_of(ANYTHING, st.lists(PARTS, max_size=3)), max_size=12)
WHOLE: dict[str, Any] = {
    "strategy": "core-equity",
    "cash": "1000",
    "short_rate": "40%",
    "long_rate": "20%",
    "lots": [{"ticker": "LNDSP", "acquired": "2020-01-02", "shares": 10, "cost_per_share": 100}],
}


def judged(read: Reading) -> None:
    assert isinstance(MARKET, TransitionMarket)
    assert isinstance(CATALOGUE, Catalogue)
    found = cases_of(read.form, MARKET, CATALOGUE)
    for fault in [*read.faults, *found.faults]:
        assert fault.text().encode()
        assert msgspec.json.decode(msgspec.json.encode(fault), type=FieldFault) == fault
    assert msgspec.json.decode(msgspec.json.encode(read.form), type=Form) == read.form
    for each in found.judged:
        listed = [(n.what, n.why) for n in each.not_judged]
        assert [(out.what, out.why) for out in read.form.left_out] == listed[: len(read.form.left_out)]
        of_lots = {lot.what() for lot in read.form.lots}
        assert len(each.case.lots.lot_id) + sum(what in of_lots for what, _ in listed) == len(read.form.lots)
        for fault in [*read.faults, *each.faults]:
            assert any(fault.message in why or why == "It can't be read" for _, why in listed)
        assert len(set(each.case.lots.lot_id)) == len(each.case.lots.lot_id)
        assert abs(float(each.case.names.target.sum()) + each.case.target_cash_frac - 1) < 1e-9


@settings(max_examples=150, deadline=None)
@given(FORMS, LOTS)
def test_no_json_raises(form: dict[str, Any], lots: list[Any]) -> None:
    judged(read_form(json.dumps({**form, "lots": lots}, indent=1)))
    judged(read_form({**WHOLE, **form}))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-16", "surrogatepass"))))
def test_no_bytes_raise(body: bytes) -> None:
    for read in (read_form(body), read_csv(body), read_short_form({}, body)):
        judged(read)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(MEMBERS)), TEXTS), st.lists(st.lists(TEXTS, max_size=5), max_size=6), st.sampled_from(",;\t|")
)
def test_no_page_raises(fields: dict[str, str], rows: list[list[str]], delimiter: str) -> None:
    judged(read_short_form(fields, "\n".join(delimiter.join(row) for row in rows)))
