"""The runs as a table: one row a strategy, rule and frequency, averaged over the starts."""

from collections import defaultdict
from typing import Any

COLUMNS = (
    ("active_before_tax_bps", "before tax", 1),
    ("active_after_tax_bps", "after tax", 1),
    ("tax_alpha_bps", "tax alpha", 1),
    ("losses_pct_a_year", "losses % a year", 2),
    ("te_realised_pct", "TE realised %", 2),
    ("te_predicted_pct", "TE predicted %", 2),
    ("turnover_a_year", "turnover", 2),
    ("disallowed_usd", "denied $", 0),
)
ORDER = ("annual", "quarterly", "monthly", "weekly")


def table(results: list[dict[str, Any]]) -> str:
    """Markdown.  Active return and tax alpha in basis points a year."""
    groups = defaultdict[tuple[str, bool, str], list[dict[str, Any]]](list)
    for each in results:
        groups[each["strategy"], each["wash_rule"], each["frequency"]].append(each)
    lines = ["| strategy | wash-sale rule | frequency | runs | " + " | ".join(title for _, title, _ in COLUMNS) + " |"]
    lines.append("|" + "---|" * (4 + len(COLUMNS)))
    for key in sorted(groups, key=lambda each: (each[0], not each[1], ORDER.index(each[2]))):
        found = groups[key]
        means = (f"{sum(each[name] for each in found) / len(found):.{places}f}" for name, _, places in COLUMNS)
        lines.append(f"| {key[0]} | {'kept' if key[1] else 'none'} | {key[2]} | {len(found)} | " + " | ".join(means) + " |")
    return "\n".join(lines)
