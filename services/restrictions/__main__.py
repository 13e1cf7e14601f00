"""`python -m services.restrictions`: run the service on Kafka and PostgreSQL (settings: services/restrictions/settings.py)."""

import sys

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from libs.common.offline import offline
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build


def main() -> int:
    """Serve until asked to stop; 1 if the service failed."""
    settings = RestrictionsSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    return offline(service, sys.argv[1:]) if sys.argv[1:] else serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
