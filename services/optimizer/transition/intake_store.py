"""Analyses that were asked for, in PostgreSQL: the form, how far it is, the answer.  The client's name stays in this table."""

import asyncio
import re
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.common.db import Pool
from libs.common.packing import unpack
from libs.common.schemas.market import MarketPublished
from services.optimizer.transition.client_form import Form
from services.optimizer.transition.work import Answer

LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 2
AN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class State(StrEnum):
    """How far an analysis is; a closed list."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Transition(Struct, frozen=True):
    """One analysis: `form` holds no client's name; `market_id` None is the shipped market; `answer` once it is done."""

    transition_id: str
    client_name: str
    state: State
    step: str
    done_frac: float
    market_id: str | None
    form: Form
    answer: Answer | None
    plan_id: str | None
    joint_pending: bool


class Claimed(Struct, frozen=True):
    """An analysis to compute, and how often it was begun."""

    transition_id: str
    attempts: int
    market_id: str | None
    form: Form


async def newest_market(pool: Pool) -> str | None:
    """The market snapshot that analyses rest on; None before any was published."""
    found: str | None = await pool.fetchval("SELECT market_id FROM market ORDER BY arrival DESC LIMIT 1")
    return found


async def load_market(pool: Pool, market_id: str) -> MarketPublished | None:
    """A snapshot, while it is kept."""
    body = await pool.fetchval("SELECT body FROM market WHERE market_id = $1", market_id)
    return None if body is None else await asyncio.to_thread(_market, body)


def _market(body: bytes) -> MarketPublished:
    return msgspec.json.decode(unpack(body), type=MarketPublished)


async def add(pool: Pool, transition_id: str, form: Form, market_id: str | None, now: datetime) -> None:
    """Ask for an analysis."""
    await pool.execute(
        "INSERT INTO transition (transition_id, created_at, client_name, state, step, done_frac, attempts, market_id, form) "
        "VALUES ($1, $2, $3, $4, 'waiting for its turn', 0, 0, $5, $6)",
        transition_id,
        now,
        form.client_name,
        State.QUEUED,
        market_id,
        msgspec.json.encode(replace(form, client_name="")),
    )


async def load(pool: Pool, transition_id: str) -> Transition | None:
    """An analysis as it stands; None for what is no id at all, too."""
    if not AN_ID.fullmatch(transition_id):
        return None
    row = await pool.fetchrow("SELECT * FROM transition WHERE transition_id = $1", transition_id)
    if row is None:
        return None
    return Transition(
        transition_id=row["transition_id"],
        client_name=row["client_name"],
        state=State(row["state"]),
        step=row["step"],
        done_frac=row["done_frac"],
        market_id=row["market_id"],
        form=msgspec.json.decode(row["form"], type=Form),
        answer=None if row["answer"] is None else msgspec.json.decode(row["answer"], type=Answer),
        plan_id=row["plan_id"],
        joint_pending=row["joint_pending"],
    )


async def claim(pool: Pool, now: datetime) -> Claimed | None:
    """Take the oldest that waits, or one whose worker was not heard of for a while."""
    row = await pool.fetchrow(
        "UPDATE transition SET state = 'running', attempts = attempts + 1, claimed_until = $1 WHERE transition_id = ("
        "SELECT transition_id FROM transition WHERE state = 'queued' OR (state = 'running' AND claimed_until < $2) "
        "ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING transition_id, attempts, market_id, form",
        now + LEASE,
        now,
    )
    if row is None:
        return None
    return Claimed(row["transition_id"], row["attempts"], row["market_id"], msgspec.json.decode(row["form"], type=Form))


async def say_progress(pool: Pool, transition_id: str, step: str, done_frac: float, now: datetime) -> None:
    """Tell how far it is, and that somebody works on it."""
    await pool.execute(
        "UPDATE transition SET step = $2, done_frac = $3, claimed_until = $4 WHERE transition_id = $1 AND state = 'running'",
        transition_id,
        step,
        done_frac,
        now + LEASE,
    )


async def give_back(pool: Pool, transition_id: str) -> None:
    """Let it be tried again."""
    await pool.execute("UPDATE transition SET state = 'queued', claimed_until = NULL WHERE transition_id = $1", transition_id)


async def finish(pool: Pool, transition_id: str, state: State, step: str, answer: Answer | None) -> None:
    """It is done, or can't be."""
    await pool.execute(
        "UPDATE transition SET state = $2, step = $3, done_frac = 1, claimed_until = NULL, answer = $4, joint_pending = $5 "
        "WHERE transition_id = $1",
        transition_id,
        state,
        step,
        None if answer is None else msgspec.json.encode(answer),
        answer is not None and any(each.joint == "pending" for each in answer.analyses),
    )


async def next_joint(pool: Pool) -> str | None:
    """The oldest analysis whose proof over several years at once is still to come."""
    found: str | None = await pool.fetchval("SELECT transition_id FROM transition WHERE joint_pending ORDER BY created_at LIMIT 1")
    return found


async def improve(pool: Pool, transition_id: str, answer: Answer) -> None:
    """The joint proofs have come, or can't."""
    await pool.execute(
        "UPDATE transition SET answer = $2, joint_pending = false WHERE transition_id = $1", transition_id, msgspec.json.encode(answer)
    )


async def note_plan(pool: Pool, transition_id: str, plan_id: str) -> None:
    """Which plan was chosen of it."""
    await pool.execute("UPDATE transition SET plan_id = $2 WHERE transition_id = $1", transition_id, plan_id)
