"""Loss harvesting of the real index members on real prices: the optimizer beside a simple rule, with the real tax ledger and risk model.

market.py    prices, dividends, the index and the risk model of each month end
books.py     one account's lots and sales in the wash_sale core's books
rule.py      the simple rule: sell what is below its basis, spread the proceeds over the sector
optimised.py the certified solve on the account's lots
run.py       one run through time: trades at each date, returns between
report.py    what the runs come to
"""
