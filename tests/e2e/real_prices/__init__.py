"""The main job on real prices: an adapter from the shared data to a market directory, a book bought through 2016-2019, and a day's steps.

What is real: members of the index on each date, closes, median daily dollar volumes, sub-industries, exclusion lists, issuers by CIK.
What is approximate, since the data hold nothing better: capitalisation (see `capitalisation.py`), sectors of names that have left the
index since (see `classification.py`), prices without dividends.  Names of the index without a price in the data are left out, and
nobody in the book ever bought one.
"""
