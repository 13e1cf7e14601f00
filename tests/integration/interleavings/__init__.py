"""Short random histories of households over the real orders service, many at once, and an observer that knows the rules by itself.

market      a few securities in few identity groups; prices move and names get blocked while histories run
book        what trades make of lots and cash: the histories' own ingest and wash_sale
household   the accounts of a household, and what is said of them: versions, screens, ledgers
proposals   random proposals, sensible and wild
desk        random reports of the desk on an order: parts, cancels, late fills, busts, corrections, in odd orders
stage       replicas of the service on one database, and what they say
history     one history: runs, answers, edits, fills and repeats in random order
observer    every placed order and booked trade against the rules, in the order in which the database took them
"""
