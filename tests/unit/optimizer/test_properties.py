"""Property tests of the decision's invariants, on random small accounts with every rule somewhere in them.

The checks are computed from the payloads, not by the core's own verification.
"""

from collections import defaultdict
from decimal import Decimal
from functools import lru_cache

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from services.optimizer.core.decline import DeclineCode
from tests.unit.optimizer.samples import AS_OF, COLLAR_BPS, Decision, World, random_world

ZERO = Decimal(0)
BPS = Decimal(10_000)
seeds = st.integers(min_value=0, max_value=10**6)
examples = settings(max_examples=40, deadline=None)


@lru_cache(maxsize=4096)
def decided(seed: int) -> tuple[World, Decision]:
    given_world = random_world(seed)
    return given_world, given_world.propose()


def created(seed: int) -> tuple[World, ProposalCreated | None]:
    given_world, decision = decided(seed)
    return given_world, decision if isinstance(decision, ProposalCreated) else None


def trades_of(seed: int, side: str) -> tuple[World, list[ProposedTrade]]:
    given_world, proposal = created(seed)
    return given_world, [] if proposal is None else [trade for trade in proposal.trades if trade.side == side]


def group_of(given_world: World, security_id: str) -> str:
    columns = given_world.market.securities
    return columns.identity_group[columns.security_id.index(security_id)]


def held(given_world: World) -> dict[str, tuple[str, Decimal, Decimal | None]]:
    """Lot id to security, quantity, basis."""
    lots = given_world.account.lots.rows()
    return {lot.lot_id: (lot.security_id, lot.quantity, lot.cost_basis) for lot in lots}


def could_lose(given_world: World, trade: ProposedTrade) -> bool:
    if trade.side == "buy" or given_world.account.account_type != "taxable":
        return False
    least, lots = trade.price * (1 - Decimal(COLLAR_BPS) / BPS), held(given_world)
    sold = [lots[each.lot_id] for each in trade.lots]
    return any(basis is None or basis > quantity * least for _, quantity, basis in sold)


@examples
@given(seeds)
def test_no_path_is_a_failure(seed: int) -> None:
    _, decision = decided(seed)
    if not isinstance(decision, ProposalCreated):
        assert decision.code not in {DeclineCode.SOLVER_FAILED.value, DeclineCode.PLAN_NOT_VERIFIED.value}, decision.message


@examples
@given(seeds)
def test_1_nothing_restricted_or_blocked_is_bought(seed: int) -> None:
    given_world, buys = trades_of(seed, "buy")
    verdicts = {each.security_id: each for each in given_world.screen.verdicts}
    closed = {each.identity_group for each in given_world.ledger.blocked_buys if each.until >= AS_OF}
    for trade in buys:
        assert trade.security_id not in verdicts or verdicts[trade.security_id].may_buy
        assert group_of(given_world, trade.security_id) not in closed


@examples
@given(seeds)
def test_2_nothing_forbidden_and_no_unknown_basis_is_sold_unless_it_must(seed: int) -> None:
    given_world, sales = trades_of(seed, "sell")
    verdicts, lots = {each.security_id: each for each in given_world.screen.verdicts}, held(given_world)
    for trade in sales:
        verdict = verdicts.get(trade.security_id)
        assert verdict is None or verdict.may_sell
        if any(lots[each.lot_id][2] is None for each in trade.lots):
            assert verdict is not None
            assert verdict.must_sell


@examples
@given(seeds)
def test_3_lots_are_never_oversold(seed: int) -> None:
    given_world, sales = trades_of(seed, "sell")
    lots = held(given_world)
    for trade in sales:
        assert sum((each.quantity for each in trade.lots), ZERO) == trade.quantity
        assert len({each.lot_id for each in trade.lots}) == len(trade.lots)
        for each in trade.lots:
            security_id, quantity, _ = lots[each.lot_id]
            assert security_id == trade.security_id
            assert ZERO < each.quantity <= quantity


@examples
@given(seeds)
def test_4_whole_shares_or_the_whole_position(seed: int) -> None:
    given_world, proposal = created(seed)
    positions: dict[str, Decimal] = defaultdict(Decimal)
    for security_id, quantity, _ in held(given_world).values():
        positions[security_id] += quantity
    for trade in proposal.trades if proposal else []:
        assert trade.quantity >= 1
        assert trade.quantity == int(trade.quantity) or (trade.side == "sell" and trade.quantity == positions[trade.security_id])


@examples
@given(seeds)
def test_5_no_group_is_bought_and_sold_at_a_potential_loss(seed: int) -> None:
    given_world, proposal = created(seed)
    if proposal is None:
        return
    lossy = [trade for trade in proposal.trades if could_lose(given_world, trade)]
    bought = {group_of(given_world, trade.security_id) for trade in proposal.trades if trade.side == "buy"}
    earlier = [trade for decision in given_world.earlier if isinstance(decision, ProposalCreated) for trade in decision.trades]
    bought_earlier = {group_of(given_world, trade.security_id) for trade in earlier if trade.side == "buy"}
    lost_earlier = {
        group_of(given_world, t.security_id) for t in earlier if t.side == "sell" and (t.lots[0].gain is None or t.lots[0].gain < 0)
    }
    assert not bought & lost_earlier
    assert not {group_of(given_world, trade.security_id) for trade in lossy} & (bought | bought_earlier)


@examples
@given(seeds)
def test_5_no_potential_loss_is_sold_in_a_window_unless_its_lot_goes_whole(seed: int) -> None:
    given_world, proposal = created(seed)
    sold = {each.lot_id: each.quantity for trade in proposal.trades for each in trade.lots} if proposal else {}
    lots = held(given_world)
    for trade in proposal.trades if proposal else []:
        if could_lose(given_world, trade):
            for window in given_world.ledger.blocked_loss_sales:
                if trade.security_id in window.security_ids and window.until >= AS_OF:
                    assert all(lot in lots and sold.get(lot) == lots[lot][1] for lot in window.lot_ids)


@examples
@given(seeds)
def test_6_cash_is_conserved_never_negative_and_only_settled_cash_is_spent(seed: int) -> None:
    given_world, proposal = created(seed)
    if proposal is None:
        return
    account = given_world.account
    gross = sum((t.quantity * t.price * (1 if t.side == "sell" else -1) for t in proposal.trades), ZERO)
    expected = account.cash_settled + account.cash_unsettled + gross - proposal.cost
    assert abs(proposal.cash_after - expected) <= Decimal("0.02") * len(proposal.trades)
    assert proposal.cash_after >= 0
    if any(trade.side == "buy" for trade in proposal.trades):
        assert proposal.cash_after - max(account.cash_unsettled, ZERO) >= 0


@examples
@given(seeds)
def test_7_budgets_hold_after_rounding(seed: int) -> None:
    given_world, proposal = created(seed)
    if proposal is None or given_world.account.account_type != "taxable":
        return
    budgets, rates, year = given_world.account.budgets, given_world.account.rates, given_world.ledger.account_years[0]
    tax = proposal.tax
    short, long = tax.short_gain - tax.short_loss, tax.long_gain - tax.long_loss
    used = rates.short_frac * year.short_net + rates.long_frac * year.long_net
    for budget, before, change in (
        (budgets.short_gain, year.short_net, short),
        (budgets.long_gain, year.long_net, long),
        (budgets.tax, used, tax.tax),
    ):
        if budget is not None:
            assert change <= max(budget - before, ZERO)


@examples
@given(seeds)
def test_8_tax_is_the_sum_of_its_trades_and_follows_from_the_terms(seed: int) -> None:
    given_world, proposal = created(seed)
    if proposal is None:
        return
    rates, tax = given_world.account.rates, proposal.tax
    assert tax.tax == sum((trade.tax for trade in proposal.trades), ZERO)
    by_term = rates.short_frac * (tax.short_gain - tax.short_loss) + rates.long_frac * (tax.long_gain - tax.long_loss)
    assert abs(tax.tax - by_term) <= Decimal("0.01") * (1 + len(proposal.trades))
    if given_world.account.account_type != "taxable":
        assert tax.tax == 0
        assert {lot.term for trade in proposal.trades for lot in trade.lots} <= {"none"}


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_9_same_payloads_same_bytes_and_nothing_is_changed(seed: int) -> None:
    _, decision = decided(seed)
    again = random_world(seed)
    before = [msgspec.json.encode(each) for each in (again.account, again.screen, again.ledger, again.market, again.run, again.earlier)]
    assert msgspec.json.encode(again.propose()) == msgspec.json.encode(decision)
    after = [msgspec.json.encode(each) for each in (again.account, again.screen, again.ledger, again.market, again.run, again.earlier)]
    assert before == after


@examples
@given(seeds)
def test_10_what_must_be_sold_is_sold_or_reported(seed: int) -> None:
    given_world, decision = decided(seed)
    positions: dict[str, Decimal] = defaultdict(Decimal)
    for security_id, quantity, _ in held(given_world).values():
        positions[security_id] += quantity
    if not isinstance(decision, ProposalCreated):
        return
    sold = {trade.security_id: trade.quantity for trade in decision.trades if trade.side == "sell"}
    reported = {each.security_id: each.quantity for each in decision.unmet if each.wanted == "must_sell"}
    for verdict in given_world.screen.verdicts:
        if verdict.must_sell and verdict.security_id in positions:
            left = positions[verdict.security_id] - sold.get(verdict.security_id, ZERO)
            assert left == reported.get(verdict.security_id, ZERO)
