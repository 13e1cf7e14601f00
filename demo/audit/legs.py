"""A leg: one account's part of one order, with everything that it was decided on."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from demo.audit.evidence import Book, Evidence, Ledger, Prices
from demo.audit.tally import Tally
from libs.common.schemas.ledger import TaxLot
from libs.common.schemas.market import RunAccount, RunOpened
from libs.common.schemas.order import Allocation, OrderPlaced
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from libs.common.schemas.screen import Verdict

BPS = Decimal(10_000)


@dataclass(frozen=True)
class Leg:
    """`verdict` is None where no rule touches the security."""

    order: OrderPlaced
    allocation: Allocation
    run: RunOpened
    member: RunAccount
    book: Book
    ledger: Ledger
    verdict: Verdict | None
    prices: Prices
    proposal: ProposalCreated
    trade: ProposedTrade

    @property
    def order_id(self) -> str:
        return self.order.cl_ord_id

    @property
    def account_id(self) -> str:
        return self.allocation.alloc_account

    @property
    def security_id(self) -> str:
        return self.order.security_id

    @property
    def quantity(self) -> Decimal:
        """Shares with the fraction that follows as cash in lieu."""
        return self.allocation.alloc_qty + self.allocation.fraction

    @property
    def group(self) -> str:
        return self.prices.group.get(self.security_id, self.security_id)

    @property
    def taxable(self) -> bool:
        return self.book.state.account_type == "taxable"

    @property
    def is_buy(self) -> bool:
        return self.order.side == "buy"

    def named(self) -> str:
        """The leg in a few words, for a violation."""
        return f"{self.account_id} {self.order.side} {self.quantity} {self.security_id}"

    def layers(self, lot_id: str) -> list[TaxLot]:
        """The ledger's layers of a lot of the book."""
        return self.ledger.layers(self.book).get(lot_id, [])

    def may_be_loss(self) -> bool:
        """Whether a fill within the collar could realise a loss: a taxable sale with a layer of unknown or higher basis."""
        if self.is_buy or not self.taxable:
            return False
        least = self.order.reference_price * (1 - self.order.price_collar_bps / BPS)
        layers = [layer for lot in self.allocation.lots for layer in self.layers(lot.custodial_lot_id)]
        return any(layer.tax_basis is None or layer.tax_basis > layer.quantity * least for layer in layers)


def make_legs(evidence: Evidence, references: Tally) -> list[Leg]:
    """The legs of all orders; an allocation that rests on something the files do not have is a violation of `references`."""
    legs = []
    for order in evidence.orders:
        for allocation in order.allocations:
            leg = _leg(evidence, order, allocation)
            references.check(isinstance(leg, Leg), order.cl_ord_id, f"{allocation.alloc_account} {order.security_id}: {leg}")
            if isinstance(leg, Leg):
                legs.append(leg)
    return legs


def _leg(evidence: Evidence, order: OrderPlaced, allocation: Allocation) -> Leg | str:
    """The leg, or what is missing."""
    run = evidence.runs.get(order.run_id)
    member = evidence.run_accounts.get((order.run_id, allocation.alloc_account))
    if run is None or member is None:
        return f"run {order.run_id} is unknown or does not list the account"
    proposal = evidence.proposals.get(allocation.proposal_id)
    if proposal is None or (proposal.run_id, proposal.account_id) != (order.run_id, allocation.alloc_account):
        return f"no proposal {allocation.proposal_id} of this account in this run"
    trade = next((t for t in proposal.trades if (t.security_id, t.side) == (order.security_id, order.side)), None)
    if trade is None:
        return f"proposal {proposal.proposal_id} does not {order.side} it"
    book = evidence.books.get((allocation.alloc_account, member.account_version))
    ledger = evidence.ledgers.get((allocation.household_id, proposal.pins.ledger_version))
    verdicts = evidence.verdicts.get((allocation.alloc_account, proposal.pins.screen_version))
    prices = evidence.prices.get(run.market_id)
    if book is None or ledger is None or verdicts is None or prices is None:
        missing = {"account": book, "ledger": ledger, "screen": verdicts, "market": prices}
        return f"not in the files: {', '.join(name for name, found in missing.items() if found is None)} that it rests on"
    return Leg(order, allocation, run, member, book, ledger, verdicts.get(order.security_id), prices, proposal, trade)


def by_account_and_run(legs: Iterable[Leg]) -> dict[tuple[str, str], list[Leg]]:
    """The legs of each account in each run."""
    found: dict[tuple[str, str], list[Leg]] = defaultdict(list)
    for leg in legs:
        found[leg.account_id, leg.run.run_id].append(leg)
    return dict(found)
