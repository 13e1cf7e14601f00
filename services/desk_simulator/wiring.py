"""The simulated desk on a bus: reads orders from the beginning, answers each, keeps only the orders that rest.

It stores no offset.  After a restart it says the same executions with the same ids again, and orders drops them as seen.
"""

from collections.abc import Sequence

from libs.common import topics
from libs.common.bus import Bus, Consumer, Received, TopicPartition
from libs.common.consumer import back_off
from libs.common.errors import Undecodable
from libs.common.events import Event, Record, from_record, make_event, payload_of, to_record
from libs.common.observe import log
from libs.common.schemas.order import ExecutionReported, OrderCancelled, OrderPlaced
from services.desk_simulator.core import Behaviour, Proportions, behaviour_of, decide, decide_cancel

SOURCE = "desk-simulator"
BATCH_RECORDS = 500
POLL_S = 0.5


class Desk:
    """Takes orders and cancels, publishes executions."""

    def __init__(self, bus: Bus, proportions: Proportions) -> None:
        self._bus = bus
        self._proportions = proportions
        self._resting: dict[str, OrderPlaced] = {}

    async def run(self) -> None:
        """Trade until cancelled; while the bus is down, wait and start again."""
        await back_off(self._trade)

    async def _trade(self) -> None:
        consumer = self._bus.consumer("pma-desk-simulator", [topics.ORDERS])

        async def on_assigned(partitions: set[TopicPartition]) -> None:
            for partition in partitions:
                consumer.seek(partition, 0)

        async def on_revoked(_: set[TopicPartition]) -> None:
            """Nothing is kept by partition."""

        try:  # from the start on: a member cut off while it joins would keep its partitions from the next one
            await consumer.start(on_assigned, on_revoked)
            while True:
                await self._answer_batch(consumer)
        finally:
            await consumer.stop()

    async def _answer_batch(self, consumer: Consumer) -> None:
        batches = await consumer.poll(BATCH_RECORDS, POLL_S)
        answers = [answer for records in batches.values() for record in records for answer in self._answer(record)]
        if answers:
            await self._bus.publish(answers)

    def _answer(self, record: Received) -> Sequence[Record]:
        """The executions that a message leads to; what can't be read is noted and passed over."""
        try:
            event = from_record(record.key, record.value, record.headers)
            reports = self.decide(event)
        except Undecodable as error:
            log().error("unreadable_order", partition=record.partition, offset=record.offset, reason=str(error))
            return []
        return [to_record(execution_event(report, event)) for report in reports]

    def decide(self, event: Event) -> list[ExecutionReported]:
        """What the desk reports on an order or a request to cancel; nothing on what orders says about ended ones."""
        if event.type == "pma.order.placed":
            order = payload_of(event, OrderPlaced)
            if behaviour_of(order, self._proportions) is Behaviour.RESTING:
                self._resting[order.cl_ord_id] = order
            return decide(order, self._proportions)
        if event.type == "pma.order.cancelled":
            cancel = payload_of(event, OrderCancelled)
            rested = self._resting.pop(cancel.cl_ord_id, None)
            return [] if rested is None else decide_cancel(rested, self._proportions, cancel.reason)
        return []


def execution_event(report: ExecutionReported, cause: Event) -> Event:
    """The event of one execution; its id follows from the execution's."""
    return make_event(
        SOURCE,
        report,
        report.cl_ord_id,
        report.exec_id,
        report.cl_ord_id,
        report.transact_time,
        cause.correlationid,
        cause.id,
        cause.traceparent,
    )


def build(bus: Bus, proportions: Proportions | None = None) -> Desk:
    """The desk; nothing connects before it runs."""
    return Desk(bus, proportions or Proportions())
