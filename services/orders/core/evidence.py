"""What orders knows when it judges a proposal: the events' own structs, indexed where a rule looks things up.

Everything may be missing: orders can see a proposal before it sees what the proposal rests on, and then waits.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from libs.common.schemas.account import AccountChanged, AccountType, Lot
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLot
from libs.common.schemas.market import RunAccount, RunOpened, SecurityColumns
from libs.common.schemas.proposal import ProposalCreated, Side
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.orders.core.reservations import Reservation

BlockKey = tuple[str, Side]


class Quote(Struct, frozen=True):
    """One security in a snapshot; `price` in dollars a share, `blocked` the reason for which nothing may trade in it."""

    price: Decimal | None
    half_spread_bps: Decimal
    blocked: str | None
    identity_group: str


class Quotes(Struct, frozen=True):
    """A market snapshot, by security."""

    market_id: str
    as_of: date
    by_security: dict[str, Quote]

    def group_of(self, security_id: str) -> str:
        """The security's identity group; one that the snapshot lacks is a group by itself."""
        quote = self.by_security.get(security_id)
        return security_id if quote is None else quote.identity_group


def bps_from_float_exact(value: float) -> Decimal:
    """Cross out of the snapshot's float64: the shortest decimal that names the same number, no rounding."""
    return Decimal(repr(value))


def quotes_of(market_id: str, as_of: date, columns: SecurityColumns) -> Quotes:
    """Index a snapshot's securities."""
    quotes = {
        security_id: Quote(None if price is None else Decimal(price), bps_from_float_exact(spread), blocked, group)
        for security_id, price, spread, blocked, group in zip(
            columns.security_id, columns.price, columns.half_spread_bps, columns.blocked, columns.identity_group, strict=True
        )
    }
    return Quotes(market_id, as_of, quotes)


class RunFacts(Struct, frozen=True):
    """A run with its accounts indexed, by id and by household; `closed` once its blocks are placed."""

    run: RunOpened
    accounts: dict[str, RunAccount]
    households: dict[str, list[RunAccount]]
    closed: bool


def run_facts(run: RunOpened, closed: bool) -> RunFacts:
    """Index a run's accounts."""
    households: dict[str, list[RunAccount]] = {}
    for account in run.accounts:
        households.setdefault(account.household_id, []).append(account)
    return RunFacts(run, {account.account_id: account for account in run.accounts}, households, closed)


class HouseholdFacts(Struct, frozen=True):
    """What the household's row lock guards.

    `answers` maps each account to the id of its proposal or decline in this run; `booked_seq` to the last trade that orders
    booked for it.
    """

    reservations: list[Reservation]
    account_types: dict[str, AccountType]
    answers: dict[str, str]
    booked_seq: dict[str, int]


class Evidence(Struct, frozen=True):
    """All that is known of one proposal's surroundings.  `open_orders` counts the account's; `blocks` are the run's so far.

    `quotes` is the newest snapshot, `run_market_seen` whether the run's own has arrived.  `solver_version` is that of the solver that
    began last to decide in the run (None before the first).
    `prior_proposal_id` is an answer of the same account and run that was recorded before this proposal (None when none, or
    when this very proposal is judged again).
    """

    kill_switch: bool
    run: RunFacts | None
    account: AccountChanged | None
    screen: ScreenUpdated | None
    ledger: LedgerUpdated | None
    quotes: Quotes | None
    run_market_seen: bool
    household: HouseholdFacts
    open_orders: int
    blocks: Collection[BlockKey]
    prior_proposal_id: str | None
    solver_version: str | None = None


class Policy(Struct, frozen=True):
    """The house's own limits.  `fee_per_share` in dollars; `weight_tolerance_frac` allows for whole shares in weight bounds."""

    max_orders_per_run: int
    weight_tolerance_frac: Decimal
    fee_per_share: Decimal


class Case(Struct, frozen=True):
    """A proposal with everything it rests on present, and its account's lots at hand."""

    proposal: ProposalCreated
    run: RunFacts
    account: AccountChanged
    screen: ScreenUpdated
    ledger: LedgerUpdated
    ledger_account: LedgerAccount | None
    quotes: Quotes
    household: HouseholdFacts
    open_orders: int
    blocks: Collection[BlockKey]
    policy: Policy
    lots: dict[str, Lot]
    tax_lots: dict[str, list[TaxLot]]
    verdicts: dict[str, Verdict]

    def position(self, security_id: str) -> Decimal:
        """Shares of a security that the account holds."""
        return sum((lot.quantity for lot in self.lots.values() if lot.security_id == security_id), Decimal(0))


def lots_in(account: AccountChanged, securities: Collection[str]) -> Iterator[Lot]:
    """The account's lots in `securities`; only those rows are converted, since an account may hold thousands."""
    columns = account.lots
    for i, security_id in enumerate(columns.security_id):
        if security_id in securities:
            basis, acquired = columns.cost_basis[i], columns.acquired[i]
            yield Lot(
                columns.lot_id[i],
                security_id,
                Decimal(columns.quantity[i]),
                None if basis is None else Decimal(basis),
                None if acquired is None else date.fromisoformat(acquired),
                columns.provisional[i],
            )


def tax_lots_in(account: LedgerAccount | None, securities: Collection[str]) -> dict[str, list[TaxLot]]:
    """The ledger's layers by lot, in `securities`; only those rows are converted."""
    layers: dict[str, list[TaxLot]] = {}
    if account is None:
        return layers
    columns = account.lots
    for i, security_id in enumerate(columns.security_id):
        if security_id in securities:
            basis, acquired, start = columns.tax_basis[i], columns.acquired[i], columns.holding_period_start[i]
            layer = TaxLot(
                columns.lot_id[i],
                security_id,
                Decimal(columns.quantity[i]),
                None if basis is None else Decimal(basis),
                None if acquired is None else date.fromisoformat(acquired),
                None if start is None else date.fromisoformat(start),
            )
            layers.setdefault(layer.lot_id, []).append(layer)
    return layers


def household_order(run: RunFacts, household_id: str, account_types: Mapping[str, AccountType]) -> list[str]:
    """The run's included accounts of a household in the order in which they are solved: taxable first, then by account id."""
    members = [a.account_id for a in run.households.get(household_id, []) if a.excluded is None]
    return sorted(members, key=lambda account_id: (account_types[account_id] != "taxable", account_id))
