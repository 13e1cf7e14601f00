"""Recompute bound and plan of a line of `python -m benchmarks.optimizer --multipliers`, sharing nothing with the solver.

    python -m benchmarks.certificate LINES INSTANCE...

LINES is the file of the benchmark's JSON lines, INSTANCE the account files they are about.  For each line, in plain Python over the
account's own fields: every name's least cost over everything its rules allow gives the bound at the printed multipliers; the plan is scored
by the independent scorer.  One JSON line each; ends with 1 where a bound differs from the one printed, exceeds the plan's score, or a plan
breaks a rule: the smallest trade, the cap on tracking error, bounds on sectors and budgets included where the line says that they were
kept.  An infeasible line holds where its bound exceeds what any plan could cost; one that was proved by branch and bound alone does not.
certificate_bound.py has the bound, certificate_year.py what a netted year adds.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.certificate_bound import BPS, DEARER, bound_bps, dearer, dearest_bps
from benchmarks.certificate_rules import broken, over_budget
from benchmarks.certificate_year import checked_year
from tests.unit.optimizer import scorer

AGREE_BPS = 1e-5


def checked_infeasible(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """Whether no plan can keep the rules.  Dearer cap and cash are multipliers, too: where they prove it, so do these."""
    account = {"no_buy": [], "recent_loss_sales": [], **account}
    most, given = dearest_bps(account), line["multipliers"]
    bound = max(bound_bps(account, dearer(given, times), line.get("rules", {})) for times in DEARER)
    wrong = [] if bound > most else [f"the bound {bound:.3f} does not exceed what a plan may cost, {most:.3f}"]
    if wrong and line.get("nodes", 1) > 1:
        wrong.append(f"the proof goes over {line['nodes']} nodes of branch and bound; only the root's multipliers are printed")
    return {"instance": line["instance"], "infeasible": True, "bound_bps": bound, "most_bps": most, "holds": not wrong, "wrong": wrong}


def checked(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What the line says against what it should say."""
    account = {"no_buy": [], "recent_loss_sales": [], **account}
    rules = line.get("rules", {})
    bound, scored = bound_bps(account, line["multipliers"], rules), scorer.score({"min_trade": 0.0, **account}, line["trades"])
    wrong = broken({"min_trade": 0.0, **account}, line["trades"], rules)
    wrong += over_budget(account, scored, rules.get("budgets_usd", {}))
    near = AGREE_BPS * max(1.0, abs(bound) / BPS)
    if abs(bound - line["root_bound_bps"]) > near:
        wrong.append(f"the bound is {bound:.6f}, not {line['root_bound_bps']:.6f}")
    if bound > scored["score_bps"] + near:
        wrong.append("the bound is above the plan's score")
    if abs(scored["score_bps"] - line["objective_bps"]) > near:
        wrong.append(f"the plan costs {scored['score_bps']:.6f}, not {line['objective_bps']:.6f}")
    return {
        "instance": line["instance"],
        "bound_bps": round(bound, 6),
        "printed_bps": line["root_bound_bps"],
        "score_bps": round(scored["score_bps"], 6),
        "gap_bps": round(scored["score_bps"] - bound, 6),
        "holds": not wrong,
        "wrong": wrong,
    }


def judged(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """The verdict on a line, whatever it says of its account."""
    if "pieces" in line["multipliers"]:
        return checked_year(line, account)
    return (checked_infeasible if line["objective_bps"] is None else checked)(line, account)


def main() -> int:
    lines, *files = map(Path, sys.argv[1:])
    accounts = {file.stem: json.loads(file.read_text()) for file in files}
    printed = [line for line in map(json.loads, lines.read_text().splitlines()) if "multipliers" in line]
    found = [judged(line, accounts[line["instance"]]) for line in printed]
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if found and all(each["holds"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
