"""Guards of the backbone: marks, lanes, parked households, the outbox."""

from tests.guards.removal import Removal

BACKBONE = "tests/integration/test_backbone.py"
MARKS = "tests/integration/test_offset_marks.py"
PARKED = "tests/integration/test_backbone_parked.py"
CONSUMER = "libs/common/consumer.py"
OWNERSHIP = "libs/common/ownership.py"

OF_MARKS = (
    Removal(
        "compare-and-set on the offset",
        OWNERSHIP,
        "epoch = $3 AND next_offset = $4",
        "epoch = $3 AND next_offset >= least($4, 0)",
        (f"{MARKS}::test_what_the_mark_says_is_done_is_not_done_again",),
    ),
    Removal(
        "compare-and-set on the epoch",
        OWNERSHIP,
        "AND epoch = $3 AND",
        "AND epoch >= $3 AND",
        (f"{BACKBONE}::test_an_owner_whose_epoch_is_past_changes_nothing_and_joins_again",),
    ),
    Removal(
        "a new owner has a new epoch",
        OWNERSHIP,
        "SET epoch = c.epoch + 1 RETURNING",
        "SET epoch = c.epoch RETURNING",
        (f"{MARKS}::test_a_claim_fences_the_owner_before",),
    ),
    Removal(
        "records below the mark are skipped",
        CONSUMER,
        "[record for record in records if record.offset >= owned.read_to]",
        "list(records)",
        (f"{MARKS}::test_records_below_the_mark_are_skipped_when_they_come_again",),
    ),
    Removal(
        "the offsets belong to one cluster",
        OWNERSHIP,
        '    if row["cluster_id"] != cluster_id:',
        '    if row["cluster_id"] != cluster_id and False:',
        (f"{MARKS}::test_a_claim_of_another_clusters_offsets_is_refused",),
    ),
)

OF_LANES = (
    Removal(
        "the lane filter within a batch",
        "libs/common/arrivals.py",
        "                if number <= taken.seen.get(lane, seen.get(lane, 0)):",
        "                if number <= seen.get(lane, 0):",
        (f"{BACKBONE}::test_a_record_that_a_relay_sent_twice_is_dropped",),
    ),
    Removal(
        "the lane filter from batch to batch",
        CONSUMER,
        "            owned.seen.update(taken.seen)\n",
        "",
        (f"{MARKS}::test_a_relays_repetition_is_dropped_in_a_later_batch_and_after_a_restart",),
    ),
    Removal(
        "the lane filter over a restart",
        OWNERSHIP,
        '{each["lane"]: each["seq"] for each in seen})',
        "{})",
        (f"{MARKS}::test_a_relays_repetition_is_dropped_in_a_later_batch_and_after_a_restart",),
    ),
    Removal(
        "a word leaves the outbox when the bus has it",
        CONSUMER,
        "        await self._bus.publish(records)\n        owned.acknowledged = last",
        "        owned.acknowledged = last\n        await self._bus.publish(records)",
        (f"{MARKS}::test_a_word_leaves_the_outbox_only_when_the_bus_has_it",),
    ),
    Removal(
        "a new owner publishes what the last one left",
        CONSUMER,
        "                await publish_leftovers(self._pool, self._bus, owned.lane)\n",
        "",
        (f"{BACKBONE}::test_what_was_committed_and_not_published_is_published_at_the_next_start",),
    ),
    Removal(
        "one relay of a lane at a time",
        "libs/common/outbox.py",
        '            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtext($1))", f"relay {self.lane}"):',
        "            if False:",
        (f"{MARKS}::test_a_lane_has_one_relay_at_a_time",),
    ),
    Removal(
        "a lane is published in its order",
        "libs/common/outbox.py",
        "WHERE lane = $1 ORDER BY seq LIMIT $2",
        "WHERE lane = $1 ORDER BY seq DESC LIMIT $2",
        (f"{MARKS}::test_a_lane_is_published_in_the_order_of_its_numbers",),
    ),
)

OF_PARKED = (
    Removal(
        "what comes behind a parked household waits",
        "libs/common/parking.py",
        "            arrivals = [arrival for arrival in arrivals if arrival.event.partitionkey not in parked]\n",
        "            pass\n",
        (f"{PARKED}::test_a_redrive_lets_go_only_when_its_words_are_on_the_bus",),
    ),
    Removal(
        "later messages of a batch wait behind the one that failed",
        "libs/common/parking.py",
        "                parked.add(arrival.event.partitionkey)\n",
        "",
        (
            f"{MARKS}::test_what_a_message_did_before_it_failed_is_taken_back",
            f"{BACKBONE}::test_a_household_is_parked_in_order_and_redriven_while_others_go_on",
        ),
    ),
    Removal(
        "the savepoint of each message",
        "libs/common/parking.py",
        "                async with connection.transaction():\n                    emitted += await",
        "                if True:\n                    emitted += await",
        (f"{MARKS}::test_what_a_message_did_before_it_failed_is_taken_back",),
    ),
    Removal(
        "a batch waits for the redrive of a household",
        OWNERSHIP,
        "SELECT key FROM parked FOR SHARE",
        "SELECT key FROM parked",
        (f"{MARKS}::test_a_batch_waits_for_whoever_has_a_parked_household_in_hand",),
    ),
    Removal(
        "a redriven household is let go when its words are on the bus",
        "libs/common/parking.py",
        '        if await connection.fetchval("SELECT 1 FROM outbox WHERE lane = $1 AND seq <= $2 LIMIT 1", self._relay.lane, said_to):',
        "        if False:",
        (f"{PARKED}::test_a_redrive_lets_go_only_when_its_words_are_on_the_bus",),
    ),
    Removal(
        "what can't be read is set aside",
        "libs/common/arrivals.py",
        "            except Undecodable as error:",
        "            except ZeroDivisionError as error:",
        (f"{BACKBONE}::test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on",),
    ),
)

REMOVALS = (*OF_MARKS, *OF_LANES, *OF_PARKED)
