"""The tax ledger of a household: facts in, books out, all pure.

`tax_events.py` are the dated events; `booking.py` books one into a `Book` (`book.py`), which knows how to take it back: sales
(`disposals.py`, `lot_choice.py`), shares that come in or move (`receipts.py`), corporate actions (`reorganizations.py`), and the wash rule
(`matching.py`).  Where the rules leave a choice there is a switch (`policy.py`).  Two roads lead to events:
* the service: `household.py` holds facts (a starting point an account, which the custodian's file gives, and the booked trades since),
  `transitions.py` changes them, `action_events.py` and `new_names.py` bring the market's reorganizations into them, `replay.py` makes the
  books of one identity group, `view.py` shows the books;
* a file: `history_file.py` reads one, `timeline.py` keeps facts with the time they became known.
So a bust, a late trade, a split or a new identity group need no undoing: the fact changes and the books are made again.  The sections
named beside rules are those of the tax rules in docs/tax-ledger.md.

Invariants
1. allowed = raw + disallowed for every sale row; 0 <= disallowed <= the loss; a gain, an IRA's sale and an unknown basis have none.
2. A loss and its replacement are at most 30 days apart, and no share is replaced by shares of its own purchase.
3. Every share replaces at most once, and every loss share is replaced at most once.
4. Shares are conserved: what came in is what went out plus what is held, lot by lot, across splits.
5. Dollars are conserved: the basis of what is held and of what left = the costs + the disallowed losses that were deferred, less capital
   that was returned.
6. A retirement account's lots keep their cost; a loss replaced there is gone (`permanent`).
7. The books depend on the facts, not on how they came: any order in which they become known, any interleaving of the accounts' events,
   duplicates and gaps that later fill give the same books; a trade and its bust give the books of neither; the order in which a file
   lists one day changes nothing; a correction gives the books of the corrected history.
8. A split changes quantities, never dollars: the same history in post-split shares gives the same amounts.
9. A holding period is only ever lengthened: `held_since` <= `acquired`.
10. A refusal changes nothing.
11. Allowed gains less deferred losses less losses that are gone = the economic gain.
12. A fact that is repeated changes nothing.
13. What was known at a time is shown again as it was.
14. A reorganization of the market changes a lot once, and the books are the same whether a file showed it before or after it was known.
"""
