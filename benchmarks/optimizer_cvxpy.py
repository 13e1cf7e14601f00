"""cvxpy with Clarabel on a convex core that comes on standard input; one line of JSON: status, objective, cpu_ms, solver_ms.

A process of its own, for cvxpy imports highspy, which can't share one with OR-Tools.  cpu_ms is the median of formulating, compiling and
solving, which every account costs; solver_ms is what Clarabel says of its own part.
"""

import io
import json
import statistics
import sys
import time

import cvxpy as cp
import numpy as np
from scipy import sparse


def main() -> int:
    given = np.load(io.BytesIO(sys.stdin.buffer.read()))
    columns = len(given["cost"])
    curve, low, high = given["curve"], given["low"], given["high"]
    curved, above, below = np.flatnonzero(curve), np.flatnonzero(np.isfinite(high)), np.flatnonzero(np.isfinite(low))
    equal, rows = (
        sparse.csc_matrix((given[f"{kind}_value"], (given[f"{kind}_row"], given[f"{kind}_column"])), shape=(len(given[right]), columns))
        for kind, right in (("equal", "level"), ("rows", "bound"))
    )
    spent, solver_ms, problem = [], [], None
    for _ in range(int(given["repeat"]) + 1):
        began = time.process_time()
        x = cp.Variable(columns)
        risk = 0.5 * cp.sum_squares(cp.multiply(np.sqrt(curve[curved]), x[curved]))
        rules = [equal @ x == given["level"], rows @ x <= given["bound"], x[above] <= high[above], x[below] >= low[below]]
        problem = cp.Problem(cp.Minimize(risk + given["cost"] @ x), rules)
        problem.solve(solver=cp.CLARABEL)
        spent.append(1e3 * (time.process_time() - began))
        solver_ms.append(1e3 * problem.solver_stats.solve_time)
    answer = {
        "status": problem.status,
        "objective": float(problem.value) + float(given["constant"]),
        "cpu_ms": round(statistics.median(spent[1:]), 2),  # the first pays for cvxpy's imports
        "solver_ms": round(statistics.median(solver_ms[1:]), 2),
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
