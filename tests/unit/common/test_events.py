"""Events as Kafka messages: headers, ids, compression, and what can't be read."""

from datetime import UTC, date, datetime

import pytest

from libs.common.errors import Undecodable
from libs.common.events import COMPRESS_ABOVE_BYTES, EVENT_TYPES, Header, from_record, make_event, payload_of, to_record
from libs.common.schemas.account import AccountMoved
from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from libs.common.schemas.market import RunAccount, RunOpened
from libs.common.topics import TOPICS
from tests.unit.ingest.book_samples import D

NOW = datetime(2025, 12, 15, 11, 30, tzinfo=UTC)
MOVED = AccountMoved("A1", "H1", "H2", 7)
RUN = RunOpened("R1", date(2025, 12, 15), "M1", NOW, NOW, 200, [RunAccount(f"A{n}", "H1", 1, 0) for n in range(500)])
HOLDINGS = CustodyHoldings(
    "north", "A1", date(2025, 12, 15), 1, "trade_date", D(1), D(0), [CustodyLot(f"L{n}", "AAA", D(1)) for n in range(500)]
)


def headers_of(event_time: str = NOW.isoformat()) -> dict[str, bytes]:
    event = make_event("ingest", MOVED, "A1", 7, "H1", NOW, "c1", "cause", "00-trace-01")
    return {**dict(to_record(event).headers), "ce_time": event_time.encode()}


def test_an_event_comes_back_as_it_went() -> None:
    event = make_event("ingest", MOVED, "A1", 7, "H1", NOW, "c1", "cause", "00-trace-01")
    record = to_record(event)
    assert from_record(record.key, record.value, record.headers) == event
    assert payload_of(event, AccountMoved) == MOVED
    assert (record.topic, record.key, record.value) == ("pma.accounts.v1", b"H1", event.data)


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    assert headers_of() == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": make_event("ingest", MOVED, "A1", 7, "H1", NOW, "other").id.encode(),
        "ce_source": b"ingest",
        "ce_type": b"pma.account.moved",
        "ce_subject": b"A1",
        "ce_time": b"2025-12-15T11:30:00+00:00",
        "ce_recordedat": b"2025-12-15T11:30:00+00:00",
        "ce_partitionkey": b"H1",
        "ce_correlationid": b"c1",
        "ce_dataversion": b"1",
        "ce_causationid": b"cause",
        "ce_traceparent": b"00-trace-01",
    }


def test_the_id_is_a_function_of_source_type_subject_and_version() -> None:
    def id_of(source: str = "ingest", subject: str = "A1", version: int = 7) -> str:
        return make_event(source, MOVED, subject, version, "H9", NOW.replace(hour=12), "c9").id

    assert id_of() == make_event("ingest", MOVED, "A1", 7, "H1", NOW, "c1").id
    assert len({id_of(), id_of(source="orders"), id_of(subject="A2"), id_of(version=8)}) == 4


def test_large_internal_payloads_are_compressed_and_those_for_others_stay_plain() -> None:
    internal, public = (make_event("x", payload, "s", 1, "k", NOW, "c") for payload in (RUN, HOLDINGS))
    assert len(public.data) > COMPRESS_ABOVE_BYTES
    assert dict(to_record(internal).headers)["content-encoding"] == b"zstd"
    assert "content-encoding" not in dict(to_record(public).headers)
    for event, payload in ((internal, RUN), (public, HOLDINGS)):
        record = to_record(event)
        assert payload_of(from_record(record.key, record.value, record.headers), type(payload)) == payload


def test_members_that_this_version_does_not_know_are_passed_over() -> None:
    record = to_record(make_event("ingest", MOVED, "A1", 7, "H1", NOW, "c1"))
    event = from_record(record.key, record.value.replace(b"{", b'{"new": 1, ', 1), record.headers)
    assert payload_of(event, AccountMoved) == MOVED


UNREADABLE: list[tuple[str, dict[str, bytes | None], str]] = [
    ("no headers", dict.fromkeys(headers_of()), "ce_id, ce_source, ce_type, ce_subject, ce_time missing"),
    ("no type", {"ce_type": None}, "header ce_type missing: publish CloudEvents 1.0 in binary mode"),
    ("a type of others", {"ce_type": b"other.thing"}, "'other.thing' is not a type of this platform"),
    ("a newer version", {"ce_dataversion": b"2"}, "ce_dataversion: 2 is not 1"),
    ("a time that is none", {"ce_time": b"noon"}, "header ce_time"),
]


@pytest.mark.parametrize(("changed", "said"), [c[1:] for c in UNREADABLE], ids=[c[0] for c in UNREADABLE])
def test_headers_that_can_not_be_read_are_named(changed: dict[str, bytes | None], said: str) -> None:
    headers: list[Header] = [(name, value) for name, value in {**headers_of(), **changed}.items() if value is not None]
    with pytest.raises(Undecodable, match=said):
        from_record(b"H1", b"{}", headers)


def test_a_header_without_a_value_is_as_good_as_none() -> None:
    headers = [*headers_of().items(), ("x-other", None)]
    assert from_record(b"H1", b"{}", headers).subject == "A1"  # type: ignore[arg-type]  # what a foreign producer may send


def test_without_key_or_correlation_the_message_stands_for_itself() -> None:
    needed = ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_time")
    event = from_record(b"H1", b"{}", [(name, value) for name, value in headers_of().items() if name in needed])
    assert (event.partitionkey, event.correlationid, event.causationid, event.compressed) == ("H1", event.id, None, False)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "pma.account.moved .*"),
        (b"{", "truncated"),
        (b'{"account_id": 7}', "Expected `str`, got `int` - at `\\$.account_id`"),
        (b'{"account_id": "A1"}', "missing required field"),
    ],
)
def test_a_payload_that_can_not_be_read_is_named(value: bytes, said: str) -> None:
    event = from_record(b"H1", value, list(headers_of().items()))
    with pytest.raises(Undecodable, match=said):
        payload_of(event, AccountMoved)


def test_bytes_that_only_claim_to_be_compressed_are_unreadable() -> None:
    event = from_record(b"H1", b"{}", [*headers_of().items(), ("content-encoding", b"zstd")])
    with pytest.raises(Undecodable):
        payload_of(event, AccountMoved)


def test_every_type_has_a_topic_that_is_made_and_a_payload_of_its_own() -> None:
    made = {topic.name for topic in TOPICS}
    assert all(event_type.topic in made for event_type in EVENT_TYPES.values())
    assert len({event_type.payload for event_type in EVENT_TYPES.values()}) == len(EVENT_TYPES)
