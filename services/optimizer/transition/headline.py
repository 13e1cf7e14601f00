"""The few sentences that stand first: what selling all would cost, what the least tax does, and where more tax stops paying."""

from services.optimizer.core.transition.result import Analysis, Approach
from services.optimizer.transition.drawn_tax import bend_of, drawn_tax
from services.optimizer.transition.figures import money, percent


def headline(analysis: Analysis) -> list[str]:
    """Sentences of the analysis' own numbers; what was not planned is not spoken of."""
    planned = {each.kind: each for each in reversed(analysis.approaches) if each.status == "planned"}
    said = [_sell_all(planned.get("sell_all")), _immediate(planned.get("immediate"), planned.get("sell_all")), _knee(analysis)]
    return [each for each in said if each]


def _sell_all(sell_all: Approach | None) -> str:
    if sell_all is None or sell_all.tax_usd is None:
        return ""
    return f"Selling today everything that may be sold and buying the target would cost {money(sell_all.tax_usd)} in tax."


def _immediate(immediate: Approach | None, sell_all: Approach | None) -> str:
    if immediate is None or immediate.tax_usd is None:
        return ""
    text = (
        f"Going all the way now at the least tax costs {money(immediate.tax_usd)} and leaves a tracking error of "
        f"{percent(immediate.te_after_frac)}"
    )
    if sell_all is None or immediate.saved_usd is None or immediate.saved_usd <= 0:
        return text + "."
    return f"{text}: {money(immediate.saved_usd)} less than selling everything that may be sold."


def _knee(analysis: Analysis) -> str:
    bend = bend_of(analysis)
    if bend is None:
        return ""
    point, drawn = analysis.frontier[bend], drawn_tax(analysis)
    tax = drawn.of_point(point)
    paid = f"a tax of {money(tax)}" if tax >= 0 else f"a tax saving of {money(-tax)}"
    paid += " (after what losses carried on are worth)" if drawn.after_carry else ""
    return (
        f"The bend of the curve is at {paid}, where the tracking error is {percent(point.te_frac)} instead of "
        f"{percent(analysis.account.te_frac)}; beyond it, each further dollar of tax buys less."
    )
