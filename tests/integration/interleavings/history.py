"""One history: two households through a few runs, with edits, fills, late fills, repeats, approvals and cut-offs in random order."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from msgspec.structs import replace

from libs.common.schemas.market import RunAccount, RunOpened
from libs.common.schemas.order import ExecutionReported
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import Verdict
from tests.integration.interleavings.desk import reports
from tests.integration.interleavings.household import Account, Household
from tests.integration.interleavings.market import NAMES, snapshot
from tests.integration.interleavings.proposals import propose
from tests.integration.interleavings.stage import Stage
from tests.unit.orders.samples import RUN, verdict
from tests.waiting import eventually

RUNS = 4
DEEDS = {
    "answer": 30,
    "desk": 25,
    "book": 5,
    "ledger": 5,
    "screen": 4,
    "edit": 2,
    "approve": 4,
    "wait": 10,
    "market": 0.6,
    "switch": 0.03,
    "replica": 0.1,
}


@dataclass(frozen=True)
class Barrier:
    """What the service is known to have taken before whatever it observes after number `n`."""

    n: int
    accounts: dict[str, int]
    screens: dict[str, int]
    ledgers: dict[str, int]
    market: int


@dataclass
class History:
    """Plays one history on the stage; its ids begin with its name."""

    name: str
    rng: Random
    stage: Stage
    households: list[Household] = field(default_factory=list)
    runs: dict[str, RunOpened] = field(default_factory=dict)
    proposals: dict[str, ProposalCreated] = field(default_factory=dict)
    executions: dict[str, list[ExecutionReported]] = field(default_factory=dict)
    undelivered: list[deque[ExecutionReported]] = field(default_factory=list)
    manual: list[str] = field(default_factory=list)
    barriers: list[Barrier] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def accounts(self) -> list[Account]:
        return [account for household in self.households for account in household.accounts]

    async def play(self) -> None:
        await self.begin()
        for number in range(RUNS):
            run = await self.open_run(f"{self.name}-R{number}")
            while (open_ones := self.unanswered(run)) or self.rng.random() < 0.8:
                await self.deed(run, open_ones)
            if self.rng.random() < 0.5:
                if self.rng.random() < 0.8:
                    await self.wait()
                await self.stage.post(f"/v1/runs/{run.run_id}/cutoff")
        await self.wind_up()

    async def begin(self) -> None:
        """Everything is known before the first run."""
        for letter, kinds in (("H", ("taxable", "taxable", "roth_ira")), ("I", ("taxable",))):
            household_id = f"{self.name}-{letter}"
            accounts = [Account(f"{household_id}{i}", household_id, kind) for i, kind in enumerate(kinds)]
            self.households.append(Household(household_id, accounts))
        for account in self.accounts:
            await self.stage.say(account.next_version())
            await self.edit_screen(account)
        for household in self.households:
            await self.stage.say(household.next_ledger())

    async def catch_up(self) -> None:
        """The book and the ledger learn of every trade that was said."""
        self.listen()
        for account in self.accounts:
            if len(account.known_trades()) > account.said[-1].trade_seq:
                await self.stage.say(account.next_version())
        for household in self.households:
            if [len(one.known_trades()) for one in household.accounts] != [held.trade_seq for held in household.ledgers[-1].accounts]:
                await self.stage.say(household.next_ledger())

    async def open_run(self, run_id: str) -> RunOpened:
        """A run on what is known; mostly the desk has done with the last one by then."""
        if self.rng.random() < 0.75:
            await self.wait()
            self.listen()
            while self.undelivered:
                await self.report()
        if self.rng.random() < 0.9:
            await self.wait()
            await self.heard()
            await self.catch_up()
        now = datetime.now(UTC)
        members = [
            RunAccount(one.account_id, one.household_id, one.said[-1].version, one.said[-1].trade_seq)
            for household in self.households
            for one in household.accounts
        ]
        market_id = self.stage.markets[-1].market_id
        run = replace(
            RUN,
            run_id=run_id,
            market_id=market_id,
            opened_at=now,
            cutoff_at=now + timedelta(days=1),
            accounts=members,
            files_received_at=now,
        )
        self.runs[run_id] = run
        self.answers = {}
        await self.stage.say(run)
        return run

    def unanswered(self, run: RunOpened) -> list[tuple[Household, Account]]:
        """The next account of each household that has not answered yet."""
        found = []
        for household in self.households:
            left = [account for account in household.in_order() if account.account_id not in self.answers]
            found += [(household, left[0])] if left else []
        return found

    async def deed(self, run: RunOpened, open_ones: list[tuple[Household, Account]]) -> None:
        """One random thing happens."""
        self.listen()
        what = self.rng.choices(list(DEEDS), list(DEEDS.values()))[0]
        match what:
            case "answer" if open_ones:
                await self.answer(run, *self.rng.choice(open_ones))
            case "desk":
                await self.report()
            case "book":
                account = self.rng.choice(self.accounts)
                if len(account.known_trades()) > account.said[-1].trade_seq:
                    await self.stage.say(account.next_version())
            case "ledger":
                household = self.rng.choice(self.households)
                booked = [(len(account.known_trades()), account.account_id) for account in household.accounts]
                if booked != [(held.trade_seq, held.account_id) for held in household.ledgers[-1].accounts]:
                    await self.stage.say(household.next_ledger())
            case "screen":
                await self.edit_screen(self.rng.choice(self.accounts))
            case "edit":
                await self.edit_account(self.rng.choice(self.accounts))
            case "approve" if self.manual:
                decision = "approve" if self.rng.random() < 0.8 else "reject"
                await self.stage.post(f"/v1/proposals/{self.manual.pop()}/{decision}", reason="drawn")
            case "wait":
                await self.wait()
            case "market" | "switch" | "replica":
                await self.weather(what)

    async def answer(self, run: RunOpened, household: Household, account: Account) -> None:
        """The optimizer's answer; now and then said twice, or a second one after it."""
        if self.rng.random() < 0.15:
            proposal_id = f"{run.run_id}-{account.account_id}-none"
            self.answers[account.account_id] = proposal_id
            household_id = household.household_id
            await self.stage.say(
                ProposalDeclined(proposal_id, run.run_id, account.account_id, household_id, None, "no_trade", "in_line", "", None, None, [])
            )
            return
        market = next(one for one in self.stage.markets if one.market_id == run.market_id)
        first = propose(self.rng, household, account, run, market, self.answers)
        self.answers[account.account_id] = first.proposal_id
        said = [first]
        if self.rng.random() < 0.1:
            second = propose(self.rng, household, account, run, market, self.answers)
            said.append(first if second.proposal_id == first.proposal_id else second)
        for one in said:
            self.proposals.setdefault(one.proposal_id, one)
            if one.approval == "manual":
                self.manual.append(one.proposal_id)
        await self.stage.say(*said)

    async def edit_screen(self, account: Account) -> None:
        """One or two names get another word."""
        words: list[Verdict] = []
        for name in self.rng.sample(NAMES, self.rng.randint(0, 2)):
            words.append(verdict(name, may_buy=self.rng.random() < 0.3, may_sell=self.rng.random() < 0.5))
        await self.stage.say(account.next_screen(words))

    async def edit_account(self, account: Account) -> None:
        """Cash comes or goes, or the account is taken out of trading."""
        if self.rng.random() < 0.8:
            account.extra_cash += self.rng.choice([-400, 250, 1000])
        else:
            account.do_not_trade = not account.do_not_trade
        await self.stage.say(account.next_version())

    async def weather(self, what: str) -> None:
        """What concerns every history: a new snapshot, the kill switch, a replica that comes and goes."""
        if what == "market":
            factors = {name: self.rng.choice(["1", "1", "1.005", "0.995", "1.03"]) for name in NAMES}
            blocked = self.rng.choice(NAMES) if self.rng.random() < 0.25 else None
            self.stage.markets.append(snapshot(f"{self.name}-M{len(self.stage.markets)}", factors, blocked))
            await self.stage.say(self.stage.markets[-1])
        elif what == "switch":
            await self.stage.post("/v1/kill-switch", on=True, reason="drill")
            await self.wait()
            await self.stage.post("/v1/kill-switch", on=False, reason="over")
        else:
            async with self.stage.replica():
                await self.wait()

    async def wait(self) -> None:
        """A barrier: all that was said until now is taken before whatever is observed later."""
        accounts = {account.account_id: len(account.said) for account in self.accounts}
        screens = {account.account_id: len(account.screens) for account in self.accounts}
        ledgers = {household.household_id: len(household.ledgers) for household in self.households}
        market = len(self.stage.markets) - 1
        await self.stage.taken()
        self.barriers.append(Barrier(await self.stage.last_observed(), accounts, screens, ledgers, market))

    def listen(self) -> None:
        """Hear of the history's orders, on which the desk goes to work, and of its trades."""
        self.stage.ear.listen()
        for order in self.stage.ear.orders_of[self.name]:
            if order.cl_ord_id not in self.executions:
                self.executions[order.cl_ord_id] = reports(self.rng, order)
                self.undelivered.append(deque(self.executions[order.cl_ord_id]))
        by_id = {account.account_id: account for account in self.accounts}
        for trade in self.stage.ear.trades_of[self.name]:
            by_id[trade.account_id].trades[trade.trade_seq] = trade

    async def report(self) -> None:
        """The desk's next report or two, on some order."""
        if self.undelivered:
            queue = self.rng.choice(self.undelivered)
            await self.stage.say(*(queue.popleft() for _ in range(min(len(queue), self.rng.randint(1, 2)))))
            self.undelivered = [left for left in self.undelivered if left]

    async def wind_up(self) -> None:
        """All runs close and the desk says all it has to say."""
        await self.stage.taken()
        for run_id in self.runs:
            await self.stage.post(f"/v1/runs/{run_id}/cutoff")
        while True:
            await self.heard()
            self.listen()
            if not self.undelivered:
                return
            while self.undelivered:
                await self.report()
            await self.stage.taken()

    async def heard(self) -> None:
        """Wait until all that was observed until now has been said."""
        until = [one for one in await self.stage.log() if one.what in ("placed", "booked")]
        ear = self.stage.ear

        def all_heard() -> bool:
            ear.listen()
            return all(one.id in (ear.placed if one.what == "placed" else ear.trades) for one in until)

        await eventually(all_heard, 60.0, "everything said")
