"""What a worker process does for an analysis: forms in, analyses out, all as bytes; how far it is goes to a file that the service reads."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from libs.common.schemas.market import MarketPublished
from services.optimizer.core.transition.result import Analysis
from services.optimizer.transition.analyse_form import analysed, cases_of
from services.optimizer.transition.case import Judged
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.client_form import Form
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import SHIPPED, TransitionMarket, read_market
from services.optimizer.transition.published_market import catalogue_of, published_market


class Work(Struct, frozen=True):
    """A form to analyse on a published market, or on the shipped one; `progress` is the file to tell progress in."""

    form: Form
    market: MarketPublished | None
    progress: str


class Answer(Struct, frozen=True):
    """The analyses of a form, the first the one that was asked for, and every field that is marked."""

    analyses: list[Analysis]
    faults: list[FieldFault]


class Step(Struct, frozen=True):
    """How far an analysis is."""

    words: str
    done_frac: float


def market_and_catalogue(published: MarketPublished | None) -> tuple[TransitionMarket, Catalogue] | list[FieldFault]:
    """What a form is judged on."""
    catalogue = read_catalogue()
    market = read_market(SHIPPED) if published is None else published_market(published)
    if isinstance(catalogue, FieldFault) or isinstance(market, FieldFault):
        return [each for each in (catalogue, market) if isinstance(each, FieldFault)]
    return market, catalogue if published is None else catalogue_of(catalogue, market)


def judge(form: Form, published: MarketPublished | None) -> tuple[list[Judged], list[FieldFault]]:
    """The cases of a form and every field that is marked: no case where all strategies are in the way."""
    found = market_and_catalogue(published)
    if isinstance(found, list):
        return [], found
    asked = cases_of(form, *found)
    return asked.judged, plain_faults(asked.faults)


def analyse_work(raw: bytes) -> bytes:
    """In the worker: the answer to a `Work`."""
    from services.optimizer.core.transition.analysis import analyse  # noqa: PLC0415 (compiles kernels: only in the worker)

    work = msgspec.json.decode(raw, type=Work)
    found = market_and_catalogue(work.market)
    if isinstance(found, list):
        return msgspec.json.encode(Answer([], found))
    asked = cases_of(work.form, *found)
    count = max(1, len(asked.judged))
    tell = [_part(Path(work.progress), n, count, each.case.strategy_label) for n, each in enumerate(asked.judged)]
    analyses = [analysed(each, found[0], analyse, told) for each, told in zip(asked.judged, tell, strict=True)]
    return msgspec.json.encode(Answer(analyses, plain_faults(asked.faults)))


def joint_work(raw: bytes, answer: bytes) -> bytes:
    """In the worker: the answer to a `Work` with the proofs of its plans over years."""
    from services.optimizer.core.transition.joint_update import joint_update  # noqa: PLC0415 (compiles kernels: only in the worker)

    work, known = msgspec.json.decode(raw, type=Work), msgspec.json.decode(answer, type=Answer)
    judged, _ = judge(work.form, work.market)
    cases = {each.case.strategy_id: each.case for each in judged}
    analyses = [joint_update(cases[each.strategy_id], each) if each.joint == "pending" else each for each in known.analyses]
    return msgspec.json.encode(Answer(analyses, known.faults))


def plain_faults(faults: Sequence[FieldFault]) -> list[FieldFault]:
    """The faults with texts that can be encoded: a reader's message may be a kind of its own."""
    return [FieldFault(each.line, each.field, str(each.message), str(each.remedy)) for each in faults]


def read_step(file: Path) -> Step | None:
    """What the worker said last; None before it said anything."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Step)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _part(file: Path, number: int, count: int, label: str) -> Callable[[str, float], None]:
    """Tells the progress of one analysis of several."""

    def tell(words: str, done_frac: float) -> None:
        said = f"{label}: {words}" if count > 1 else words
        beside = file.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(Step(said, (number + done_frac) / count)))
        beside.replace(file)

    return tell
