"""Run optimizer: `python -m services.optimizer` (settings in PMA_... environment variables)."""

import sys

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import build


def main() -> int:
    """Serve until told to stop."""
    settings = OptimizerSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    return serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
