"""From what was given to an analysis that is asked for: reads, judges, and asks only when nothing is marked or marks are accepted."""

import asyncio
import secrets
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.market import MarketPublished
from libs.common.service import Service
from services.optimizer.transition import intake_store
from services.optimizer.transition.client_form import Form, Reading
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.jobs import Jobs
from services.optimizer.transition.work import judge, plain_faults


class Asked(Struct, frozen=True):
    """The analysis that was asked for, or None; and what is marked."""

    transition_id: str | None
    faults: list[FieldFault]
    judged: int


async def ask(service: Service, jobs: Jobs, read: Callable[[], Reading], despite_faults: bool) -> Asked:
    """Ask for the analysis of what `read` reads.  `despite_faults`: what is marked is left out, and listed as not judged."""
    market_id = await intake_store.newest_market(service.pool)
    market = None if market_id is None else await intake_store.load_market(service.pool, market_id)
    form, faults, judged = await asyncio.to_thread(_judged, read, market)
    if not judged or (faults and not despite_faults):
        return Asked(None, faults, judged)
    return Asked(await put(service, jobs, form, market_id), faults, judged)


async def put(service: Service, jobs: Jobs, form: Form, market_id: str | None) -> str:
    """Ask for the analysis of a form that was judged."""
    transition_id = secrets.token_urlsafe(12)  # not to be guessed: who knows it sees a client's holdings
    await intake_store.add(service.pool, transition_id, form, market_id, service.clock.now())
    jobs.wake.set()
    return transition_id


def without(form: Form, restriction_ids: frozenset[str]) -> Form:
    """The form without some of its restrictions, by the ids that an analysis gives them."""

    def kept(prefix: str, value: str) -> bool:
        return f"{prefix}-{value}" not in restriction_ids

    return replace(
        form,
        exclude=tuple(each for each in form.exclude if kept("exclude", each)),
        never_own=tuple(each for each in form.never_own if kept("never-own", each)),
        never_sell=tuple(each for each in form.never_sell if kept("never-sell", each)),
        owned_elsewhere=tuple(each for each in form.owned_elsewhere if kept("elsewhere", each.ticker)),
    )


def _judged(read: Callable[[], Reading], market: MarketPublished | None) -> tuple[Form, list[FieldFault], int]:
    reading = read()
    if reading.unread:  # one fault says it; what a form without anything lacks says nothing more
        return reading.form, plain_faults(reading.faults), 0
    judged, faults = judge(reading.form, market)
    return reading.form, [*plain_faults(reading.faults), *faults], len(judged)
