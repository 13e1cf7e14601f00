"""What a corporate action does to given lots: the member `op` says which (section 11 of the tax rules)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core import corporate_actions as actions
from services.wash_sale.core.calculations.inputs import Answer, day_of, dollars, inner, needed_day, rows_of
from services.wash_sale.core.history_fields import Fields
from services.wash_sale.core.holding_period import term_of
from services.wash_sale.core.lots import divide
from services.wash_sale.core.refusals import RefusalCode


def corporate_action(inputs: Fields) -> Answer:
    """The action that `op` names."""
    op = inputs.text("op")
    if op not in OPERATIONS:
        raise inputs.bad(RefusalCode.UNKNOWN_ACTION, "op", f"{op!r}: known are {', '.join(sorted(OPERATIONS))}")
    return OPERATIONS[op](inputs)


def _lots(inputs: Fields) -> list[Fields]:
    return rows_of(inputs, "lots") if inputs.has("lots") else [inputs]


def _lot(lot: Fields, quantity: Decimal, basis: Decimal) -> Answer:
    return {
        "lot_id": lot.raw.get("lot_id"),
        "quantity": quantity,
        "basis": basis,
        "basis_per_share": basis / quantity if quantity else None,
        "hp_date": day_of(lot, "acquired"),
    }


def _split(inputs: Fields) -> Answer:
    """A split, an identical stock dividend, an all-stock reorganization: dollars and periods stay, lot by lot."""
    new, old = inputs.ratio("ratio")
    lots = [_lot(lot, lot.positive("quantity") * new / old, lot.dollars("basis")) for lot in _lots(inputs)]
    return {"lots": lots, "recognized_gain": ZERO, **(lots[0] if len(lots) == 1 else {})}


def _allocate(inputs: Fields) -> Answer:
    values = Fields(inner(inputs, "fmv"), f"{inputs.event}.fmv")
    names = list(values.raw)
    worth = [values.price(name) for name in names]
    _some_value(inputs, "fmv", *worth)
    parts = actions.allocate_by_value(inputs.dollars("basis"), worth)
    return {"basis": dict(zip(names, parts, strict=True)), "hp_date": day_of(inputs, "acquired")}


def _some_value(inputs: Fields, field: str, *values: Decimal) -> None:
    """A basis divides by value only where there is some."""
    if not any(values):
        raise inputs.bad(RefusalCode.NOT_POSITIVE, field, "the values together are not more than zero")


def _spin_off(inputs: Fields) -> Answer:
    new, old = inputs.ratio("spun_per_parent")
    parent_price, spun_price = inputs.price("parent_price"), inputs.price("spun_price")
    _some_value(inputs, "parent_price", parent_price, spun_price)
    parent, spun = [], []
    for lot in _lots(inputs):
        quantity, basis = lot.positive("quantity"), lot.dollars("basis")
        received = quantity * new / old
        kept, moved = actions.allocate_by_value(basis, (quantity * parent_price, received * spun_price))
        parent.append(_lot(lot, quantity, kept))
        spun.append(_lot(lot, received, moved))
    return {"parent": parent, "spun": spun}


def _rights(inputs: Fields) -> Answer:
    """`rights_elected`: the owner elects to allocate although the rights are worth little.  New shares' period starts with the exercise."""
    elected = inputs.raw.get("rights_elected") is True
    stock_value, rights_value = inputs.price("stock_fmv"), inputs.price("rights_fmv")
    _some_value(inputs, "stock_fmv", stock_value, rights_value)
    found = actions.rights_basis(inputs.dollars("basis"), stock_value, rights_value, elected)
    answer: Answer = {"stock_basis": found.stock, "rights_basis": found.rights, "new_share_hp": "from date of exercise"}
    if inputs.has("rights"):
        answer["basis_per_right"] = cents_half_even(found.rights / inputs.positive("rights"))
        answer["new_share_basis"] = dollars(inputs, "exercise_price") + answer["basis_per_right"]
    if inputs.has("shares"):
        answer["old_share_basis"] = cents_half_even(found.stock / inputs.positive("shares"))
    return answer


def _reverse_split(inputs: Fields) -> Answer:
    new, old = inputs.ratio("ratio")
    found = actions.cash_in_lieu(
        inputs.positive("quantity") * new / old, inputs.dollars("basis"), dollars(inputs, "cash_for_fraction", "cash")
    )
    acquired, sold = day_of(inputs, "acquired"), day_of(inputs, "date", "closing") or date.max
    fraction = {
        "quantity": found.fraction,
        "basis": found.fraction_basis,
        "gain": found.gain,
        "term": term_of(acquired, sold),
    }
    return {"quantity": found.quantity, "basis": found.basis, "cil": fraction, "hp_date": acquired}


def _merger_with_boot(inputs: Fields) -> Answer:
    """One lot, or `lots`, each by itself: stock and cash are a lot's own, or divide by shares."""
    if not inputs.has("lots"):
        return _boot_of(inputs, inputs.dollars("stock_fmv"), inputs.dollars("cash"))
    rows = _lots(inputs)
    stock, cash = (_per_lot(inputs, rows, name) for name in ("stock_fmv", "cash"))
    lots = [{"lot_id": lot.raw.get("lot_id"), **_boot_of(lot, *received)} for lot, *received in zip(rows, stock, cash, strict=True)]
    sums = {name: sum((lot[name] for lot in lots), ZERO) for name in ("realized_gain", "recognized_gain", "recognized_loss", "new_basis")}
    return {"lots": lots, **sums}


def _per_lot(inputs: Fields, lots: Sequence[Fields], name: str) -> list[Decimal]:
    if not inputs.has(name):
        return [lot.dollars(name) for lot in lots]
    return divide(inputs.dollars(name), [lot.positive("quantity") for lot in lots])


def _boot_of(inputs: Fields, stock_value: Decimal, cash: Decimal) -> Answer:
    found = actions.merger_with_boot(inputs.dollars("basis"), stock_value, cash)
    return {
        "realized_gain": found.realised_gain,
        "recognized_gain": found.recognised_gain,
        "recognized_loss": ZERO,
        "new_basis": found.new_basis,
        "hp_date": day_of(inputs, "acquired"),
    }


def _cash_merger(inputs: Fields) -> Answer:
    """A sale; its day is `closing`."""
    term = term_of(needed_day(inputs, "acquired"), needed_day(inputs, "closing", "date"))
    return {"gain": inputs.dollars("cash") - inputs.dollars("basis"), "term": term}


def _distribution(inputs: Fields) -> Answer:
    found = actions.distribution(inputs.dollars("amount"), inputs.number("earnings"), inputs.dollars("basis"))
    return {
        "dividend": found.dividend,
        "basis_reduction": found.basis_reduction,
        "gain": found.gain,
        "basis_after": found.basis_after,
    }


def _returns_in_sequence(inputs: Fields) -> Answer:
    basis, steps = inputs.dollars("basis"), []
    amounts = inputs.raw.get("distributions")
    if not isinstance(amounts, list) or not amounts:
        raise inputs.bad(RefusalCode.MISSING, "distributions", "a list of amounts is needed")
    for number, each in enumerate(amounts):
        found = actions.return_of_capital(basis, Fields({"amount": each}, f"{inputs.event}.distributions[{number}]").dollars("amount"))
        basis = found.basis_after
        steps.append({"basis_after": basis, "gain": found.gain})
    return {"steps": steps}


def _returns_over_blocks(inputs: Fields) -> Answer:
    blocks = rows_of(inputs, "blocks")
    bases = [block.dollars("basis") for block in blocks]
    shares = [block.positive("share" if block.has("share") else "quantity") for block in blocks]
    found = actions.return_over_blocks(inputs.dollars("amount"), shares, bases)
    return {
        "blocks": [
            {"distribution": basis - each.basis_after + each.gain, "gain": each.gain, "basis_after": each.basis_after}
            for each, basis in zip(found, bases, strict=True)
        ]
    }


OPERATIONS: Mapping[str, Callable[[Fields], Answer]] = {
    "split": _split,
    "merger_stock": _split,
    "allocate_fmv": _allocate,
    "spinoff": _spin_off,
    "rights": _rights,
    "reverse_split_cil": _reverse_split,
    "merger_boot": _merger_with_boot,
    "cash_merger": _cash_merger,
    "distribution": _distribution,
    "roc_sequence": _returns_in_sequence,
    "roc_blocks": _returns_over_blocks,
}
