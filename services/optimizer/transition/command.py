"""`python -m services.optimizer transition INTAKE --out DIR`: a client's transition analysis, without a server.

DIR gets analysis.json, report.html and report.pdf of the strategy, or of the nearest one where several are compared; the others are in a
directory each, and comparison.csv has a line for each of their approaches.  Files are there once the analysis is; they are written again
with the joint bounds of plans over years, which take longer.
"""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from services.optimizer.core.transition.result import Analysis
from services.optimizer.transition.analyse_form import analysed, cases_of
from services.optimizer.transition.case import Judged
from services.optimizer.transition.catalogue import read_catalogue
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.intake_file import read_intake
from services.optimizer.transition.market_directory import SHIPPED, TransitionMarket, read_market

NOT_MADE = 2
FILES = ("analysis.json", "report.html", "report.pdf")
COMPARED = ("strategy", "approach", "status", "te_before_frac", "te_after_frac", "tax_now_usd", "tax_usd", "trades", "cost_usd")


def run(path: Path, out: Path, market_directory: Path | None = None) -> int:
    """Write the analyses, say where they are; 0 where there is one (marked fields are said too), 2 where there can be none."""
    reading = read_intake(path)
    if reading.unread:
        return _not_made(path, reading.faults)
    of_form = path.parent / reading.form.market if reading.form.market else SHIPPED
    market, catalogue = read_market(market_directory or of_form), read_catalogue()
    if isinstance(market, FieldFault) or isinstance(catalogue, FieldFault):
        return _not_made(path, [*reading.faults, *(each for each in (market, catalogue) if isinstance(each, FieldFault))])
    asked = cases_of(reading.form, market, catalogue)
    faults = [*reading.faults, *asked.faults]
    if not asked.judged:
        return _not_made(path, faults)
    analyses = []
    for n, each in enumerate(asked.judged):
        directory = out if n == 0 else out / each.case.strategy_id
        analyses.append(_analysed(each, market, reading.form.client_name, directory))
        sys.stdout.write(f"{each.case.strategy_label}: {', '.join(str(directory / name) for name in FILES)}\n")
    if len(analyses) > 1:
        (out / "comparison.csv").write_text(comparison(analyses))
        sys.stdout.write(f"Compared: {', '.join(each.strategy_label for each in analyses)}: {out / 'comparison.csv'}\n")
    _say(path, faults)
    for unknown in analyses[0].not_judged:
        sys.stdout.write(f"Not judged: {unknown.what}: {unknown.why}\n")
    return 0


def _analysed(judged: Judged, market: TransitionMarket, client_name: str, directory: Path) -> Analysis:
    """One strategy's analysis, written; then with its joint bounds, written again."""
    from services.optimizer.core.transition.analysis import analyse  # noqa: PLC0415 (compiles kernels)
    from services.optimizer.core.transition.joint_update import joint_update  # noqa: PLC0415

    progress = Progress(judged.case.strategy_label)
    analysis = analysed(judged, market, analyse, progress)
    _write(analysis, client_name, directory)
    if analysis.joint == "pending":
        progress("Written; bounding plans over years all at once", 1.0)
        analysis = joint_update(judged.case, analysis)
        _write(analysis, client_name, directory)
    return analysis


class Progress:
    """Says each step of an analysis once."""

    def __init__(self, label: str) -> None:
        self.label, self.said = label, ""

    def __call__(self, step: str, done_frac: float) -> None:
        """A step begins, so much of the whole is done."""
        if step != self.said:
            sys.stdout.write(f"{self.label}: {done_frac:4.0%} {step}\n")
            self.said = step


def _write(analysis: Analysis, client_name: str, directory: Path) -> None:
    """The three files of one strategy."""
    from services.optimizer.transition.report import report_html, report_pdf  # noqa: PLC0415 (draws)

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "analysis.json").write_bytes(msgspec.json.format(msgspec.json.encode(analysis), indent=1) + b"\n")
    (directory / "report.html").write_text(report_html(analysis, client_name), "utf-8")
    (directory / "report.pdf").write_bytes(report_pdf(analysis, client_name))


def comparison(analyses: Sequence[Analysis]) -> str:
    """A line for each approach of each strategy."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COMPARED)
    for analysis in analyses:
        for each in analysis.approaches:
            figures = [getattr(each, name) for name in COMPARED[3:]]
            writer.writerow([analysis.strategy_id, each.approach_id, each.status, *("" if value is None else value for value in figures)])
    return text.getvalue()


def _not_made(path: Path, faults: list[FieldFault]) -> int:
    _say(path, faults)
    return NOT_MADE


def _say(path: Path, faults: list[FieldFault]) -> None:
    for each in faults:
        sys.stderr.write(f"{path}: {each.text()}\n")
