"""Run ingest: `python -m services.ingest`, or its offline commands (libs/common/offline.py); settings in PMA_... environment variables."""

import sys

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import SystemClock
from libs.common.offline import offline
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build


def main() -> int:
    """Serve until told to stop."""
    settings = IngestSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    return offline(service, sys.argv[1:]) if sys.argv[1:] else serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main())
