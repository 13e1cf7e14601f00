"""File before the fill, after it, half reflected, corrected after it: the same final book, on the real service.

Random histories of trades and of files at the custodian's own pace, many accounts at once.  The trades since the last file and the next
file come on different topics and race each other, so each history is met in an order of its own.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.events import Record, make_event, to_record
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from libs.common.schemas.order import TradeBooked
from services.ingest.core.snapshot import Snapshot
from tests.integration.test_ingest_service import Stage, running
from tests.unit.ingest.book_samples import day, intake
from tests.unit.ingest.test_reconcile import OPENING, History
from tests.waiting import eventually

STORIES = 60
ACTS = ["trade", "trade", "trade", "correction", "file"]


@dataclass(frozen=True)
class Chapter:
    """What was traded since the last file, and the file that the custodian made then."""

    trades: list[TradeBooked]
    file: Snapshot


@dataclass(frozen=True)
class Story:
    """One account's chapters, and what they amount to."""

    chapters: list[Chapter]
    truth: Snapshot


@dataclass
class Told(History):
    """A history that keeps its chapters.

    In each lot shares come and go in one direction alone: what both comes and goes leaves no trace.
    """

    chapters: list[Chapter] = field(default_factory=lambda: [Chapter([], OPENING)])
    since: list[TradeBooked] = field(default_factory=list)

    def trade(self) -> None:
        self.late = True
        super().trade()
        self.late = False
        self.since.append(self.custodian.events[-1])

    def deliver(self) -> None:
        super().deliver()
        file = self.custodian.snapshot(day(self.today), self.sequence, self.pace[0], Decimal(self.pace[1]))
        self.chapters.append(Chapter(self.since, file))
        self.since = []


def stories() -> list[Story]:
    """Histories without splits (those come with the market), as the unit tests draw them."""
    found: list[Story] = []

    @settings(max_examples=STORIES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def draw(data: st.DataObject) -> None:
        history = Told(data, late=False)
        for act in data.draw(st.lists(st.sampled_from(ACTS), min_size=3, max_size=10)):
            if act == "trade":
                history.trade()
            else:
                history.file(new_date=act == "file")
        assume(not history.custodian.splits and history.custodian.events)
        history.today += 1
        history.sequence, history.pace = 1, (len(history.custodian.events), 0)
        history.deliver()
        found.append(Story(history.chapters, history.truth()))

    draw()
    return found


def message(snapshot: Snapshot, account_id: str) -> Record:
    """The file's word on the account, sent on its own day."""
    lots = [CustodyLot(one.lot_id, one.security_id, one.quantity, one.cost_basis, one.acquired) for one in snapshot.lots.rows()]
    holdings = CustodyHoldings(
        snapshot.custodian,
        account_id,
        snapshot.business_date,
        snapshot.sequence,
        snapshot.basis,
        snapshot.cash_settled,
        snapshot.cash_unsettled,
        lots,
    )
    sent_at = datetime.combine(snapshot.business_date, time(12), UTC)
    version = f"{snapshot.business_date}:{snapshot.sequence}"
    return to_record(make_event("custodian", holdings, account_id, version, account_id, sent_at, "c"))


async def test_whatever_the_order_of_files_and_fills_the_final_book_is_the_same(fresh_database: str) -> None:
    told = {f"A{number}": story for number, story in enumerate(stories())}
    assert len(told) > STORIES / 2
    async with running(fresh_database, market=False) as stage:
        await stage.master(*(intake(account_id, f"H-{account_id}") for account_id in told))
        for number in range(max(len(story.chapters) for story in told.values())):
            await race(stage, {account_id: story.chapters[number] for account_id, story in told.items() if number < len(story.chapters)})
        for account_id, story in told.items():
            book, truth = newest(stage, account_id), story.truth
            assert dict(zip(book.lots.lot_id, map(Decimal, book.lots.quantity), strict=True)) == truth.quantities(), account_id
            assert (book.cash_settled + book.cash_unsettled, any(book.lots.provisional)) == (truth.cash_settled, False), account_id
            assert (book.state, book.breaks) == ("open", []), account_id
        assert await stage.count("parked") == 0


async def race(stage: Stage, chapters: dict[str, Chapter]) -> None:
    """The trades of a chapter and its file, each on its topic: whichever is taken first; a later file of a date comes after them."""
    early = {account_id: chapter for account_id, chapter in chapters.items() if chapter.file.sequence > 1}
    for account_id, chapter in early.items():
        await stage.book(*(replace(one, account_id=account_id, household_id=f"H-{account_id}") for one in chapter.trades))
    if early:
        await all_taken(stage)
    for number, (account_id, chapter) in enumerate(chapters.items()):
        trades = [replace(one, account_id=account_id, household_id=f"H-{account_id}") for one in chapter.trades]
        if number % 2:
            await stage.book(*trades)
        await stage.bus.publish([message(chapter.file, account_id)])
        if not number % 2:
            await stage.book(*trades, *trades[:1])
    await all_taken(stage)


async def all_taken(stage: Stage) -> None:
    """Until every record is taken and every word is said."""

    async def done() -> bool:
        places = stage.bus.all_partitions(stage.service.subscription.topics)
        rows = await stage.service.pool.fetch("SELECT topic, partition, next_offset FROM consumed")
        marks = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        taken = all(marks.get((place.topic, place.partition), 0) >= stage.bus.end_offset(place) for place in places)
        return taken and await stage.count("outbox o WHERE seq > (SELECT pub_seq FROM lane l WHERE l.lane = o.lane)") == 0

    await eventually(done, 60.0, "all taken and said")


def newest(stage: Stage, account_id: str) -> AccountChanged:
    return max(stage.versions(account_id), key=lambda one: one.version)
