"""Runs the verified cases that give inputs instead of transactions through the functions that the product uses.

Each calculation answers with every figure that it can state; a test compares those that the case expects.  What the cases tell in words
alone (how many shares, whether an election was made) is read from the title or the description.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from libs.common.money import ZERO
from services.wash_sale.core import corporate_actions, received
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.lot_methods import allowed_method
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year import giving, netting, rates
from services.wash_sale.core.tax_year.dividends import dividend_holding
from services.wash_sale.core.tax_year.tables import NIIT_RATE, NIIT_THRESHOLDS, YEARS, FilingStatus, TaxRefusal, filing_status, year_table

D = Decimal
Inputs = Mapping[str, Any]
Answer = dict[str, Any]


def calculated(case: Mapping[str, Any]) -> Answer | None:
    """What the product answers to a case's inputs; None for a case with transactions."""
    if case.get("transactions") or case.get("inputs") is None:
        return None
    inputs: Inputs = case["inputs"]
    if "op" in inputs:
        return CORPORATE_ACTIONS[inputs["op"]](inputs, case)
    for told_by, calculate in CALCULATIONS:
        if any(name in inputs for name in told_by):
            return calculate(inputs)
    return thresholds()


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where what was found differs from what a case states; numbers compare as decimals, and only what is stated is compared."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{path}: {found!r} instead of {expected!r}"]
        return [line for name, value in expected.items() for line in differences(value, found.get(name), f"{path}.{name}")]
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return [f"{path}: {found!r} instead of {expected!r}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for number, (one, other) in pairs for line in differences(one, other, f"{path}[{number}]")]
    if isinstance(expected, bool) or expected is None:
        return [] if found is expected else [f"{path}: {found!r} instead of {expected!r}"]
    return [] if _plain(found) == _plain(expected) else [f"{path}: {found!r} instead of {expected!r}"]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    try:
        return D(str(value))
    except ArithmeticError:
        return value


def amount(inputs: Inputs, *names: str) -> Decimal:
    """The first of the named figures that is given; zero without any."""
    return next((D(str(inputs[name])) for name in names if inputs.get(name) is not None), ZERO)


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def status_of(inputs: Inputs) -> FilingStatus:
    status = filing_status(inputs.get("filing_status") or "single")
    assert not isinstance(status, TaxRefusal), status.text()
    return status


# Corporate actions


def _lots(inputs: Inputs) -> Sequence[Mapping[str, Any]]:
    return inputs.get("lots") or [{"lot_id": "L1", **inputs}]


def _lot(lot: Mapping[str, Any], quantity: Decimal, basis: Decimal) -> Answer:
    per_share = basis / quantity if quantity else None
    return {"lot_id": lot["lot_id"], "quantity": quantity, "basis": basis, "basis_per_share": per_share, "hp_date": lot.get("acquired")}


def split(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    """A split, a stock dividend, an all-stock reorganization: dollars and periods stay, share counts change."""
    ratio = D(inputs["ratio"])
    lots = [_lot(lot, D(lot["quantity"]) * ratio, D(lot["basis"])) for lot in _lots(inputs)]
    return {"lots": lots, "recognized_gain": ZERO, **({} if len(lots) > 1 else lots[0])}


def allocate_fmv(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    parts = corporate_actions.allocate_by_value(D(inputs["basis"]), [D(value) for value in inputs["fmv"].values()])
    return {"basis": dict(zip(inputs["fmv"], parts, strict=True)), "hp_date": inputs.get("acquired")}


def spin_off(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    parent, spun = [], []
    for lot in _lots(inputs):
        quantity, basis = D(lot["quantity"]), D(lot["basis"])
        found = corporate_actions.spin_off(
            quantity, basis, D(inputs["spun_per_parent"]), D(inputs["parent_price"]), D(inputs["spun_price"])
        )
        parent.append(_lot(lot, quantity, found.parent_basis))
        spun.append(_lot(lot, found.spun_quantity, found.spun_basis))
    return {"parent": parent, "spun": spun}


def rights(inputs: Inputs, case: Mapping[str, Any]) -> Answer:
    told = [bool(value) for name, value in inputs.items() if "elect" in name]
    in_words = "elected" in case["title"] and not re.search(r"\b(no|not|without|unless|absent)\b", case["title"].lower())
    elected = told[0] if told else in_words
    found = corporate_actions.rights_basis(D(inputs["basis"]), D(inputs["stock_fmv"]), D(inputs["rights_fmv"]), elected)
    answer: Answer = {"stock_basis": found.stock, "rights_basis": found.rights, "new_share_hp": "from date of exercise"}
    if inputs.get("rights"):
        answer["basis_per_right"] = (found.rights / D(inputs["rights"])).quantize(D("0.01"))
        answer["new_share_basis"] = D(inputs.get("exercise_price") or 0) + answer["basis_per_right"]
    shares = inputs.get("shares") or next(iter(re.findall(r"(\d+) shares", case["description"])), None)
    if shares:
        answer["old_share_basis"] = (found.stock / D(shares)).quantize(D("0.01"))
    return answer


def reverse_split_cil(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    found = corporate_actions.cash_in_lieu(
        D(inputs["quantity"]) * D(inputs["ratio"]), D(inputs["basis"]), amount(inputs, "cash_for_fraction", "cash")
    )
    sold = day(inputs.get("date") or inputs.get("closing")) or date.max
    paid = {
        "quantity": found.fraction,
        "basis": found.fraction_basis,
        "gain": found.gain,
        "term": term_of(day(inputs.get("acquired")), sold),
    }
    return {"quantity": found.quantity, "basis": found.basis, "cil": paid, "hp_date": inputs.get("acquired")}


def merger_boot(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    found = corporate_actions.merger_with_boot(D(inputs["basis"]), D(inputs["stock_fmv"]), D(inputs["cash"]))
    return {
        "realized_gain": found.realised_gain,
        "recognized_gain": found.recognised_gain,
        "recognized_loss": ZERO,
        "new_basis": found.new_basis,
        "hp_date": inputs.get("acquired"),
    }


def cash_merger(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    closing = day(inputs.get("closing") or inputs.get("date"))
    assert closing is not None
    return {"gain": D(inputs["cash"]) - D(inputs["basis"]), "term": term_of(day(inputs["acquired"]), closing)}


def distribution(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    found = corporate_actions.distribution(D(inputs["amount"]), D(inputs["earnings"]), D(inputs["basis"]))
    return {
        "dividend": found.dividend,
        "basis_reduction": found.basis_reduction,
        "gain": found.gain,
        "basis_after": found.basis_after,
    }


def roc_sequence(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    basis, steps = D(inputs["basis"]), []
    for each in inputs["distributions"]:
        found = corporate_actions.return_of_capital(basis, D(each))
        basis = found.basis_after
        steps.append({"basis_after": basis, "gain": found.gain})
    return {"steps": steps}


def roc_blocks(inputs: Inputs, _: Mapping[str, Any]) -> Answer:
    total, blocks = D(inputs["amount"]), inputs["blocks"]
    shares = [amount(block, "share", "quantity") for block in blocks]
    found = corporate_actions.return_over_blocks(total, shares, [D(block["basis"]) for block in blocks])
    return {
        "blocks": [
            {
                "distribution": each.gain + D(block["basis"]) - each.basis_after,
                "gain": each.gain,
                "basis_after": each.basis_after,
            }
            for each, block in zip(found, blocks, strict=True)
        ]
    }


CORPORATE_ACTIONS: Mapping[str, Callable[[Inputs, Mapping[str, Any]], Answer]] = {
    "split": split,
    "merger_stock": split,
    "allocate_fmv": allocate_fmv,
    "spinoff": spin_off,
    "rights": rights,
    "reverse_split_cil": reverse_split_cil,
    "merger_boot": merger_boot,
    "cash_merger": cash_merger,
    "distribution": distribution,
    "roc_sequence": roc_sequence,
    "roc_blocks": roc_blocks,
}


# Netting, rates


def net_year(inputs: Inputs) -> Answer:
    """A year's netting; a raw loss of which a part is denied goes through a sale row, as in the ledger."""
    items = netting.YearItems(amount(inputs, "st_gain"), amount(inputs, "st_loss"), amount(inputs, "lt_gain"), amount(inputs, "lt_loss"))
    washed = [_washed_row(term, inputs) for term in ("st", "lt") if f"{term}_raw_loss" in inputs]
    items += netting.items_of((row.term, row.allowed_gain) for row in washed if row.allowed_gain is not None)
    carried = netting.Carryover(amount(inputs, "st_carryover_in"), amount(inputs, "lt_carryover_in"))
    status, after_loss = status_of(inputs), inputs.get("taxable_income_line15_after_loss")
    year = netting.net(items, carried, status)
    if after_loss is not None:
        year = netting.net(items, carried, status, D(after_loss) + year.deduction)
    return {
        "net_short_term": year.net_short,
        "net_long_term": year.net_long,
        "schedule_d_line16": year.total,
        "deduction_against_ordinary": year.deduction,
        "carryover_short": year.carryover.short,
        "carryover_long": year.carryover.long,
        "net_capital_gain": year.preferential_gain,
        "expired": netting.expired_at_death(year),
    }


def _washed_row(term: str, inputs: Inputs) -> SaleRow:
    loss, bought, sold = amount(inputs, f"{term}_raw_loss"), date(2024, 1, 2), date(2025, 6, 2)
    name: Term = "short" if term == "st" else "long"
    denied = amount(inputs, f"{term}_disallowed")
    return SaleRow("S1", "T1", "XYZ", "L1", D(1), sold, ZERO, loss, -loss, name, bought, bought, denied)


def gain_tax(inputs: Inputs) -> Answer:
    table = year_table(int(inputs.get("year") or inputs["tax_year"]))
    assert not isinstance(table, TaxRefusal), table.text()
    found = rates.stack_gain(
        table,
        status_of(inputs),
        amount(inputs, "ordinary_taxable_income"),
        amount(inputs, "adjusted_net_capital_gain", "net_capital_gain"),
    )
    answer: Answer = {"at_0": found.at_0, "at_15": found.at_15, "at_20": found.at_20, "tax_on_gain": found.tax}
    return {**answer, **(niit(inputs) if "magi" in inputs else {})}


def niit(inputs: Inputs) -> Answer:
    return {"niit": rates.niit(status_of(inputs), D(inputs["magi"]), D(inputs["net_investment_income"]))}


def two_years(inputs: Inputs) -> Answer:
    """A loss year and the next: net investment income is reduced by the loss allowed, the carryover works in the second."""
    status = status_of(inputs)
    first = netting.net(netting.YearItems(ZERO, ZERO, amount(inputs, "y1_gain"), amount(inputs, "y1_loss")), netting.Carryover(), status)
    second = netting.net(
        netting.YearItems(long_gain=amount(inputs, "y2_gain"), long_loss=amount(inputs, "y2_loss")), first.carryover, status
    )
    return {
        "y1_net_gain": max(ZERO, first.total),
        "y1_deduction": first.deduction,
        "y1_carryover": first.carryover.short + first.carryover.long,
        "y1_nii": netting.net_investment_income(amount(inputs, "y1_interest"), first),
        "y2_net_gain": max(ZERO, second.total),
        "y2_deduction": second.deduction,
        "y2_carryover": second.carryover.short + second.carryover.long,
        "y2_nii": netting.net_investment_income(amount(inputs, "y2_interest"), second),
    }


def thresholds() -> Answer:
    return {
        "thresholds": {str(year): {status: list(ends) for status, ends in table.gain.items()} for year, table in YEARS.items()},
        "niit_rate": NIIT_RATE,
        "niit_thresholds": dict(NIIT_THRESHOLDS),
    }


# Gifts, inheritances, lots, dividends


def charity(inputs: Inputs) -> Answer:
    chosen = _deducted(inputs, bool(inputs.get("elect_basis")))
    return {**chosen, "without_election": _deducted(inputs, False), "with_election": _deducted(inputs, True)}


def _deducted(inputs: Inputs, elect_basis: bool) -> Answer:
    year, given = int(inputs["year"]), day(inputs.get("donated"))
    term = inputs.get("term")
    if given is not None and (held_since := day(inputs.get("hp_date") or inputs.get("acquired"))) is not None:
        term = term_of(held_since, given)
    assert term == inputs.get("term", term)
    gift = giving.Donation(D(inputs["basis"]), D(inputs["fmv"]), term, elect_basis, inputs.get("donee", "public_charity"))
    carried = amount(inputs, "carryover_in")
    found = giving.deduct(year, D(inputs["agi"]), [gift], [giving.GiftCarryover(year - 1, carried)] if carried else [])
    assert not isinstance(found, TaxRefusal), found.text()
    return {
        "contribution_amount": found.contribution,
        "deduction_allowed": found.deduction,
        "carryover": found.carryover,
        "gain_recognized": found.gain_recognised,
        "loss_forfeited": found.loss_forfeited,
    }


def inherited_back(inputs: Inputs) -> Answer:
    donor_basis, gift_value = D(inputs["donor_basis"]), D(inputs["fmv_at_gift"])
    within = D(inputs["months_between"]) <= received.RETURNED_WITHIN_MONTHS and "donor" in inputs.get("beneficiary", "original donor")
    return {"basis": received.inherited_basis(D(inputs["fmv_at_death"]), donor_basis, within, gift_value > donor_basis)}


def gift_received(inputs: Inputs) -> Answer:
    donor_basis, value = D(inputs["donor_basis"]), amount(inputs, "fmv", "fmv_at_gift")
    on_appreciation = amount(inputs, "gift_tax_on_appreciation")
    if paid := amount(inputs, "gift_tax", "gift_tax_paid"):
        taxable = amount(inputs, "taxable_gift", "net_gift") or value - amount(inputs, "annual_exclusion", "exclusion")
        on_appreciation = received.gift_tax_on_appreciation(donor_basis, value, paid, taxable)
    found = received.gift_basis(donor_basis, value, on_appreciation)
    return {
        "basis": found.for_gain,
        "gain_basis": found.for_gain,
        "loss_basis": found.for_loss,
        "gift_tax_on_appreciation": on_appreciation,
        "basis_increase": found.for_gain - donor_basis,
    }


def lot_method(inputs: Inputs) -> Answer:
    allowed = allowed_method(inputs["security_type"], inputs["requested_method"])
    return {"allowed": allowed == inputs["requested_method"], "fallback": None if allowed == inputs["requested_method"] else allowed}


def dividend(inputs: Inputs) -> Answer:
    bought = day(inputs.get("acquired") or inputs.get("bought") or inputs.get("buy_date"))
    ex_date = day(inputs.get("ex_date") or inputs.get("ex_dividend_date"))
    assert bought is not None and ex_date is not None
    sold = day(inputs.get("sold") or inputs.get("sell_date"))
    found = dividend_holding(ex_date, bought, sold, int(inputs.get("hedged_days") or 0))
    return {"window_start": found.first_day, "window_end": found.last_day, "days_held": found.days_held, "qualified": found.qualified}


CALCULATIONS: Sequence[tuple[tuple[str, ...], Callable[[Inputs], Answer]]] = (
    (("ex_date", "ex_dividend_date"), dividend),
    (("requested_method",), lot_method),
    (("agi",), charity),
    (("fmv_at_death",), inherited_back),
    (("donor_basis",), gift_received),
    (("y1_loss",), two_years),
    (("adjusted_net_capital_gain", "ordinary_taxable_income"), gain_tax),
    (("magi",), niit),
    (("st_gain", "lt_gain", "st_loss", "lt_loss", "st_carryover_in", "lt_carryover_in", "st_raw_loss", "lt_raw_loss"), net_year),
)
"""Which calculation a case asks for, told by its fields; the first that fits."""
