"""Rules on wash sales: the ledger's windows, conflicts inside a run, and losses that were washed in fact."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from demo.audit.evidence import Evidence, total
from demo.audit.legs import Leg, by_account_and_run
from demo.audit.tally import Tally
from libs.common.schemas.ledger import Window
from libs.common.schemas.order import TradeBooked

WINDOW_DAYS = timedelta(days=30)


def blocked_buys(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No buy in the household, IRAs included, inside a window after a loss."""
    for leg in legs:
        if leg.is_buy:
            for window in _open_windows(leg.ledger.state.blocked_buys, leg):
                tally.check(False, leg.order_id, f"{leg.named()}: loss on {window.trade_date} in {window.account_id}, until {window.until}")
            tally.check(True, leg.order_id, "")


def blocked_loss_sales(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No sale that could be a loss inside a window after a purchase, unless all that was purchased is sold with it."""
    together = by_account_and_run(legs)
    for leg in legs:
        if leg.may_be_loss():
            for window in _open_windows(leg.ledger.state.blocked_loss_sales, leg):
                sold_out = _sells_all(window.lot_ids, together[leg.account_id, leg.run.run_id])
                tally.check(
                    sold_out, leg.order_id, f"{leg.named()}: bought on {window.trade_date} in {window.account_id}, until {window.until}"
                )
            tally.check(True, leg.order_id, "")


def _open_windows(windows: list[Window], leg: Leg) -> list[Window]:
    as_of = leg.run.as_of
    return [w for w in windows if as_of <= w.until and (leg.security_id in w.security_ids or leg.group == w.identity_group)]


def _sells_all(lot_ids: list[str], legs: list[Leg]) -> bool:
    """Whether these legs of one account sell every share of these lots."""
    sold = {lot.custodial_lot_id: lot.quantity for leg in legs for lot in leg.allocation.lots}
    lots = legs[0].book.lots
    return bool(lot_ids) and all(lot_id in lots and sold.get(lot_id) == lots[lot_id].quantity for lot_id in lot_ids)


def household_conflict(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """In one run no account buys a group that any account of its household sells at what could be a loss."""
    losing: dict[tuple[str, str, str], list[Leg]] = defaultdict(list)
    for leg in legs:
        if leg.may_be_loss():
            losing[leg.run.run_id, leg.allocation.household_id, leg.group].append(leg)
    for leg in legs:
        if leg.is_buy:
            sellers = losing.get((leg.run.run_id, leg.allocation.household_id, leg.group), [])
            tally.check(not sellers, leg.order_id, f"{leg.named()} against {', '.join(seller.named() for seller in sellers)}")


@dataclass(frozen=True)
class _Loss:
    """A loss realised by one booked sale of one lot, which was bought on `acquired`."""

    leg: Leg
    trade: TradeBooked
    lot_id: str
    acquired: date | None
    dollars: Decimal


@dataclass(frozen=True, order=True)
class _Purchase:
    """Shares of one security bought by one account on one day."""

    account_id: str
    security_id: str
    day: date


def washed_losses(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No realised loss has a replacement bought within 30 days in the household and still held, whatever the windows said."""
    bought, sold = _purchases(evidence), _sold(evidence)
    for loss in _realised_losses(evidence, legs):
        leg, day = loss.leg, loss.trade.trade_date
        own = _Purchase(leg.account_id, leg.security_id, loss.acquired or date.max)
        replacements = [
            purchase
            for purchase in sorted(bought.get((leg.allocation.household_id, leg.group), ()))
            if abs(purchase.day - day) <= WINDOW_DAYS and purchase != own and (purchase.day >= day or _kept(evidence, purchase, leg, sold))
        ]
        named = ", ".join(f"{p.security_id} in {p.account_id} on {p.day}" for p in replacements)
        tally.check(not replacements, leg.order_id, f"{leg.named()}: loss of {loss.dollars:.2f} on lot {loss.lot_id} washed by {named}")


def _realised_losses(evidence: Evidence, legs: list[Leg]) -> Iterator[_Loss]:
    """Sales of taxable accounts below the basis of the pinned ledger."""
    leg_of = {(leg.order_id, leg.account_id): leg for leg in legs}
    for trade in evidence.trades:
        leg = leg_of.get((trade.cl_ord_id, trade.account_id))
        if leg is None or leg.is_buy or not leg.taxable or trade.kind == "bust" or trade.trade_id in evidence.busted:
            continue
        for part in trade.lots:
            layers = leg.layers(part.lot_id)
            shares = total(layer.quantity for layer in layers)
            bases = [layer.tax_basis for layer in layers if layer.tax_basis is not None]
            if shares and len(bases) == len(layers):
                loss = (total(bases) / shares - trade.price) * part.quantity
                if loss > 0:
                    yield _Loss(leg, trade, part.lot_id, layers[0].acquired, loss)


def _purchases(evidence: Evidence) -> dict[tuple[str, str], set[_Purchase]]:
    """By household and group: what the lots held at the start show, and every purchase since."""
    group_of = {security: group for prices in evidence.prices.values() for security, group in prices.group.items()}
    bought: dict[tuple[str, str], set[_Purchase]] = defaultdict(set)
    for book in evidence.before.values():
        for lot in book.lots.values():
            if lot.acquired is not None:
                key = (book.state.household_id, group_of.get(lot.security_id, lot.security_id))
                bought[key].add(_Purchase(book.state.account_id, lot.security_id, lot.acquired))
    for trade in evidence.trades:
        if trade.side == "buy" and trade.kind == "fill" and trade.trade_id not in evidence.busted:
            key = (trade.household_id, group_of.get(trade.security_id, trade.security_id))
            bought[key].add(_Purchase(trade.account_id, trade.security_id, trade.trade_date))
    return bought


def _sold(evidence: Evidence) -> dict[tuple[str, str, str], Decimal]:
    """Shares booked as sold by run, account and lot."""
    sold: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for trade in evidence.trades:
        if trade.side == "sell" and trade.kind != "bust" and trade.trade_id not in evidence.busted:
            for lot in trade.lots:
                sold[trade.run_id, trade.account_id, lot.lot_id] += lot.quantity
    return sold


def _kept(evidence: Evidence, purchase: _Purchase, leg: Leg, sold: dict[tuple[str, str, str], Decimal]) -> bool:
    """Whether any of a purchase was still held after the run of `leg`."""
    run_id, account_id = leg.run.run_id, purchase.account_id
    member = evidence.run_accounts.get((run_id, account_id))
    book = evidence.books.get((account_id, member.account_version)) if member is not None else None
    if book is None:
        return True
    lots = [lot for lot in book.lots.values() if (lot.security_id, lot.acquired) == (purchase.security_id, purchase.day)]
    return any(sold.get((run_id, account_id, lot.lot_id), Decimal(0)) < lot.quantity for lot in lots)
