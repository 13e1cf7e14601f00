"""A history's books as the rows of the cases file: {"id", "sales", "lots", "washes"} in plain decimals and ISO dates."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from libs.common.money import SHARE_STEP, ZERO, plain
from services.wash_sale.core.certainty import certainty_of
from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import HistoryBooks
from services.wash_sale.core.lots import Layer, cut
from services.wash_sale.core.matching import Wash
from services.wash_sale.core.open_windows import OpenWindow, open_windows
from services.wash_sale.core.sale_rows import Gift, SaleRow

Row = dict[str, Any]


def history_rows(books: HistoryBooks) -> Row:
    """One history's answer; `gifts` where shares were given away; where it has an `as_of`, how certain each sale is on that day, and what
    may not be bought, or sold at a loss, and until when.
    """
    rows = sorted(books.rows, key=lambda row: (row.trade_date, row.account_id, row.trade_id))
    answer: Row = {
        "id": books.history_id,
        "sales": [_sale(row) for row in rows],
        "lots": [_lot(layer) for layer in _alike_together(books.layers)],
        "washes": [_wash(wash) for wash in books.washes],
    }
    if books.as_of is not None:
        covered = all(account.covered for account in books.accounts.values())
        for told, row in zip(answer["sales"], rows, strict=True):
            told["certainty"] = certainty_of(row, books.as_of, covered).certainty
        answer["windows"] = [_window(window) for window in open_windows(books.book, books.as_of)]
    if books.gifts:
        answer["gifts"] = [_gift(gift) for gift in books.gifts]
    return answer


def error_row(bad: BadHistory) -> Row:
    """What a history that can't be taken gets instead."""
    error = {"code": bad.code.value, "event": bad.event, "field": bad.field, "detail": bad.detail}
    return {"id": bad.history_id, "error": error, "sales": [], "lots": [], "washes": []}


def _dollars(amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    text = str(amount)
    return text if text[-3:-2] == "." else f"{amount:.2f}"  # in cents already, as a rule


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _sale(row: SaleRow) -> Row:
    acquired, disallowed = _day(row.acquired), _dollars(row.disallowed)
    told = {
        "sale_id": row.trade_id,
        "account": row.account_id,
        "security": row.security_id,
        "date": row.trade_date.isoformat(),
        "lot_id": row.lot_id,
        "quantity": plain(row.quantity),
        "proceeds": _dollars(row.proceeds),
        "basis": _dollars(row.basis),
        "raw_gain": _dollars(row.raw_gain),
        "disallowed": disallowed,
        "permanently_disallowed": _dollars(row.permanently_disallowed),
        "allowed_gain": _dollars(row.allowed_gain),
        "term": row.term,
        "form_8949_code": row.code,
        "form_8949_adjustment": disallowed,
        "form_8949_column_b": "INHERITED" if row.how == "inheritance" else acquired,
        "acquired": acquired,
        "hp_date": _day(row.held_since),
    }
    return told if row.kind == "sale" else {**told, "kind": row.kind}


def _alike_together(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Layers that differ only in whether they have replaced a loss, with nothing added to their basis (in an IRA), are one row."""
    whole: Layer | None = None
    for layer in layers:
        if whole is None:
            whole = layer
        elif (joined := _joined(whole, layer)) is not None:
            whole = joined
        else:
            yield whole
            whole = layer
    if whole is not None:
        yield whole


def _joined(one: Layer, other: Layer) -> Layer | None:
    if one.wash_adjustment or one.replaces == other.replaces:
        return None
    whole = replace(
        one, quantity=one.quantity + other.quantity, cost=_sum(one.cost, other.cost), loss_cost=_sum(one.loss_cost, other.loss_cost)
    )
    parting = cut(replace(whole, replaces=other.replaces), one.quantity)
    return whole if parting.kept == [other] else None


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _lot(layer: Layer) -> Row:
    basis = layer.basis
    return {
        "lot_id": layer.lot_id,
        "account": layer.account_id,
        "security": layer.security_id,
        "quantity": plain(layer.quantity),
        "cost": _dollars(layer.cost),
        "adjusted_basis": _dollars(basis),
        "wash_adjustment": _dollars(layer.wash_adjustment),
        "acquired": _day(layer.acquired),
        "hp_date": _day(layer.held_since),
        "basis_per_share": None if basis is None or not layer.quantity else plain((basis / layer.quantity).quantize(SHARE_STEP)),
        **({} if layer.loss_cost is None else {"basis_for_loss": _dollars(layer.loss_basis), "loss_hp_date": _day(layer.loss_since)}),
    }


def _wash(wash: Wash) -> Row:
    return {
        "loss_sale_id": wash.loss_id,
        "loss_lot_id": wash.loss_lot_id,
        "replacement_lot_id": wash.replacement_lot_id,
        "replacement_account": wash.replacement_account_id,
        "quantity": plain(wash.quantity),
        "disallowed": _dollars(wash.disallowed or ZERO),
        "kind": "permanent" if wash.permanent else "deferred",
    }


def _window(window: OpenWindow) -> Row:
    return {
        "blocks": window.blocks,
        "securities": list(window.securities),
        "since": window.opened.isoformat(),
        "until": window.until.isoformat(),
        "account": window.account_id,
        "cause": window.cause,
    }


def _gift(gift: Gift) -> Row:
    return {
        "date": gift.day.isoformat(),
        "account": gift.account_id,
        "security": gift.security_id,
        "lot_id": gift.lot_id,
        "quantity": plain(gift.quantity),
        "basis": _dollars(gift.basis),
    }
