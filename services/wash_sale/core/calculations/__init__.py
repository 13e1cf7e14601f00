"""Calculations on given figures, without a history: `inputs` in, the figures that follow out (section 11 of the tax rules).

They are the arithmetic of the ledger and of the tax year under the names of the cases file: for a question beside the books, and to check
them against published examples.  The members of the inputs say which calculation is meant; a member that no calculation knows is not read.
"""

from collections.abc import Callable, Sequence

from services.wash_sale.core.calculations.corporate import corporate_action
from services.wash_sale.core.calculations.gifts import charity, dividend, gift_received, inherited_back, lot_method
from services.wash_sale.core.calculations.inputs import Answer, BadInputs
from services.wash_sale.core.calculations.taxes import figures, gain_tax, net_investment_income_tax, net_year, two_years
from services.wash_sale.core.history_fields import BadField, Fields
from services.wash_sale.core.refusals import RefusalCode

__all__ = ["Answer", "BadInputs", "calculate"]

CALCULATIONS: Sequence[tuple[tuple[str, ...], Callable[[Fields], Answer]]] = (
    (("op",), corporate_action),
    (("ex_date", "ex_dividend_date"), dividend),
    (("requested_method",), lot_method),
    (("agi",), charity),
    (("fmv_at_death",), inherited_back),
    (("donor_basis",), gift_received),
    (("y1_gain", "y1_loss"), two_years),
    (("adjusted_net_capital_gain", "net_capital_gain", "ordinary_taxable_income"), gain_tax),
    (("magi",), net_investment_income_tax),
    (("st_gain", "lt_gain", "st_loss", "lt_loss", "st_carryover_in", "lt_carryover_in", "st_raw_loss", "lt_raw_loss"), net_year),
)
"""Which calculation is meant: the first that has one of its members."""


def calculate(inputs: object) -> Answer | BadInputs:
    """Every figure that follows from the inputs; empty inputs ask for the tables."""
    try:
        fields = Fields(inputs, "inputs")
        for members, calculation in CALCULATIONS:
            if any(name in fields.raw for name in members):
                return calculation(fields)
        if fields.raw:
            known = ", ".join(sorted({name for members, _ in CALCULATIONS for name in members}))
            raise fields.bad(RefusalCode.UNKNOWN_ACTION, "", f"no calculation has these members; one of {known} is needed")
        return figures(fields)
    except BadField as error:
        place = ".".join(part for part in (error.event.removeprefix("inputs").lstrip("."), error.field) if part)
        return BadInputs(error.code, place, error.detail)
