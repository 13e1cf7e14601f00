"""After warming up nothing is left to compile when accounts are solved."""

import importlib
import pkgutil

import numpy as np
from numba.core.registry import CPUDispatcher

from services.optimizer.core import dual
from services.optimizer.core.branch import SolveStatus
from services.optimizer.core.chain import solve_chain
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.programme import dominance
from services.optimizer.core.rounding import round_to_shares
from services.optimizer.warm_up import warm_up
from tests.unit.optimizer.test_solver import problem_of


def kernels() -> dict[str, int]:
    """Every kernel that Python calls, with how many signatures it was compiled for."""
    found = {}
    modules = [module.name for module in pkgutil.iter_modules(dual.__path__, f"{dual.__name__}.")]
    for module in (*modules, "services.optimizer.core.nearest_shares", "services.optimizer.core.lot_kernels"):
        for name, each in vars(importlib.import_module(module)).items():
            if isinstance(each, CPUDispatcher):
                found[f"{each.__module__}.{name}"] = len(each.signatures)
    return found


def test_nothing_is_compiled_after_warming_up() -> None:
    warm_up()
    before = kernels()
    assert sum(before.values()) > 5
    for seed in (5, 32, 60, 186):
        problem = problem_of(seed)
        assert problem is not None
        found = solve_chain(problem, dominance(problem), np.zeros(len(problem.held)), DEFAULT_POLICY)
        assert not isinstance(found, SolveStatus)
        shares, _ = round_to_shares(problem, found.chosen.branch, found.chosen.answer, 0.0)
        shares.curves.used("tax", dict.fromkeys(shares.curves, 0.0))
    assert kernels() == before
