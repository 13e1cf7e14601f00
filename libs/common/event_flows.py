"""Who says which event to whom, and under which key: the one table behind docs/events.md and docs/asyncapi.yaml.

A test compares it with what the services really subscribe to.
"""

from dataclasses import dataclass

FEEDS = "feeds"
DESK = "desk"
ALL_DECIDERS = ("restrictions", "wash_sale", "optimizer", "orders")


@dataclass(frozen=True)
class Flow:
    """One type of event on its way: the key that orders it, its subject and version (which make its id), who says it and who takes it.

    What nobody takes is read by its own sender, when that must catch up with what it said (libs/common/catch_up.py).
    """

    key: str
    subject: str
    version: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]


FLOWS: dict[str, Flow] = {
    "custody.holdings.received": Flow("account_id", "account_id", "business_date:sequence", (FEEDS,), ("ingest",)),
    "pma.account.changed": Flow("household_id", "account_id", "version", ("ingest",), ALL_DECIDERS),
    "pma.account.moved": Flow("from_household_id", "account_id", "version", ("ingest",), ("restrictions", "wash_sale")),
    "pma.market.published": Flow("market_id", "market_id", "1", ("ingest",), ALL_DECIDERS),
    "pma.run.opened": Flow("run_id", "run_id", "1", ("ingest",), ALL_DECIDERS),
    "pma.screen.updated": Flow("household_id", "account_id", "version[:run_id]", ("restrictions",), ("optimizer", "orders")),
    "pma.ledger.updated": Flow("household_id", "household_id", "version[:run_id]", ("wash_sale",), ("optimizer", "orders")),
    "pma.ledger.restated": Flow("household_id", "household_id", "to_version", ("wash_sale",), ()),
    "pma.lot.told": Flow("household_id", "account_id", "hash of the content", ("wash_sale",), ()),
    "pma.proposal.created": Flow("household_id", "account_id", "run_id", ("optimizer",), ("orders",)),
    "pma.proposal.declined": Flow("household_id", "account_id", "run_id", ("optimizer",), ("orders",)),
    "pma.order.placed": Flow("cl_ord_id", "cl_ord_id", "1", ("orders",), (DESK, "optimizer")),
    "pma.order.cancelled": Flow("cl_ord_id", "cl_ord_id", "reason", ("orders",), (DESK,)),
    "pma.order.ended": Flow("cl_ord_id", "cl_ord_id", "executions seen", ("orders",), ("optimizer",)),
    "pma.execution.reported": Flow("cl_ord_id", "cl_ord_id", "exec_id", (DESK,), ("orders",)),
    "pma.trade.booked": Flow("household_id", "trade_id", "1", ("orders",), ("ingest", "wash_sale")),
    "pma.rules.edited": Flow("household_id", "account_id, or rule", "version or revision", ("restrictions",), ()),
    "pma.proposal.judged": Flow("household_id", "account_id", "run_id:number", ("orders",), ()),
    "pma.run.closed": Flow("run_id", "run_id", "1", ("orders",), ()),
    "pma.kill_switch.turned": Flow("kill-switch", "kill-switch", "number", ("orders",), ()),
    "pma.plan.chosen": Flow("household_id", "account_id", "plan_id", ("optimizer",), ("ingest",)),
    "pma.plan.withdrawn": Flow("household_id", "account_id", "plan_id", ("optimizer",), ("ingest",)),
}
