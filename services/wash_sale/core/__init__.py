"""The tax ledger of a household: facts in, books out, all pure.

The *facts* (`household.py`) are a starting point an account, which the custodian's file gives, and the booked trades since.  The *books*
(`replay.py`) follow from the facts alone: one identity group at a time, in the order of dates.  So a bust, a late trade, a split or a new
identity group need no undoing: the fact changes and the group's books are made again.  `transitions.py` changes facts, `view.py` shows
the books as the payload of pma.ledger.updated.  Rules and their sources: the sections named beside them are those of the tax rules in
docs/tax-ledger.md.

Invariants
1. allowed = raw + disallowed for every sale row; 0 <= disallowed <= the loss; a gain, an IRA's sale and an unknown basis have none.
2. A loss and its replacement are at most 30 days apart, and no share is replaced by shares of its own purchase.
3. Every share replaces at most once, and every loss share is replaced at most once.
4. Shares are conserved: what came in is what was sold plus what is held, lot by lot, across splits.
5. Dollars are conserved: the basis of what is held and of what was sold = the costs + the disallowed losses that were deferred.
6. A retirement account's lots keep their cost; a loss replaced there is gone (`permanent`).
7. The books depend on the facts, not on how they came: any interleaving of the accounts' events, duplicates and gaps that later fill
   give the same books; a trade and its bust give the books of neither.
8. A split changes quantities, never dollars: the same history in post-split shares gives the same amounts.
9. A holding period is only ever lengthened: `held_since` <= `acquired`.
10. A refusal changes nothing.
"""
