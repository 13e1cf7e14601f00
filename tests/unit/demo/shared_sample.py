"""The sample, made once a session; its custodian must be copied by a test that moves it."""

from dataclasses import replace
from functools import cache

from demo.sample import Sample, make_sample


@cache
def made() -> Sample:
    return make_sample()


def sample_to_move() -> Sample:
    """The sample with a custodian of the test's own."""
    return replace(made(), custodian=made().custodian.copy())
