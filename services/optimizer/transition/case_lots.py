"""The form's lots against a market: those that can be judged, and why the others can't."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.optimizer.core.transition.result import NotJudged
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.lots_csv import FormLot
from services.optimizer.transition.market_directory import TransitionMarket


@dataclass(frozen=True, slots=True)
class JudgedLots:
    """Lots of securities with a price and a row in the risk model, acquired by `as_of`."""

    lots: list[FormLot]
    faults: list[FieldFault]
    not_judged: list[NotJudged]


def judged_lots(lots: Iterable[FormLot], market: TransitionMarket, as_of: date) -> JudgedLots:
    """Sort the lots by security, day and line."""
    good: list[FormLot] = []
    faults: list[FieldFault] = []
    out: list[NotJudged] = []
    for lot in lots:
        fault = _fault(lot, market, as_of)
        if fault is not None:
            faults.append(fault)
            out.append(NotJudged(lot.what(), fault.message))
        elif why := unjudged(lot.ticker, market):
            out.append(NotJudged(lot.what(), why))
        else:
            good.append(lot)
    return JudgedLots(sorted(good, key=lambda lot: (lot.ticker, lot.acquired, lot.line, lot.lot_id)), faults, out)


def unjudged(security_id: str, market: TransitionMarket) -> str | None:
    """Why nothing can be said of a security that the market knows."""
    at = market.position[security_id]
    if market.securities[at].blocked is not None:
        return f"Nothing may trade in {security_id} ({market.securities[at].blocked})"
    if market.securities[at].price_usd is None:
        return f"{security_id} has no price on {market.as_of}"
    return None if market.in_risk_model[at] else f"{security_id} is not in the risk model"


def _fault(lot: FormLot, market: TransitionMarket, as_of: date) -> FieldFault | None:
    if lot.ticker not in market.position:
        return FieldFault(lot.line, f"lots[{lot.at}].ticker", f"The market has no security {lot.ticker}", "Check the ticker")
    if lot.acquired > as_of:
        said = f"The lot of {lot.ticker} was acquired on {lot.acquired}, after {as_of}"
        return FieldFault(lot.line, f"lots[{lot.at}].acquired", said, "Give lots that are held")
    return None
