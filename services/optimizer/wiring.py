"""optimizer composed: for its own process, for the demo and for the tests."""

from pathlib import Path

from fastapi import FastAPI

from libs.common.app import create_app
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.service import Service
from services.optimizer.api import routes
from services.optimizer.catch_up import DecisionsSaid
from services.optimizer.handlers import SUBSCRIPTION
from services.optimizer.metrics import OptimizerMetrics
from services.optimizer.plan_api import plan_routes
from services.optimizer.pool import InlinePool, SolverPool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.solving import Solving
from services.optimizer.transition.jobs import Jobs
from services.optimizer.transition.pages import page_routes
from services.optimizer.transition.transition_api import transition_routes


def build(settings: OptimizerSettings, bus: Bus, clock: Clock) -> tuple[Service, FastAPI]:
    """The service and its app, solving in worker processes; nothing connects before the app's lifespan starts."""
    return compose(settings, bus, clock, SolverPool(settings.solver_processes))


def compose(settings: OptimizerSettings, bus: Bus, clock: Clock, pool: InlinePool) -> tuple[Service, FastAPI]:
    """As `build`, solving in the given pool."""
    service = Service("optimizer", settings.postgres_dsn, bus, clock, Path(__file__).parent / "migrations")
    solving = Solving(service, pool, OptimizerMetrics(service.metrics, clock))
    service.subscribe(SUBSCRIPTION)
    service.catches_up_by(DecisionsSaid())
    service.add_background(solving.run)
    service.on_commit(solving.wake.set)
    jobs = Jobs(service)
    service.add_background(jobs.run)
    service.add_background(jobs.run_joint)
    transition = transition_routes(service, settings, jobs), page_routes(service, settings, jobs)
    return service, create_app(service, settings, routes(service), plan_routes(service, settings), *transition)
