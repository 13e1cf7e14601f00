"""Settings of orders (environment variables PMA_...)."""

from decimal import Decimal

from pydantic import Field

from libs.common.settings import ServiceSettings
from services.orders.core.evidence import Policy


class OrdersSettings(ServiceSettings):
    """`max_orders_per_run` bounds a run's blocks; `weight_tolerance_frac` is what whole shares may miss a weight bound by.

    `fee_per_share` in dollars; `watch_s` is how often open runs are compared with the clock, `retry_s` how often waiting
    proposals are judged again even when nothing came for them.
    """

    port: int = Field(default=8105, ge=0, le=65535)
    max_orders_per_run: int = Field(default=2_000, ge=1)
    weight_tolerance_frac: Decimal = Field(default=Decimal("0.0005"), ge=0, le=1)
    fee_per_share: Decimal = Field(default=Decimal(0), ge=0)
    watch_s: float = Field(default=0.5, gt=0)
    retry_s: float = Field(default=5, gt=0)

    def policy(self) -> Policy:
        """The house's limits as the core takes them."""
        return Policy(self.max_orders_per_run, self.weight_tolerance_frac, self.fee_per_share)
