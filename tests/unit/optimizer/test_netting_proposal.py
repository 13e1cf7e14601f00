"""A proposal of an account whose losses count as its taxpayer's year is netted."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.account import Budgets, LossPolicy, TaxRates
from libs.common.schemas.ledger import AccountYear, TaxpayerYear
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.core.build import build_problem
from services.optimizer.core.chain import SolveState
from services.optimizer.core.dual.tax_law import Nets, TaxPosition, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.tax_position import budget_uses, tax_position
from services.wash_sale.core.tax_year.netting import Carryover, YearItems, net
from services.wash_sale.core.tax_year.rates import state_at_rates
from tests.unit.optimizer.samples import AS_OF, OLD, RECENT, Lot, Security, World, random_world, world
from tests.unit.optimizer.test_harvest import case_of

D = Decimal
RATES = TaxRates(D("0.408"), D("0.238"), D("0.37"))
NO_BUDGETS = Budgets()
LOTS = [
    Lot("gain_long", "AAA", "600", "40", OLD),
    Lot("gain_short", "BBB", "200", "70", RECENT),
    Lot("loss_long", "CCC", "100", "150", OLD),
    Lot("loss_short", "DDD", "100", "130", RECENT),
]
SECURITIES = [Security(name, "100", "0.2") for name in ("AAA", "BBB", "CCC", "DDD", "EEE")]


def netted_world(made: World, nets: dict[str, str], budgets: Budgets = NO_BUDGETS, **losses: Decimal) -> World:
    """The same decision with a year so far, losses netted."""
    account = structs.replace(made.account, losses=LossPolicy("netted", **losses), rates=RATES, budgets=budgets)
    parts = ("short_gain", "short_loss", "long_gain", "long_loss", "carried_short_loss", "carried_long_loss")
    amounts = {name: D(nets.get(name, "0")) for name in parts}
    year = TaxpayerYear(account.taxpayer_id, AS_OF.year, **amounts)
    own = AccountYear(
        account.account_id, AS_OF.year, amounts["short_gain"] - amounts["short_loss"], amounts["long_gain"] - amounts["long_loss"]
    )
    ledger = structs.replace(made.ledger, taxpayers=[year], account_years=[own])
    return World(account, made.screen, ledger, made.market, made.run, made.earlier)


def decided(given_world: World) -> tuple[Case, ProposalCreated]:
    made = given_world.propose()
    assert isinstance(made, ProposalCreated), made
    return case_of(given_world), made


def plan_gains(made: ProposalCreated) -> Nets:
    return Nets(made.tax.short_gain - made.tax.short_loss, made.tax.long_gain - made.tax.long_loss)


@pytest.mark.parametrize(
    "nets",
    [{}, {"short_gain": "9000"}, {"long_gain": "9000"}, {"carried_long_loss": "30000"}, {"short_loss": "2000", "long_gain": "500"}],
    ids=["nothing yet", "short gains", "long gains", "carried losses", "both"],
)
def test_the_tax_reported_is_the_ledgers_netting_with_the_plan_less_without(nets: dict[str, str]) -> None:
    _, made = decided(netted_world(world(SECURITIES, LOTS, risk_aversion=D(200)), nets, carried_frac=D("0.15")))
    amounts = {name: D(value) for name, value in nets.items()}
    carried = Carryover(amounts.pop("carried_short_loss", D(0)), amounts.pop("carried_long_loss", D(0)))
    before, tax = YearItems(**amounts), made.tax
    after = before + YearItems(tax.short_gain, tax.short_loss, tax.long_gain, tax.long_loss)

    def taxed(items: YearItems) -> Decimal:
        year = net(items, carried, "single")
        return state_at_rates(RATES.short_frac, RATES.long_frac)(D(0), year) - (D("0.37") * year.deduction).quantize(D("0.01"))

    assert tax.tax == taxed(after) - taxed(before)
    assert made.solve_status == SolveState.CERTIFIED


def test_losses_that_only_add_to_a_carry_without_worth_are_left() -> None:
    lots = [Lot("loss", "AAA", "500", "140", OLD), Lot("b", "BBB", "500", "100", OLD)]
    made = world([Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")], lots, cash="1000")
    assert decided(netted_world(made, {"short_gain": "40000"}))[1].tax.long_loss > 0
    assert decided(netted_world(made, {"carried_long_loss": "90000"}))[1].tax.long_loss == 0


def test_a_netted_account_needs_a_long_rate_at_most_the_short_one() -> None:
    made = netted_world(world(SECURITIES, LOTS), {})
    refused = replace(made, account=structs.replace(made.account, rates=TaxRates(D("0.2"), D("0.3")))).propose()
    assert isinstance(refused, ProposalDeclined)
    assert (refused.code, refused.limit, refused.actual) == ("invalid_account", D("0.2"), D("0.3"))
    assert "rates.long_frac" in refused.message


@pytest.mark.parametrize("budget", ["tax", "short_gain", "long_gain"])
def test_a_budget_is_kept_by_the_netted_year_in_whole_shares(budget: str) -> None:
    made = world(SECURITIES, LOTS, risk_aversion=D(400))
    free_case, free = decided(netted_world(made, {"short_gain": "15000"}))
    every = Budgets(D(10**9), D(10**9), D(10**9))
    used = {use.name: use.actual for use in budget_uses(tax_position_with(free_case, every), plan_gains(free))}
    before = {use.name: use.actual for use in budget_uses(tax_position_with(free_case, every), Nets())}
    limit = (used[budget] + before[budget]) / 2 if used[budget] > before[budget] else before[budget]
    case, bounded = decided(netted_world(made, {"short_gain": "15000"}, Budgets(**{budget: limit})))
    bounded_position = tax_position(case)
    assert bounded_position is not None
    for use in budget_uses(bounded_position, plan_gains(bounded)):
        assert use.actual <= use.limit


def tax_position_with(case: Case, budgets: Budgets) -> TaxPosition:
    position = tax_position(replace(case, account=structs.replace(case.account, budgets=budgets)))
    assert position is not None
    return position


@example(23, 159, 800, True)
@example(1163, 406, 1987, True)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3000), st.integers(-20_000, 20_000), st.integers(-20_000, 20_000), st.booleans())
def test_every_proposal_is_netted_to_the_cent_and_keeps_its_budgets(seed: int, short: int, long: int, tight: bool) -> None:
    nets = {
        "short_gain": str(max(short, 0)),
        "short_loss": str(max(-short, 0)),
        "long_gain": str(max(long, 0)),
        "long_loss": str(max(-long, 0)),
    }
    budgets = Budgets(D(500), D(300), D(800)) if tight else Budgets()
    made = netted_world(random_world(seed), nets, budgets, carried_frac=D("0.1"))
    if made.account.account_type != "taxable":
        return
    proposal = made.propose()
    if not isinstance(proposal, ProposalCreated):
        assert proposal.code not in ("plan_not_verified", "solver_failed")
        return
    case = case_of(made)
    position = tax_position(case)
    assert position is not None
    assert build_problem(case).position == position
    assert proposal.tax.tax == plan_tax(position, plan_gains(proposal)).added
    for use in budget_uses(position, plan_gains(proposal)):
        assert use.actual <= use.limit
