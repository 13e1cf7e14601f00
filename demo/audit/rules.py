"""Every rule of the audit, by name, in the order of the report."""

from collections.abc import Callable
from pathlib import Path

from demo.audit import blocks, cash, conservation, fills, lots, pins, screens, washes
from demo.audit.evidence import Evidence, read_evidence
from demo.audit.legs import Leg, make_legs
from demo.audit.tally import Tally

SCHEMA, REFERENCES = "schema", "references"

RULES: dict[str, Callable[[Evidence, list[Leg], Tally], None]] = {
    "may_buy": screens.may_buy,
    "may_sell": screens.may_sell,
    "weight_bounds": screens.weight_bounds,
    "market_blocks": screens.market_blocks,
    "tradable": screens.tradable,
    "answered": screens.answered,
    "blocked_buys": washes.blocked_buys,
    "blocked_loss_sales": washes.blocked_loss_sales,
    "household_conflict": washes.household_conflict,
    "washed_losses": washes.washed_losses,
    "open_lots": lots.open_lots,
    "unknown_basis": lots.unknown_basis,
    "whole_shares": lots.whole_shares,
    "booked_lots": lots.booked_lots,
    "spendable_cash": cash.spendable_cash,
    "amounts": cash.amounts,
    "one_order": blocks.one_order,
    "allocations": blocks.allocations,
    "ids": blocks.ids,
    "within_order": fills.within_order,
    "pro_rata": fills.pro_rata,
    "prices": fills.prices,
    "conservation_shares": conservation.shares,
    "conservation_cash": conservation.cash,
    "complete": conservation.complete,
    "pins": pins.pins,
    "household_order": pins.household_order,
    "counts": pins.counts,
}


def audit(directory: Path) -> list[Tally]:
    """Check every order of `directory` against every rule; one tally a rule, that of the schemas and of references first."""
    schema, references = Tally(SCHEMA), Tally(REFERENCES)
    evidence = read_evidence(directory, schema)
    legs = make_legs(evidence, references)
    tallies = [schema, references]
    for name, rule in RULES.items():
        tally = Tally(name)
        rule(evidence, legs, tally)
        tallies.append(tally)
    return tallies
