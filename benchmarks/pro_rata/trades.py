"""A decision by rule of three: the same fraction of some positions is sold, and the proceeds are spread evenly over other names.

The names sold are held at a gain and without a verdict, those bought are the model's, so that orders lets every proposal leave.
"""

from collections.abc import Sequence
from decimal import Decimal

from libs.common.money import CENT, ZERO, whole_shares_down
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import LotInstruction, ProposalCreated, ProposalDeclined, ProposedTrade, TaxEstimate
from libs.common.schemas.screen import ScreenUpdated
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot
from services.optimizer.core.propose import declined, pins_of, proposal_id_of

SIDES = 20  # names sold, and as many bought
SOLD_FRAC = Decimal("0.2")
KEPT_FOR_COST = Decimal("0.99")
NO_TAX = TaxEstimate(ZERO, ZERO, ZERO, ZERO, ZERO)


def needs_no_kernels() -> None:
    """What a worker does before the first account: nothing."""


def pro_rata(
    account: AccountChanged,
    screen: ScreenUpdated,
    ledger: LedgerUpdated,
    snapshot: Snapshot | Decline,
    run: RunOpened,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
) -> ProposalCreated | ProposalDeclined:
    """Sell a fifth of `SIDES` positions and buy `SIDES` names of the model with the proceeds."""
    pins = pins_of(account, screen, ledger, run, earlier)
    if isinstance(snapshot, Decline):
        return declined(account.account_id, account.household_id, run.run_id, pins, snapshot)
    touched = {verdict.security_id for verdict in screen.verdicts}
    own = next(each for each in ledger.accounts if each.account_id == account.account_id)
    sales = _sales(own, snapshot, touched)
    others = touched | {sale.security_id for sale in sales} | {trade.security_id for each in earlier for trade in _trades(each)}
    trades = [*sales, *_buys(account, snapshot, others, sum((sale.quantity * sale.price for sale in sales), ZERO))]
    cash = account.cash_settled + account.cash_unsettled
    return ProposalCreated(
        proposal_id=proposal_id_of(run.run_id, account.account_id, pins),
        run_id=run.run_id,
        account_id=account.account_id,
        household_id=account.household_id,
        pins=pins,
        approval=account.approval,
        account_value=cash,
        trades=trades,
        unmet=[],
        binding=[],
        te_before_frac=ZERO,
        te_after_frac=ZERO,
        tax=NO_TAX,
        cost=ZERO,
        cash_before=cash,
        cash_after=cash,
        solve_status="pro_rata",
    )


def _trades(decision: ProposalCreated | ProposalDeclined) -> Sequence[ProposedTrade]:
    return decision.trades if isinstance(decision, ProposalCreated) else ()


def _sales(own: LedgerAccount, snapshot: Snapshot, touched: set[str]) -> list[ProposedTrade]:
    """A fifth of each of the first positions whose lots are all at a gain beyond the collar, from their lots in order."""
    rows: dict[str, list[int]] = {}
    for row, security_id in enumerate(own.lots.security_id):
        if len(rows) == 2 * SIDES and security_id not in rows:
            break
        if security_id not in touched:
            rows.setdefault(security_id, []).append(row)
    sales = []
    for security_id, lots in rows.items():
        price = snapshot.price[snapshot.position[security_id]]
        quantities = [Decimal(own.lots.quantity[row]) for row in lots]
        bases = [Decimal(own.lots.tax_basis[row] or "Infinity") for row in lots]
        if len(sales) == SIDES or price is None or any(b > q * price * KEPT_FOR_COST**3 for b, q in zip(bases, quantities, strict=True)):
            continue
        left = wanted = max(Decimal(1), whole_shares_down(sum(quantities, ZERO) * SOLD_FRAC))
        taken = []
        for row, held in zip(lots, quantities, strict=True):
            part = min(left, held)
            if part:
                taken.append(LotInstruction(own.lots.lot_id[row], part, "long", ZERO))
                left -= part
        sales.append(ProposedTrade(security_id, "sell", wanted, price, "drift", taken, ZERO, ZERO))
    return sales


def _buys(account: AccountChanged, snapshot: Snapshot, others: set[str], proceeds: Decimal) -> list[ProposedTrade]:
    """The proceeds evenly over names of the model, in whole shares."""
    budget = (proceeds * KEPT_FOR_COST / SIDES).quantize(CENT)
    buys: list[ProposedTrade] = []
    for position in snapshot.models[account.strategy_id].positions:
        security_id, price = snapshot.security_id[position], snapshot.price[position]
        if security_id in others or price is None or whole_shares_down(budget / price) == 0:
            continue
        buys.append(ProposedTrade(security_id, "buy", whole_shares_down(budget / price), price, "drift", [], ZERO, ZERO))
        if len(buys) == SIDES:
            break
    return buys
