"""Run the optimizer with the pro rata decision."""

import sys

from benchmarks.pro_rata.trades import needs_no_kernels, pro_rata
from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from services.optimizer.pool import SolverPool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import compose


def main() -> int:
    """Serve until told to stop."""
    settings = OptimizerSettings()
    bus = KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms)
    service, app = compose(settings, bus, SystemClock(), SolverPool(settings.solver_processes, pro_rata, needs_no_kernels))
    return serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
