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

from msgspec import Struct

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import AccountYear, LedgerAccount, LedgerUpdated, TaxLot, TaxpayerYear
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined, Term
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.intended import NOTHING, intended_gains
from services.optimizer.core.market import Model, Snapshot
from services.optimizer.core.plan_rules import rules_fault
from services.optimizer.core.policy import Policy
from services.optimizer.core.terms import is_long
from services.optimizer.core.windows import Blocks, blocks_of, could_be_loss


class HeldLot(Struct, frozen=True, gc=False):
    """One lot: the account's quantity, the ledger's basis in dollars for all of it, and its term if sold on the run's date.

    A lot of several layers is one lot here: its basis is their sum, it is long only if all of them are, and `loss` (a sale of it
    could be a loss) holds if it does for one of them.  `held_since` is the start of its youngest layer's holding period, None where
    one is not known.
    """

    lot_id: str
    security_id: str
    quantity: Decimal
    basis: Decimal | None
    term: Term
    loss: bool
    held_since: date | None = None


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
    lots: tuple[HeldLot, ...]
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
    one = Decimal(1)
    bounds = (
        ("risk_aversion", account.risk_aversion, ZERO, None),
        ("rates.short_frac", account.rates.short_frac, ZERO, one),
        ("rates.long_frac", account.rates.long_frac, ZERO, one if account.losses.counts == "at_rates" else account.rates.short_frac),
        ("cash_min_frac", account.cash_min_frac, ZERO, account.cash_max_frac),
        ("cash_max_frac", account.cash_max_frac, ZERO, one),
        ("min_trade", account.min_trade, ZERO, None),
    )
    for field, value, low, high in bounds:
        if not value.is_finite() or value < low:
            return Decline(DeclineCode.INVALID_ACCOUNT, f"{field} below its least value", low, value if value.is_finite() else None)
        if high is not None and value > high:
            return Decline(DeclineCode.INVALID_ACCOUNT, f"{field} above its greatest value", high, value)
    cash = account.cash_target
    if cash is not None and not (cash.is_finite() and cash >= 0):
        return Decline(DeclineCode.INVALID_ACCOUNT, "cash_target must be dollars, not negative", ZERO, cash if cash.is_finite() else None)
    if account.risk_aversion == 0:
        return Decline(DeclineCode.INVALID_ACCOUNT, "risk_aversion must be positive", ZERO, ZERO)
    return None


def _contradiction(screen: ScreenUpdated) -> Decline | None:
    """The first name whose rules ask for at least more than they allow at most."""
    for verdict in screen.verdicts:
        least, most = verdict.min_weight_frac, verdict.max_weight_frac
        if least is not None and most is not None and least > most:
            message = f"min_weight_frac of {verdict.security_id} is above its max_weight_frac"
            return Decline(DeclineCode.INVALID_ACCOUNT, message, most, least)
    return None


def _price(snapshot: Snapshot, security_id: str) -> Decimal:
    price = snapshot.price[snapshot.position[security_id]]
    if price is None:
        raise AssertionError(f"{security_id} was let through without a price")
    return price


def _layers(held: LedgerAccount, aliases: dict[str, str]) -> dict[str, list[TaxLot]]:
    """The ledger's rows by lot, under the custodian's lot id where a provisional lot has become the custodian's."""
    layers: dict[str, list[TaxLot]] = {}
    for row in held.lots.rows():
        layers.setdefault(aliases.get(row.lot_id, row.lot_id), []).append(row)
    return layers


def _lots(account: AccountChanged, held: LedgerAccount, snapshot: Snapshot, run: RunOpened) -> tuple[HeldLot, ...] | Decline:
    """The account's lots with the ledger's basis and term, or why they can't be joined."""
    if held.disagreements:
        message = f"book and ledger disagree on {len(held.disagreements)} lots, first {held.disagreements[0]}"
        return Decline(DeclineCode.LOTS_DISAGREE, message, ZERO, Decimal(len(held.disagreements)))
    layers, taxable = _layers(held, account.aliases), account.account_type == "taxable"
    columns = account.lots
    if len(layers) != len(columns.lot_id):
        return Decline(DeclineCode.LOTS_DISAGREE, "number of lots", Decimal(len(columns.lot_id)), Decimal(len(layers)))
    lots = []
    for lot_id, security_id, text in zip(columns.lot_id, columns.security_id, columns.quantity, strict=True):
        quantity, rows = Decimal(text), layers.get(lot_id, [])
        if not (quantity.is_finite() and quantity > 0):
            return Decline(DeclineCode.INVALID_ACCOUNT, f"quantity of lot {lot_id} is {text}")
        booked = rows[0].quantity if len(rows) == 1 else sum((row.quantity for row in rows), ZERO)
        if booked != quantity or rows[0].security_id != security_id:
            return Decline(DeclineCode.LOTS_DISAGREE, f"shares of lot {lot_id}", quantity, booked)
        i = snapshot.position.get(security_id)
        price = None if i is None else snapshot.price[i]
        if price is None:
            fault, missing = snapshot.faults.get(security_id), f"no price of {security_id}, which the account holds"
            return Decline(DeclineCode.PRICE_MISSING, missing) if fault is None else Decline(DeclineCode.INVALID_MARKET, fault)
        lots.append(_held_lot(lot_id, rows, quantity, price, taxable, run))
    return tuple(lots)


def _held_lot(lot_id: str, rows: list[TaxLot], quantity: Decimal, price: Decimal, taxable: bool, run: RunOpened) -> HeldLot:
    first = rows[0]
    basis, since = first.tax_basis, first.holding_period_start
    if len(rows) > 1:
        basis = _sum_if_all([row.tax_basis for row in rows])
        starts = [row.holding_period_start for row in rows]
        since = None if None in starts else max(start for start in starts if start is not None)
    loss = False
    for row in rows if taxable else ():
        loss = loss or could_be_loss(row.tax_basis, row.quantity * price, run.price_collar_bps)
    return HeldLot(lot_id, first.security_id, quantity, basis, _term(basis, since, taxable, run.as_of), loss, since)


def _sum_if_all(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def _term(basis: Decimal | None, since: date | None, taxable: bool, as_of: date) -> Term:
    """None where there is no gain to speak of; short where the holding period is not known.  A lot is long if its youngest layer is."""
    if not taxable or basis is None:
        return "none"
    return "long" if since is not None and is_long(since, as_of) else "short"


@dataclass(frozen=True, slots=True)
class _Holdings:
    """What the account holds, priced and covered, and the model that it follows."""

    lots: tuple[HeldLot, ...]
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
    positions: dict[str, Decimal] = {}
    for lot in lots:
        positions[lot.security_id] = positions.get(lot.security_id, ZERO) + lot.quantity
    cash = account.cash_settled + account.cash_unsettled
    shares = sum((quantity * _price(snapshot, name) for name, quantity in positions.items()), ZERO)
    return rules_fault(account, snapshot, model) or _Holdings(lots, positions, model, cents_half_even(cash + shares))


def _not_in_risk_model(lots: Sequence[HeldLot], model: Model, snapshot: Snapshot) -> str | None:
    """The first name, held or in the strategy, that the risk model does not cover."""
    held = {snapshot.position[lot.security_id] for lot in lots}
    needed = sorted(held | {int(i) for i, weight in zip(model.positions, model.weight_frac, strict=True) if weight > 0})
    return next((snapshot.security_id[i] for i in needed if not snapshot.in_risk_model[i]), None)
