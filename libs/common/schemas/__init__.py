"""The payload of every event, one module a topic.

Conventions: money, shares and prices are decimal strings (`Decimal` here); fractions end in `_frac`, basis points in `_bps`;
dates are ISO dates, times are UTC.  Lots travel as columns (`LotColumns`, `TaxLotColumns`): lists of equal length, strings,
which a step converts only where it needs them.  No names and no tax ids.
"""
