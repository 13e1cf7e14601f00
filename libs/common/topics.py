"""The topics, as code: who makes them (`make up`, the tests, a deployment) reads them here.

Internal topics are keyed by household.  The number of partitions is part of the order of a household's messages: it is fixed when
a topic is made and never raised.  Nothing is deleted by age: what was said is how a restored service catches up and how one is
rebuilt (docs/adr/0005), and orders are kept for years anyway.  Who sets a shorter retention
keeps it longer than the oldest backup that may be restored.
"""

from dataclasses import dataclass, field

CUSTODY_HOLDINGS = "custody.holdings.v1"
ACCOUNTS = "pma.accounts.v1"
MARKET = "pma.market.v1"
SCREENS = "pma.screens.v1"
LEDGERS = "pma.ledgers.v1"
PROPOSALS = "pma.proposals.v1"
ORDERS = "pma.orders.v1"
EXECUTIONS = "pma.executions.v1"
TRADES = "pma.trades.v1"
RULES = "pma.rules.v1"
DECISIONS = "pma.decisions.v1"
PLANS = "pma.plans.v1"

HOUSEHOLD_PARTITIONS = 4
FOUR_MIB = str(4 * 1024 * 1024)
FOR_EVER = "-1"


@dataclass(frozen=True)
class Topic:
    """A topic's name, number of partitions and broker settings."""

    name: str
    partitions: int = HOUSEHOLD_PARTITIONS
    config: dict[str, str] = field(
        default_factory=lambda: {"max.message.bytes": FOUR_MIB, "compression.type": "producer", "retention.ms": FOR_EVER}
    )


def dead_letter_topic(service: str) -> str:
    """Where a service puts messages that it can't read, with the reason in their headers."""
    return f"pma.deadletters.{service}.v1"


SERVICES = ("ingest", "restrictions", "wash_sale", "optimizer", "orders")

TOPICS = (
    Topic(CUSTODY_HOLDINGS),
    Topic(ACCOUNTS),
    Topic(MARKET, partitions=1),
    Topic(SCREENS),
    Topic(LEDGERS),
    Topic(PROPOSALS),
    Topic(ORDERS),
    Topic(EXECUTIONS),
    Topic(TRADES),
    Topic(RULES),
    Topic(DECISIONS),
    Topic(PLANS),
    *(Topic(dead_letter_topic(name), partitions=1) for name in SERVICES),
)
