"""The house's own settings of a decision."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard to look for trades, and when one is worth making.

    `no_trade_margin_bps`: what a plan must gain beyond its cost, in basis points of the account's invested value.
    `withdrawal_notice_days`: calendar days ahead of its due date from which a withdrawal's cash is raised.
    `drop_rounds`: how many times small trades are dropped.  `final_tolerance` is PDLP's relative tolerance, and `iteration_limit` its
    deadline, where it has to answer instead of the dual method.
    """

    no_trade_margin_bps: float = 0.5
    withdrawal_notice_days: int = 7
    drop_rounds: int = 2
    final_tolerance: float = 1e-6
    iteration_limit: int = 20_000


DEFAULT_POLICY = Policy()
