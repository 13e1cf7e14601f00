"""Whole decisions on published instances, judged by their independent scorer."""

import pytest

from libs.common.schemas.proposal import ProposalCreated
from tests.unit.optimizer import instances, scorer

# (instance, score in basis points that the proposal must stay below); the best known plans, in fractional shares, are -178.39 and -224.85.
CASES = [("100_1", -176.0), ("500_1", -222.0)]


@pytest.mark.parametrize(("name", "bar"), CASES)
def test_the_proposal_is_feasible_and_near_the_best_known(name: str, bar: float) -> None:
    instance = instances.load(name)
    proposal = instances.world_of(instance).propose()
    assert isinstance(proposal, ProposalCreated)
    scored = scorer.score(instance, instances.scored_trades(proposal))
    assert scored["feasible"], scored["violations"]
    assert scored["score_bps"] < bar
    assert scored["score_bps"] < scorer.score(instance, [])["score_bps"]


@pytest.mark.parametrize("name", ["100_1"])
def test_what_the_proposal_says_of_itself_is_what_the_scorer_finds(name: str) -> None:
    instance = instances.load(name)
    proposal = instances.world_of(instance, min_trade="200").propose()
    assert isinstance(proposal, ProposalCreated)
    scored = scorer.score(instance, instances.scored_trades(proposal))
    assert float(proposal.te_before_frac) == pytest.approx(scored["te_before"], abs=1e-6)
    assert float(proposal.te_after_frac) == pytest.approx(scored["te_after"], abs=1e-6)
    assert float(proposal.tax.tax) == pytest.approx(scored["tax_now"], abs=0.01 * len(proposal.trades))
    assert float(proposal.tax.short_loss) == pytest.approx(-scored["short_loss"], abs=0.01 * len(instance["lots"]))
    assert float(proposal.cost) == pytest.approx(scored["cost"], abs=0.01 * len(proposal.trades))
    assert float(proposal.cash_after) == pytest.approx(scored["cash_after"], abs=0.02 * len(proposal.trades))
    assert all(trade.quantity * trade.price >= 200 for trade in proposal.trades if trade.side == "buy")
