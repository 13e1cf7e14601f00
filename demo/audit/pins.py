"""Rules on what a proposal rests on: the versions of its run, and the household's earlier intents."""

from collections import defaultdict

from demo.audit.evidence import Evidence
from demo.audit.layout import Summary
from demo.audit.legs import Leg
from demo.audit.tally import NO_ORDER, Tally
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined


def pins(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """A proposal pins exactly the run's versions: account, screen, ledger (which saw that account version and its trades), market, date."""
    for answer in evidence.answers:
        if answer.pins is not None:
            wrong = _wrong_pins(evidence, answer)
            tally.check(not wrong, NO_ORDER, f"{answer.account_id} in run {answer.run_id}: {'; '.join(wrong)}")


def _wrong_pins(evidence: Evidence, answer: ProposalCreated | ProposalDeclined) -> list[str]:
    run, pinned = evidence.runs.get(answer.run_id), answer.pins
    member = evidence.run_accounts.get((answer.run_id, answer.account_id))
    if run is None or member is None or pinned is None:
        return ["the run is unknown or does not list the account"]
    ledger = evidence.ledgers.get((answer.household_id, pinned.ledger_version))
    seen = ledger.accounts.get(answer.account_id) if ledger is not None else None
    trade_seq = None if seen is None else (seen.account_version, seen.trade_seq)
    pairs = {
        "account_version": (pinned.account_version, member.account_version),
        "market_id": (pinned.market_id, run.market_id),
        "as_of": (pinned.as_of, run.as_of),
        "ledger's account version and trades": (trade_seq, (member.account_version, member.trade_seq)),
    }
    wrong = [f"{name} {said}, the run says {due}" for name, (said, due) in pairs.items() if said != due]
    if (answer.account_id, answer.run_id, pinned.screen_version) not in evidence.screens_of_run:
        wrong.append(f"screen_version {pinned.screen_version} is not this run's")
    if (answer.household_id, answer.run_id, pinned.ledger_version) not in evidence.ledgers_of_run:
        wrong.append(f"ledger_version {pinned.ledger_version} is not this run's")
    return wrong


def household_order(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Each account's intents name the answers of exactly the household's earlier accounts: taxable first, then by id."""
    households: dict[tuple[str, str], list[ProposalCreated | ProposalDeclined]] = defaultdict(list)
    for answer in evidence.answers:
        households[answer.run_id, answer.household_id].append(answer)
    for (run_id, _), answers in households.items():
        earlier: dict[str, str] = {}
        for answer in sorted(answers, key=lambda a: (_not_taxable(evidence, a), a.account_id)):
            if answer.pins is not None:
                detail = f"{answer.account_id} in run {run_id}: intents {answer.pins.intents}, earlier answers {earlier}"
                tally.check(answer.pins.intents == earlier, NO_ORDER, detail)
            earlier = {**earlier, answer.account_id: answer.proposal_id}


def _not_taxable(evidence: Evidence, answer: ProposalCreated | ProposalDeclined) -> bool:
    book = evidence.before.get(answer.account_id) or evidence.after.get(answer.account_id)
    return book is not None and book.state.account_type != "taxable"


def counts(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """summary.json counts what the files hold, and says that it is simulated."""
    read = Summary(
        True,
        len(evidence.after),
        len(evidence.runs),
        len(evidence.orders),
        len(evidence.executions),
        len(evidence.trades),
    )
    for name in Summary.__struct_fields__:
        said, due = getattr(evidence.summary, name, None), getattr(read, name)
        tally.check(said == due, NO_ORDER, f"summary says {name} {said}, the files hold {due}")
