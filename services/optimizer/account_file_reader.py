"""Reads an account file and checks that it fits together; what is wrong is said with its line, its member and a remedy."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from services.optimizer.account_file import AccountFile, Fault
from services.optimizer.account_file_settings import faults_of_settings
from services.optimizer.core.inputs import MOST_USD
from services.optimizer.core.market import BPS, MOST_EXPOSURE, MOST_PRICE, MOST_VARIANCE

PLACE = re.compile(r"(.*) - at `\$?(.*?)`$", re.DOTALL)
BYTE = re.compile(r"\(byte (\d+)\)")
STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
WEIGHT_SUM_TOLERANCE = Decimal("1e-6")
MOST_SHARES = Decimal(10) ** 12
DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class FileFault:
    """What is wrong, where, and what to do: line 0 where there is none to name."""

    line: int
    field: str
    problem: str
    remedy: str


def read_account_file(path: Path) -> AccountFile | FileFault:
    """The document, or the first thing that is wrong with it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return FileFault(0, "", f"can't be read: {error}", "Give the path of a JSON document in UTF-8")
    try:
        json.loads(text)
        document = msgspec.json.decode(text, type=AccountFile)
    except json.JSONDecodeError as error:
        return FileFault(
            error.lineno, "", f"is no JSON: {error.msg}", "Close what is open, quote members, leave no comma at the end of a list"
        )
    except msgspec.ValidationError as error:
        found = PLACE.match(str(error))
        problem, place = found.groups() if found else (str(error), "")
        return FileFault(line_of(text, place), place.lstrip("."), problem, "See docs/file-formats.md for the members and their form")
    except msgspec.DecodeError as error:
        at = BYTE.search(str(error))
        line = text.encode().count(b"\n", 0, int(at.group(1))) + 1 if at else 0
        return FileFault(line, "", f"is no JSON: {error}", "Write numbers as digits: NaN and Infinity are none")
    fault = next(_faults(document), None)
    return document if fault is None else FileFault(line_of(text, fault.field), fault.field, fault.problem, fault.remedy)


def line_of(text: str, place: str) -> int:
    """The line of a member such as lots[2].quantity; of the last part of the way that is there."""
    at = _skipped(text, 0)
    for step in STEP.finditer(place):
        name, index = step.groups()
        found = _member(text, at, name) if name else _item(text, at, index)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, name: str) -> int | None:
    """Where the value of this member begins."""
    at = _skipped(text, at + 1)
    while text[at] == '"':
        key, at = DECODER.raw_decode(text, at)
        at = _skipped(text, _skipped(text, at) + 1)
        if key == name:
            return at
        at = _after(text, at)
    return None


def _item(text: str, at: int, index: str) -> int | None:
    """Where this item of a list begins; the list itself where the item is not numbered."""
    if not index.isdigit():
        return None
    at = _skipped(text, at + 1)
    for _ in range(int(index)):
        at = _after(text, at)
    return at


def _after(text: str, at: int) -> int:
    """Past the value at `at`, and a comma."""
    _, end = DECODER.raw_decode(text, at)
    end = _skipped(text, end)
    return _skipped(text, end + 1) if text[end] == "," else end


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _faults(document: AccountFile) -> Iterator[Fault]:
    """Whatever does not fit together, in the order of the document's parts."""
    known = {each.security_id for each in document.securities}
    yield from _of_numbers(document)
    yield from _of_securities(document)
    yield from _of_lots(document, known)
    yield from _of_cash(document)
    yield from _of_rules(document, known)
    yield from _of_taxes(document)
    yield from faults_of_settings(document)


def _of_numbers(document: AccountFile) -> Iterator[Fault]:
    for name in ("cash", "cash_unsettled", "raise_cash", "invest_cash", "cash_target", "risk_aversion", "min_trade"):
        value = getattr(document, name)
        if value is not None and not (value.is_finite() and abs(value) <= MOST_USD):
            yield Fault(name, f"{value} is no number" if not value.is_finite() else f"{value} is no account's", "Write it as 1234.56")


def _of_securities(document: AccountFile) -> Iterator[Fault]:
    seen: set[str] = set()
    for n, each in enumerate(document.securities):
        place = f"securities[{n}]"
        if not each.security_id:
            yield Fault(f"{place}.security_id", "is empty", "Give each security its name")
        if each.security_id in seen:
            yield Fault(f"{place}.security_id", f"{each.security_id} comes twice", "Give each security once")
        seen.add(each.security_id)
        if not (each.price.is_finite() and 0 < each.price <= MOST_PRICE):
            yield Fault(f"{place}.price", f"the price of {each.security_id} is {each.price}", "Give dollars a share, above zero")
        if not (each.target_frac.is_finite() and each.target_frac >= 0):
            yield Fault(f"{place}.target_frac", f"the target of {each.security_id} is {each.target_frac}", "Give a fraction, 0 for none")
        if len(each.exposures) != len(document.factors):
            said = f"{each.security_id} has {len(each.exposures)} exposures for {len(document.factors)} factors"
            yield Fault(f"{place}.exposures", said, "Give one number for each of `factors`")
        if max(map(abs, each.exposures), default=0.0) > MOST_EXPOSURE:
            said = f"{each.security_id} has an exposure of {max(each.exposures, key=abs)}"
            yield Fault(f"{place}.exposures", said, "Give yearly volatilities: 0.16 is sixteen of a hundred")
        if not 0 <= each.half_spread_bps < BPS:
            said = f"half the spread of {each.security_id} is {each.half_spread_bps} basis points"
            yield Fault(f"{place}.half_spread_bps", said, "Give half of what lies between bid and offer, from 0 to below 10000")
        if not each.adv_usd > 0:
            yield Fault(
                f"{place}.adv_usd", f"{each.security_id} trades {each.adv_usd} dollars a day", "Give dollars a day, or leave it out"
            )
        if not 0 < each.specific_var_ann <= MOST_VARIANCE:
            said = f"the specific variance of {each.security_id} is {each.specific_var_ann}"
            yield Fault(f"{place}.specific_var_ann", said, "Give a yearly variance above zero: 0.04 is a volatility of a fifth")
    total = sum((each.target_frac for each in document.securities), Decimal(0))
    if abs(total - 1) > WEIGHT_SUM_TOLERANCE:
        yield Fault("securities", f"target weights sum to {total}", "Let the target_frac of all securities sum to 1")


def _of_lots(document: AccountFile, known: set[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for n, lot in enumerate(document.lots):
        place = f"lots[{n}]"
        if lot.security_id not in known:
            yield Fault(
                f"{place}.security_id", f"{lot.security_id} is not among the securities", "Give its price and its row of the risk model"
            )
        if lot.lot_id in seen:
            yield Fault(f"{place}.lot_id", f"{lot.lot_id} comes twice", "Give each lot its own id")
        seen.add(lot.lot_id)
        if not (lot.quantity.is_finite() and 0 < lot.quantity <= MOST_SHARES):
            yield Fault(f"{place}.quantity", f"lot {lot.lot_id} has {lot.quantity} shares", "Give shares above zero")
        if lot.tax_basis is not None and not (lot.tax_basis.is_finite() and 0 <= lot.tax_basis <= MOST_USD):
            yield Fault(f"{place}.tax_basis", f"the basis of lot {lot.lot_id} is {lot.tax_basis}", "Give dollars of the whole lot, or null")
        if lot.acquired is not None and lot.acquired > document.as_of:
            yield Fault(f"{place}.acquired", f"lot {lot.lot_id} was acquired after {document.as_of}", "Give lots that are held")
        if lot.held_since is not None and lot.held_since > document.as_of:
            yield Fault(
                f"{place}.held_since", f"lot {lot.lot_id} is held since after {document.as_of}", "Give the day its holding period began"
            )


def _of_cash(document: AccountFile) -> Iterator[Fault]:
    given = [name for name in ("raise_cash", "invest_cash", "cash_target") if getattr(document, name) is not None]
    if len(given) > 1:
        yield Fault(given[1], f"{' and '.join(given)} are given together", "Give one of them")
    amount = getattr(document, given[0]) if given else Decimal(0)
    before = document.cash + document.cash_unsettled
    if amount < 0 or (document.invest_cash is not None and amount > before):
        yield Fault(given[0], f"{amount} is negative, or more than the cash of {before}", "Give dollars")
    if document.raise_cash is not None and before + amount < 0:
        yield Fault("raise_cash", f"{amount} leaves the cash of {before} below zero", "Raise as much as is overdrawn, or leave it out")


def _of_rules(document: AccountFile, known: set[str]) -> Iterator[Fault]:
    names = {
        "security": known,
        "sector": {each.sector for each in document.securities},
        "industry": {each.industry for each in document.securities},
    }
    for n, rule in enumerate(document.rules):
        if rule.target not in names[rule.by]:
            yield Fault(f"rules[{n}].target", f"no {rule.by} is called {rule.target!r}", "Spell it as among the securities")
        limit = rule.limit_frac
        if (rule.kind == "max_weight") != (limit is not None) or (limit is not None and not (limit.is_finite() and 0 <= limit <= 1)):
            yield Fault(f"rules[{n}].limit_frac", f"{limit} does not fit {rule.kind}", "Give a fraction from 0 to 1 with max_weight alone")
    for name in ("sold_at_a_loss", "bought_elsewhere"):
        for n, trade in enumerate(getattr(document, name)):
            if trade.security_id not in known:
                yield Fault(f"{name}[{n}].security_id", f"{trade.security_id} is not among the securities", "Leave it out, or add it")
            if trade.trade_date > document.as_of:
                yield Fault(f"{name}[{n}].trade_date", f"{trade.trade_date} is after {document.as_of}", "Give trades that were made")


def _of_taxes(document: AccountFile) -> Iterator[Fault]:
    """Rates, what losses count, and the year so far."""
    rates, losses = document.rates, document.losses
    for name, rate in (("short_frac", rates.short_frac), ("long_frac", rates.long_frac)):
        if not (rate.is_finite() and 0 <= rate < 1):
            yield Fault(f"rates.{name}", f"{rate} is not a fraction from 0 to 1", "0.408 is 40.8 of a hundred")
            return
    if losses.counts != "at_rates" and rates.long_frac > rates.short_frac:
        said = f"{rates.long_frac} is above the short rate, {rates.short_frac}"
        yield Fault("rates.long_frac", said, "A year is netted only where long-term gains are not taxed more; else count at_rates")
    if losses.counts != "netted" and (losses.carried_frac or losses.carried_long_frac):
        yield Fault("losses.carried_frac", f"has no meaning for {losses.counts}", "Leave it out, or let losses count netted")
    for name in document.year.__struct_fields__:
        amount = getattr(document.year, name)
        if not (amount.is_finite() and amount >= 0):
            yield Fault(f"year.{name}", f"is {amount}", "Gains and losses are both positive numbers here")
