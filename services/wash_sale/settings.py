"""Settings of wash_sale (environment variables PMA_...)."""

from pydantic import Field

from libs.common.settings import ServiceSettings


class WashSaleSettings(ServiceSettings):
    """What every service needs, on a port of its own."""

    port: int = Field(default=8103, ge=0, le=65535)
