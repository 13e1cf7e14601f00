"""The year's tax against the ledger's netting, and its convex pieces against its formula."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.optimizer.core.dual.standing import standing
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition, budgets_in_force, exact_tax, year_tax
from services.optimizer.core.dual.tax_pieces import Law, Limits, Reach, budget_choices, cost, marginal, pieces
from services.wash_sale.core.tax_year.netting import Carryover, YearItems, net
from services.wash_sale.core.tax_year.rates import state_at_rates

CENTS = st.integers(0, 2_000_000).map(lambda cents: Decimal(cents) / 100)
RATES = st.sampled_from([0.0, 0.1, 0.15, 0.19, 0.238, 0.3, 0.37, 0.408, 0.5])
LIMITS = st.sampled_from([0.0, 0.0006, 0.003])
NETS = st.tuples(st.sampled_from([0.0003, 0.001, 0.01]), st.floats(-1, 1), st.floats(-1, 1)).map(
    lambda drawn: (drawn[0] * drawn[1], drawn[0] * drawn[2])
)
EVERYWHERE = Reach((-1.0, 1.0), (-1.0, 1.0))
USUAL = Law(short=0.408, long=0.238, ordinary=0.37, limit=0.0006, carried_short=0.19, carried_long=0.19)


@st.composite
def laws(draw: st.DrawFn) -> Law:
    long, short = sorted((draw(RATES), draw(RATES)))
    return Law(short, long, draw(RATES), draw(LIMITS), draw(RATES), draw(RATES))


@settings(max_examples=150, deadline=None)
@given(CENTS, CENTS, CENTS, CENTS, CENTS, CENTS)
def test_the_tax_is_the_ledgers_to_the_cent(
    short_gain: Decimal, short_loss: Decimal, long_gain: Decimal, long_loss: Decimal, carried_short: Decimal, carried_long: Decimal
) -> None:
    year = net(YearItems(short_gain, short_loss, long_gain, long_loss), Carryover(carried_short, carried_long), "single")
    short, long, ordinary = Decimal("0.408"), Decimal("0.238"), Decimal("0.37")
    law = TaxLaw(short, long, ordinary, Decimal(3000))
    mine = year_tax(law, Nets(short_gain - short_loss - carried_short, long_gain - long_loss - carried_long))
    assert (mine.ordinary_gain, mine.preferential_gain) == (year.ordinary_gain, year.preferential_gain)
    assert (mine.deduction, mine.carried_short, mine.carried_long) == (year.deduction, year.carryover.short, year.carryover.long)
    if year.total >= 0:
        assert mine.tax == state_at_rates(short, long)(Decimal(0), year)
    else:
        assert mine.tax == -(ordinary * year.deduction).quantize(Decimal("0.01"))


@settings(max_examples=100, deadline=None)
@given(CENTS, CENTS, CENTS)
def test_with_little_income_the_limit_is_what_counts_as_used(short_loss: Decimal, long_loss: Decimal, income: Decimal) -> None:
    year = net(YearItems(short_loss=short_loss, long_loss=long_loss), Carryover(), "single", income)
    law = TaxLaw(Decimal("0.3"), Decimal("0.15"), Decimal("0.3"), min(Decimal(3000), income))
    mine = year_tax(law, Nets(-short_loss, -long_loss))
    assert (mine.deduction, mine.carried_short, mine.carried_long) == (year.used, year.carryover.short, year.carryover.long)


@settings(max_examples=150, deadline=None)
@given(laws(), NETS)
def test_the_cost_is_the_year_s_tax_less_the_worth_of_what_is_carried(law: Law, nets: tuple[float, float]) -> None:
    rates = [Decimal(str(each)) for each in (law.short, law.long, law.ordinary, law.limit * 1e6, law.carried_short, law.carried_long)]
    year = year_tax(TaxLaw(*rates), Nets(*(Decimal(repr(1e6 * each)) for each in nets)))
    expected = year.tax - rates[4] * year.carried_short - rates[5] * year.carried_long
    assert 1e6 * cost(law, *nets) == pytest.approx(float(expected), abs=0.006)


@settings(max_examples=200, deadline=None)
@given(laws(), NETS)
def test_the_least_piece_is_the_cost(law: Law, nets: tuple[float, float]) -> None:
    every = pieces(law)
    assert min(piece.value(*nets) for piece in every) == pytest.approx(cost(law, *nets), abs=1e-14)
    assert all(hinge.slope > 0 for piece in every for hinge in piece.hinges)
    needed = [piece for piece in every if any(all(line.over(*nets) >= 0 for line in region) for region in piece.where)]
    assert min(piece.value(*nets) for piece in needed) == pytest.approx(cost(law, *nets), abs=1e-14)


def test_two_pieces_do_for_the_usual_rates_and_one_for_equal_ones() -> None:
    assert len(pieces(USUAL)) == 2
    assert len(pieces(Law(0.3, 0.3, 0.3, 0.0006, 0.1, 0.1))) == 1
    assert len(pieces(Law(0.408, 0.238, 0.37, 0.0006, 0.19, 0.12))) == 3


def test_a_long_rate_above_the_short_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a long rate of 0\.3 is above the short rate of 0\.2"):
        pieces(Law(0.2, 0.3, 0.2, 0.0, 0.0, 0.0))


@settings(max_examples=200, deadline=None)
@given(laws(), NETS, st.tuples(*(st.none() | st.floats(0, 0.005) for _ in range(3))), st.floats(0, 1))
def test_the_budgets_are_kept_exactly_where_a_choice_of_rows_is(
    law: Law, nets: tuple[float, float], given_limits: tuple[float | None, ...], deduct: float
) -> None:
    tax, short_gain, long_gain = given_limits
    if tax is not None and deduct < 0.2:
        tax = -deduct * law.ordinary * law.limit
    limits = Limits(tax, short_gain, long_gain)
    gain = max(sum(nets), 0.0)
    ordinary = min(max(nets[0], 0.0), gain)
    year = law.short * ordinary + law.long * (gain - ordinary) - law.ordinary * min(max(-sum(nets), 0.0), law.limit)
    used = ((tax, year), (short_gain, ordinary), (long_gain, gain - ordinary))
    over = max((actual - limit for limit, actual in used if limit is not None), default=-1.0)
    if abs(over) < 1e-12 or (tax is not None and tax < 0 and law.ordinary == 0):
        return
    choices = budget_choices(law, limits, EVERYWHERE)
    kept = any(all(row.line.over(*nets) <= 0 for row in choice.rows) for choice in choices)
    assert kept == (over < 0)


@pytest.mark.parametrize(
    ("nets", "step", "expected"),
    [
        ((0.01, 0.02), 1e-6, (USUAL.short, USUAL.long)),
        ((0.02, -0.01), 1e-6, (USUAL.short, USUAL.short)),
        ((-0.01, 0.02), 1e-6, (USUAL.long, USUAL.long)),
        ((0.0, -0.0003), -1e-6, (USUAL.ordinary, USUAL.ordinary)),
        ((-0.01, 0.0), -1e-6, (0.19, 0.19)),
    ],
    ids=["gains of both", "long loss against short gain", "short loss against long gain", "against income", "carried"],
)
def test_what_one_unit_more_costs(nets: tuple[float, float], step: float, expected: tuple[float, float]) -> None:
    assert marginal(USUAL, *nets, step) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_doing_nothing_keeps_every_budget(short: int, long: int) -> None:
    law = TaxLaw(Decimal("0.408"), Decimal("0.238"), Decimal("0.37"), Decimal(3000))
    year = Nets(Decimal(short) / 1000, Decimal(long) / 1000)
    given_budgets = TaxPosition(law, year, year, Budgets(Decimal(0), Decimal(0), Decimal(0)), Decimal(1_000_000))
    limits, so_far = budgets_in_force(given_budgets), year_tax(law, year)
    assert limits.tax is not None
    assert max(so_far.tax, exact_tax(law, so_far)) <= limits.tax
    assert standing(given_budgets).excess((0.0, 0.0)) <= 1e-15


def test_a_budget_that_is_used_up_forbids_more_and_demands_nothing() -> None:
    law = TaxLaw(Decimal("0.4"), Decimal("0.2"), Decimal("0.4"), Decimal(3000))
    year = Nets(Decimal(1000), Decimal(500))
    position = TaxPosition(law, year, year, Budgets(Decimal(300), Decimal(2000), Decimal(100)), Decimal(1_000_000))
    assert budgets_in_force(position) == Budgets(Decimal("500.00"), Decimal(2000), Decimal(500))
