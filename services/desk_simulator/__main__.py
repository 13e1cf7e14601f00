"""Run the simulated desk: `python -m services.desk_simulator` (settings in PMA_... environment variables)."""

import asyncio
import signal
import sys

from libs.common.bus.kafka import KafkaBus
from libs.common.observe import configure_logs, log
from services.desk_simulator.settings import DeskSettings
from services.desk_simulator.wiring import build


async def trade(settings: DeskSettings) -> None:
    """Trade until told to stop."""
    bus = KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms)
    trading = asyncio.create_task(build(bus, settings.proportions()).run())
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, trading.cancel)
    log().info("desk_simulator_started", simulated=True)
    try:
        await trading
    except asyncio.CancelledError:
        log().info("desk_simulator_stopped")
    finally:
        await bus.stop()


def main() -> int:
    """Returns the exit status."""
    settings = DeskSettings()
    configure_logs(settings.log_level)
    asyncio.run(trade(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
