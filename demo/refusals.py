"""What orders did not let leave, read from its HTTP interface."""

import msgspec

from demo.audit.layout import OrderRefused
from demo.day import answer
from demo.platform import Platform


async def refused_by_orders(platform: Platform) -> list[OrderRefused]:
    """Every refusal of every run, by run and account."""
    rows = await answer(platform.clients["orders"].get("/v1/refusals"))
    return [msgspec.convert(row, OrderRefused) for row in rows]
