"""The consultative review form: what an adviser brings to a transition analysis, read from JSON with a fault for each wrong field.

docs/transition-intake.md has every field.  Wrong fields are marked and left out, everything else is kept; nothing raises.  Tickers,
strategies and days are checked against a market later (case.py).  The client's name is in the form alone.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from libs.common.money import ZERO
from services.optimizer.transition import form_parts as parts
from services.optimizer.transition.client_form import Form, Reading, YearSoFar, reading
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.fields import Fields
from services.optimizer.transition.form_lots import lots_of
from services.optimizer.transition.lines import Lines
from services.optimizer.transition.lots_csv import decoded

__all__ = ["Form", "Reading", "form_of", "parsed_json", "read_form"]

MEMBERS = frozenset({*Form.__struct_fields__, *YearSoFar.__struct_fields__, "lots_file", "state_rates_file"}) - {"left_out", "year"}

OFFLINE = ("market", "lots_file", "state_rates_file")


def read_form(given: bytes | str | dict[str, Any]) -> Reading:
    """The form in a JSON body, as bytes, text or already parsed."""
    if isinstance(given, dict):
        return form_of(given, lambda _: 0)
    text = decoded(given) if isinstance(given, bytes) else given
    parsed = parsed_json(text)
    return Reading(Form(), [parsed]) if isinstance(parsed, FieldFault) else form_of(parsed, Lines(text))


def parsed_json(text: str) -> dict[str, Any] | FieldFault:
    """The object in a text, numbers as decimals; or why there is none."""
    if not text.strip():
        return FieldFault(0, "", "The form is empty", "Give a JSON object with lots or cash, and rates")
    try:
        found = json.loads(text, parse_float=Decimal, parse_constant=str)
    except json.JSONDecodeError as error:
        return FieldFault(
            error.lineno, "", f"The form is no JSON: {error.msg}", "Quote members and texts, leave no comma at the end of a list"
        )
    except (ValueError, ArithmeticError, RecursionError):
        return FieldFault(0, "", "The form is no JSON that can be read", "Write numbers of ordinary size, and no deeper than the example")
    return found if isinstance(found, dict) else FieldFault(1, "", "The form is no JSON object", "Begin with { and a member such as lots")


def form_of(given: dict[str, Any], lines: Callable[[str], int], *, offline: bool = False) -> Reading:
    """The form from its members; a member may be of its own type or a text.  Only offline may it name files."""
    faults: list[FieldFault] = []
    fields = Fields(given, lines, faults)
    fields.unknown(MEMBERS)
    for name in OFFLINE if not offline else ():
        if given.get(name):
            fields.wrong(name, "Only the offline command opens files that a form names", "Leave it out, and give the content itself")
    lots, left_out = lots_of(fields)
    form = Form(
        client_name=fields.text("client_name"),
        household=fields.text("household"),
        as_of=fields.day("as_of"),
        market=fields.text("market") if offline else "",
        strategy=fields.text("strategy"),
        compare=fields.texts("compare"),
        cash=fields.money("cash") or ZERO,
        lots=lots,
        left_out=left_out,
        short_rate=fields.fraction("short_rate"),
        long_rate=fields.fraction("long_rate", "23.8% or 0.238"),
        ordinary_rate=fields.fraction("ordinary_rate"),
        income=fields.money("income"),
        filing_status=parts.filing_status(fields),
        state=parts.state(fields),
        state_rates=parts.all_of(fields, "state_rates", parts.state_rates),
        exclude=tuple(each.lower().replace(" ", "_") for each in fields.texts("exclude")),
        never_own=parts.tickers(fields, "never_own"),
        never_sell=parts.tickers(fields, "never_sell"),
        owned_elsewhere=parts.all_of(fields, "owned_elsewhere", parts.elsewhere),
    )
    return reading(_with_wishes(form, fields), faults)


def _with_wishes(form: Form, fields: Fields) -> Form:
    """Budgets, the year so far, what the client wants to see and what it assumes."""
    return replace(
        form,
        tax_budget=fields.money("tax_budget"),
        short_gain_budget=fields.money("short_gain_budget"),
        long_gain_budget=fields.money("long_gain_budget"),
        year=YearSoFar(*(fields.money(name) or ZERO for name in YearSoFar.__struct_fields__)),
        wind_down=parts.all_of(fields, "wind_down", parts.wind_down),
        charity=fields.money("charity") or ZERO,
        te_target=fields.fraction("te_target", "1% or 0.01"),
        timelines=parts.timelines(fields),
        outside=parts.all_of(fields, "outside", parts.outside),
        growth=fields.fraction("growth", "6% or 0.06"),
        discount=fields.fraction("discount", "4% or 0.04"),
        horizon_years=fields.whole("horizon_years", 1, 40),
        risk_aversion=parts.risk_aversion(fields),
        min_trade=fields.money("min_trade") or ZERO,
        volatility_target=fields.fraction("volatility_target", "12% or 0.12"),
        risk_score=fields.whole("risk_score", 1, 100),
        accounts=parts.all_of(fields, "accounts", parts.account),
    )
