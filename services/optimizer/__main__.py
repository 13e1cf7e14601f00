"""Run optimizer: `python -m services.optimizer`, or its offline commands (libs/common/offline.py); settings: PMA_... in the environment."""

import sys

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from libs.common.offline import offline
from services.optimizer.settings import OptimizerSettings
from services.optimizer.warm_up import warm_up
from services.optimizer.wiring import build


def main() -> int:
    """Serve until told to stop."""
    settings = OptimizerSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    if sys.argv[1:]:
        return offline(service, sys.argv[1:])
    warm_up()  # before the service reports ready: its workers then read the kernels from their cache
    return serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
