"""The house's own settings of a decision."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard to look for trades, and when one is worth making.

    `no_trade_margin_bps`: what a plan must gain beyond its cost, in basis points of the account's invested value.
    `withdrawal_notice_days`: calendar days ahead of its due date from which a withdrawal's cash is raised.
    `side_rounds`: how many solves the search for buy-or-harvest may take; small programmes take more, up to `most_side_rounds`, as
    long as solves times columns stay below `side_work`.  `drop_rounds`: how many times small trades are dropped.
    `search_tolerance` and `final_tolerance` are PDLP's relative tolerances while sides are searched and for the plan itself.
    """

    no_trade_margin_bps: float = 0.5
    withdrawal_notice_days: int = 7
    side_rounds: int = 4
    most_side_rounds: int = 12
    side_work: int = 4_000
    drop_rounds: int = 2
    search_tolerance: float = 1e-5
    final_tolerance: float = 1e-6
    iteration_limit: int = 20_000


DEFAULT_POLICY = Policy()
