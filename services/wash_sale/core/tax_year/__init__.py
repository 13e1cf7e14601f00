"""A taxpayer's year from the ledger's sales: Form 8949, Schedule D, carryovers, the tax, gifts.  All pure, all Decimal.

The way: the ledger's sale rows (`sales.py`) -> Form 8949 (`form_8949.py`) -> Schedule D (`schedule_d.py`) on the netting (`netting.py`) ->
the tax (`rates.py`, `estimate.py`) by the year's figures (`tables.py`).  `giving.py` is about stock given to charity.  `report.py` puts a
year together.  Sections named here are those of the tax rules in docs/tax-ledger.md.

Rounding: a tax is rounded once, at its end, to the cent, ties to even; amounts that come in to the cent stay as they are.

Invariants
1. Netting conserves: gains - losses - carryovers in = line 16; a loss on line 16 = what was used + the carryovers out.
2. A carryover keeps its character: short out <= short losses and short carryover in, and long out <= the long ones.
3. The deduction is at most the limit and at most the loss; what is used is at most the deduction.
4. No tax figure is negative, and none falls when ordinary income, a gain or MAGI rises.
5. The brackets share the taxed gain out: at 0 + at 15 + at 20 = the gain that is taxed.
6. For every row of Form 8949 (h) = (d) - (e) + (g); the rows of a box sum to its line of Schedule D; lines 7 and 15 are the sums of
   theirs; line 16 is the sum of the allowed gains less the carryovers in.
7. The order in which sales come changes nothing.
8. A charitable deduction and its carryover are never more than the gifts; the deduction is never more than its limits.
9. What the tables have no figures for is refused by its name (`TaxRefusal`), never computed by another year's.
"""
