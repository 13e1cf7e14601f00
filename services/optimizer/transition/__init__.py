"""Transition analysis outside the engine: the client's form, strategies, a simulated market to try them on, the report.

The client's name stays here: it is in the form and on the report, never in a case, an event or a table of the optimizer.
"""
