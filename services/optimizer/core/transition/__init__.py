"""Transition analysis of one taxable account: what each way of moving to a strategy costs in tax, risk and trades, with proof.

Reads a `TransitionCase` (case.py), answers an `Analysis` (result.py).  Method: a dual solve a year, certified; joint plans over years as a
bound.  Pure: the same case gives the same analysis, byte for byte.
"""
