"""What a share of an earlier day is today: splits, and mergers that made it a share of another security, or cash alone."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from libs.common.schemas.market import CorporateAction

ONE = Decimal(1)


class Merger(Struct, frozen=True):
    """`ratio` shares of `new_security_id` for one, from `ex_date` on; for cash alone no security and a ratio of 0.

    Its terms are for shares after a split of the same day.
    """

    security_id: str
    ex_date: date
    new_security_id: str | None
    ratio: Decimal


ShareAction = CorporateAction | Merger


def share_today(actions: Sequence[ShareAction], security_id: str, after: date, until: date) -> tuple[str | None, Decimal]:
    """What one share counted on a day is through the actions with `after` < ex-date <= `until`: so many shares, of which security."""
    found = [action for action in actions if action.security_id == security_id and after < action.ex_date <= until]
    merger = next((action for action in found if isinstance(action, Merger)), None)
    ratio = ONE
    for action in found:
        if isinstance(action, CorporateAction) and (merger is None or action.ex_date <= merger.ex_date):
            ratio *= action.ratio
    if merger is None:
        return security_id, ratio
    if merger.new_security_id is None:
        return None, Decimal(0)
    present, later = share_today(actions, merger.new_security_id, merger.ex_date, until)
    return present, ratio * merger.ratio * later
