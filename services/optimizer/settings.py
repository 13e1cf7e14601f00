"""Settings of optimizer (environment variables PMA_...)."""

from pydantic import Field

from libs.common.settings import ServiceSettings


class OptimizerSettings(ServiceSettings):
    """`solver_processes`: worker processes that solve, one account each at a time."""

    port: int = Field(default=8104, ge=0, le=65535)
    solver_processes: int = Field(default=2, ge=1, le=256)
