"""Joins the payloads that one decision rests on into a case, or declines it.

Invariants
1. A case exists only if account, screen, ledger, market and run speak of the same versions (DESIGN, decision 2).
2. Quantities are the account's, basis and holding period the ledger's; where they name different quantities the account is declined.
3. Everything held has a price and a row in the risk model, and so has the strategy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import AccountChanged, LotColumns
from libs.common.schemas.ledger import AccountYear, LedgerAccount, LedgerUpdated, TaxpayerYear
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.optimizer.core.arrays import Ints
from services.optimizer.core.decimals import units_of
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.intended import NOTHING, intended_gains
from services.optimizer.core.lots import LedgerRows, Lots, ledger_rows, lots_of
from services.optimizer.core.market import Model, Snapshot
from services.optimizer.core.plan_rules import rules_fault
from services.optimizer.core.policy import Policy
from services.optimizer.core.ranges import BELOW, first_outside
from services.optimizer.core.windows import Blocks, blocks_of

EXACT = 2.0**53
MOST_USD = Decimal(10) ** 15  # of an account's value: beyond it cents have no meaning


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that one decision rests on, consistent.  `positions` are shares by security.

    `value_usd` counts all cash, settled or not; `withdrawal_usd` is part of it.  `taxpayer_year` is of the run's year, None where the
    taxpayer has realised and carried nothing; `only_account`: the household has no other, so what its taxpayer carries is this account's;
    `intended`: net gains that the run's earlier proposals of the taxpayer's other accounts are about to realise.
    """

    account: AccountChanged
    run: RunOpened
    snapshot: Snapshot
    model: Model
    lots: Lots
    positions: dict[str, Decimal]
    verdicts: dict[str, Verdict]
    blocks: Blocks
    year: AccountYear
    value_usd: Decimal
    withdrawal_usd: Decimal
    taxpayer_year: TaxpayerYear | None = None
    only_account: bool = False
    intended: Nets = NOTHING

    @property
    def taxable(self) -> bool:
        return self.account.account_type == "taxable"


def join(
    account: AccountChanged,
    screen: ScreenUpdated,
    ledger: LedgerUpdated,
    snapshot: Snapshot,
    run: RunOpened,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
    policy: Policy,
) -> Case | Decline:
    """One consistent case for `account` in `run`; `earlier` holds the decisions of the household's earlier accounts."""
    held = next((each for each in ledger.accounts if each.account_id == account.account_id), None)
    declined = _not_trading(account) or _stale(account, screen, ledger, held, snapshot, run) or _invalid(account) or _contradiction(screen)
    if declined is not None or held is None:
        return declined or Decline(DeclineCode.LOTS_DISAGREE, "the household's ledger does not hold the account")
    holdings = _holdings(account, held, snapshot, run)
    if isinstance(holdings, Decline):
        return holdings
    value = holdings.value_usd
    if abs(value) > MOST_USD:
        return Decline(DeclineCode.INVALID_ACCOUNT, "account value in dollars, more than any account has", MOST_USD, value)
    if value <= 0:
        return Decline(DeclineCode.EMPTY_ACCOUNT, "account value in dollars", ZERO, value)
    withdrawal = withdrawals_due(account, run.as_of, policy.withdrawal_notice_days)
    if withdrawal >= value:
        return Decline(DeclineCode.CASH_SHORT, "withdrawals due, in dollars, against the account's value", withdrawal, value)
    years = (each for each in ledger.account_years if each.account_id == account.account_id and each.year == run.as_of.year)
    return Case(
        account=account,
        run=run,
        snapshot=snapshot,
        model=holdings.model,
        lots=holdings.lots,
        positions=holdings.positions,
        verdicts={verdict.security_id: verdict for verdict in screen.verdicts},
        blocks=blocks_of(account.account_id, ledger, snapshot, run.as_of, run.price_collar_bps, earlier),
        year=next(years, AccountYear(account.account_id, run.as_of.year, ZERO, ZERO)),
        value_usd=value,
        withdrawal_usd=withdrawal,
        taxpayer_year=next((t for t in ledger.taxpayers if t.taxpayer_id == account.taxpayer_id and t.year == run.as_of.year), None),
        only_account=len(ledger.accounts) == 1,
        intended=intended_gains(account.taxpayer_id, run.run_id, earlier),
    )


def withdrawals_due(account: AccountChanged, as_of: date, notice_days: int) -> Decimal:
    """Dollars that the owner wants paid out soon: due after the custodian's snapshot (so not in its cash yet) and within the notice."""
    last = as_of + timedelta(days=notice_days)
    due = (flow.amount for flow in account.cash_flows if flow.amount < 0 and account.business_date < flow.due <= last)
    return -sum(due, ZERO)


def _not_trading(account: AccountChanged) -> Decline | None:
    if account.state != "open":
        return Decline(DeclineCode.ACCOUNT_NOT_OPEN, f"account is {account.state}: {account.state_reason}")
    if account.do_not_trade:
        return Decline(DeclineCode.DO_NOT_TRADE, "account is marked do-not-trade")
    return None


def _stale(
    account: AccountChanged, screen: ScreenUpdated, ledger: LedgerUpdated, held: LedgerAccount | None, snapshot: Snapshot, run: RunOpened
) -> Decline | None:
    """The first pair of payloads that do not belong together."""
    listed = next((each for each in run.accounts if each.account_id == account.account_id), None)
    if listed is None or listed.excluded is not None:
        return Decline(DeclineCode.STALE_INPUTS, f"run {run.run_id} does not include the account")
    if snapshot.market_id != run.market_id or screen.market_id != run.market_id:
        return Decline(DeclineCode.STALE_INPUTS, f"screen or market is not on the run's market {run.market_id}")
    if ledger.as_of != run.as_of:
        return Decline(DeclineCode.STALE_INPUTS, f"the ledger is as of {ledger.as_of}, the run as of {run.as_of}")
    versions = [("account", account.version), ("screen", screen.account_version)]
    numbers = [("account's trades", account.trade_seq)]
    if held is not None:
        versions.append(("ledger", held.account_version))
        numbers.append(("ledger's trades", held.trade_seq))
    compared = [(what, listed.account_version, each) for what, each in versions] + [
        (what, listed.trade_seq, each) for what, each in numbers
    ]
    for what, pinned, actual in compared:
        if actual != pinned:
            return Decline(DeclineCode.STALE_INPUTS, f"{what}: version of the run against version held", Decimal(pinned), Decimal(actual))
    return None


def _invalid(account: AccountChanged) -> Decline | None:
    """A field that no decision can rest on."""
    for field, amount in (("cash_settled", account.cash_settled), ("cash_unsettled", account.cash_unsettled)):
        if not amount.is_finite():
            return Decline(DeclineCode.INVALID_ACCOUNT, f"{field} is {amount}")
    outside = first_outside(account)
    if outside is not None and not outside.value.is_finite():
        return Decline(DeclineCode.INVALID_ACCOUNT, f"{outside.name} {outside.problem}")
    if outside is not None:
        limit = outside.least if outside.problem == BELOW else outside.most
        return Decline(DeclineCode.INVALID_ACCOUNT, f"{outside.name} {outside.problem}", limit, outside.value)
    cash = account.cash_target
    if cash is not None and not (cash.is_finite() and cash >= 0):
        return Decline(DeclineCode.INVALID_ACCOUNT, "cash_target must be dollars, not negative", ZERO, cash if cash.is_finite() else None)
    if account.risk_aversion == 0:
        return Decline(DeclineCode.INVALID_ACCOUNT, "risk_aversion must be positive", ZERO, ZERO)
    return None


def _contradiction(screen: ScreenUpdated) -> Decline | None:
    """The first name whose rules ask for at least more than they allow at most, or for what is no number."""
    for verdict in screen.verdicts:
        least, most = verdict.min_weight_frac, verdict.max_weight_frac
        for field, bound in (("min_weight_frac", least), ("max_weight_frac", most)):
            if bound is not None and not bound.is_finite():
                return Decline(DeclineCode.INVALID_ACCOUNT, f"{field} of {verdict.security_id} is {bound}")
        if least is not None and most is not None and least > most:
            message = f"min_weight_frac of {verdict.security_id} is above its max_weight_frac"
            return Decline(DeclineCode.INVALID_ACCOUNT, message, most, least)
    return None


def _lots(account: AccountChanged, held: LedgerAccount, snapshot: Snapshot, run: RunOpened) -> Lots | Decline:
    """The account's lots with the ledger's basis and term, or why they can't be joined."""
    if held.disagreements:
        message = f"book and ledger disagree on {len(held.disagreements)} lots, first {held.disagreements[0]}"
        return Decline(DeclineCode.LOTS_DISAGREE, message, ZERO, Decimal(len(held.disagreements)))
    columns = account.lots
    rows = ledger_rows(columns, held.lots, account.aliases)
    if isinstance(rows, int):
        return Decline(DeclineCode.LOTS_DISAGREE, "number of lots", Decimal(len(columns.lot_id)), Decimal(rows))
    shares = units_of(columns.quantity)
    at = _rows_of(columns.security_id, snapshot)
    fit = np.isfinite(shares.units) & (shares.units > 0) & (at >= 0) & np.isfinite(snapshot.price_units[at])
    for n in sorted({*np.flatnonzero(~fit).tolist(), *_differing(columns, rows)}):
        return _fault(columns, rows, snapshot, n)
    taxable = account.account_type == "taxable"
    return lots_of(columns, rows, shares, at, snapshot, taxable, run.as_of, run.price_collar_bps)


def _rows_of(security_ids: list[str], snapshot: Snapshot) -> Ints:
    """Where each is in the snapshot, -1 where it is not."""
    try:
        return np.array([*map(snapshot.position.__getitem__, security_ids)], dtype=np.intp)
    except KeyError:
        return np.array([snapshot.position.get(each, -1) for each in security_ids], dtype=np.intp)


def _differing(columns: LotColumns, rows: LedgerRows) -> list[int]:
    """Lots whose shares or security the ledger may have otherwise: those whose texts are others."""
    ledger = rows.columns
    if rows.same and ledger.quantity == columns.quantity and ledger.security_id == columns.security_id:
        return []
    return [n for n in range(len(columns.lot_id)) if _differs(columns, rows, n)]


def _differs(columns: LotColumns, rows: LedgerRows, n: int) -> bool:
    own = rows.of(n)
    if not own or rows.columns.security_id[own[0]] != columns.security_id[n]:
        return True
    same_text = len(own) == 1 and rows.columns.quantity[own[0]] == columns.quantity[n]
    return not same_text and rows.quantity(n) != Decimal(columns.quantity[n])


def _fault(columns: LotColumns, rows: LedgerRows, snapshot: Snapshot, n: int) -> Decline:
    """What is wrong with a lot that can't be joined."""
    lot_id, security_id, quantity = columns.lot_id[n], columns.security_id[n], Decimal(columns.quantity[n])
    if not (quantity.is_finite() and quantity > 0):
        return Decline(DeclineCode.INVALID_ACCOUNT, f"quantity of lot {lot_id} is {columns.quantity[n]}")
    if _differs(columns, rows, n):
        return Decline(DeclineCode.LOTS_DISAGREE, f"shares of lot {lot_id}", quantity, rows.quantity(n))
    fault, missing = snapshot.faults.get(security_id), f"no price of {security_id}, which the account holds"
    return Decline(DeclineCode.PRICE_MISSING, missing) if fault is None else Decline(DeclineCode.INVALID_MARKET, fault)


def _positions(lots: Lots, snapshot: Snapshot) -> dict[str, Decimal]:
    """Shares by security, each with as many places as its lots have."""
    shares, found = lots.shares, dict[str, Decimal]()
    whole = np.bincount(lots.at, shares.units, len(snapshot.security_id))
    if not shares.exact or whole.max(initial=0.0) >= EXACT:
        for security_id, text in zip(lots.columns.security_id, lots.columns.quantity, strict=True):
            found[security_id] = found.get(security_id, ZERO) + Decimal(text)
        return found
    places = np.zeros(len(snapshot.security_id), dtype=np.intp)
    np.maximum.at(places, lots.at, shares.own_places)
    held = np.flatnonzero(whole)
    units = np.rint(whole[held] / 10.0 ** (shares.places - places[held]))
    steps = [Decimal(1).scaleb(-place) for place in range(shares.places + 1)]
    for i, unit, place in zip(held.tolist(), units.astype(np.int64).tolist(), places[held].tolist(), strict=True):
        found[snapshot.security_id[i]] = steps[place] * unit
    return found


@dataclass(frozen=True, slots=True)
class _Holdings:
    """What the account holds, priced and covered, and the model that it follows."""

    lots: Lots
    positions: dict[str, Decimal]
    model: Model
    value_usd: Decimal


def _holdings(account: AccountChanged, held: LedgerAccount, snapshot: Snapshot, run: RunOpened) -> _Holdings | Decline:
    lots = _lots(account, held, snapshot, run)
    if isinstance(lots, Decline):
        return lots
    model = snapshot.models.get(account.strategy_id)
    if account.strategy_id in snapshot.model_faults:
        return Decline(DeclineCode.INVALID_MARKET, snapshot.model_faults[account.strategy_id])
    if model is None:
        return Decline(DeclineCode.UNKNOWN_STRATEGY, f"the market has no model {account.strategy_id}")
    uncovered = _not_in_risk_model(lots, model, snapshot)
    if uncovered is not None and uncovered in snapshot.faults:
        return Decline(DeclineCode.INVALID_MARKET, snapshot.faults[uncovered])
    if uncovered is not None:
        return Decline(DeclineCode.RISK_MISSING, f"the risk model has no row of {uncovered}")
    positions = _positions(lots, snapshot)
    cash = account.cash_settled + account.cash_unsettled
    prices, position = snapshot.price, snapshot.position
    shares = sum([quantity * (prices[position[name]] or ZERO) for name, quantity in positions.items()], ZERO)
    return rules_fault(account, snapshot, model) or _Holdings(lots, positions, model, _cents(cash + shares))


def _cents(usd: Decimal) -> Decimal:
    """Rounded to the cent, where that has any meaning."""
    return cents_half_even(usd) if abs(usd) <= MOST_USD else usd


def _not_in_risk_model(lots: Lots, model: Model, snapshot: Snapshot) -> str | None:
    """The first name, held or in the strategy, that the risk model does not cover."""
    needed = np.zeros(len(snapshot.security_id), dtype=np.bool_)
    needed[lots.at] = True
    needed[model.positions[model.weight_frac > 0]] = True
    uncovered = np.flatnonzero(needed & ~snapshot.in_risk_model)
    return snapshot.security_id[uncovered[0]] if len(uncovered) else None
