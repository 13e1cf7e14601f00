"""How long shares were held: section 3.1 and 3.2 (IRC 1222, Rev. Rul. 66-7) and tacking, section 1.10 (IRC 1223(3)).

A date here is the *effective date of acquisition*: the day of purchase, earlier where a wash sale tacked a period on.  The holding period
starts the day after it.
"""

from datetime import date, timedelta
from typing import Literal

Term = Literal["short", "long"]
NO_TIME = timedelta(0)


def first_long_day(held_since: date) -> date:
    """The first day on which a sale is long-term: the day after acquisition, one year on; 1 March where that is no date."""
    start = held_since + timedelta(days=1)
    try:
        return start.replace(year=start.year + 1)
    except ValueError:
        return date(start.year + 1, 3, 1)


def term_of(held_since: date | None, sold: date) -> Term:
    """Long where shown to be held more than a year; an unknown date of acquisition is short."""
    if held_since is None or sold.year == held_since.year:
        return "short"
    if sold.year > held_since.year + 1:
        return "long"
    return "long" if sold >= first_long_day(held_since) else "short"


def tacked(replacement_since: date | None, loss_since: date | None, loss_sold: date) -> date | None:
    """The replacement's effective date with the days added that the loss shares were held; an unknown period adds none."""
    if replacement_since is None or loss_since is None:
        return replacement_since
    return replacement_since - max(loss_sold - loss_since, NO_TIME)


def counted_once(effective: date | None, replacement_acquired: date | None, loss_acquired: date | None, loss_sold: date) -> date | None:
    """`tacked` less the days on which the replacement and the loss shares were owned together (an alternative of section 8)."""
    if effective is None or replacement_acquired is None or loss_acquired is None:
        return effective
    return effective + max(loss_sold - max(replacement_acquired, loss_acquired), NO_TIME)
