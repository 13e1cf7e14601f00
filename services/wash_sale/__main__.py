"""Run wash_sale: `python -m services.wash_sale`, or its offline commands (libs/common/offline.py); settings: PMA_... in the environment."""

import sys

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from libs.common.offline import offline
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.wiring import build


def main() -> int:
    """Serve until told to stop; 1 if the service failed."""
    settings = WashSaleSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    return offline(service, sys.argv[1:]) if sys.argv[1:] else serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
