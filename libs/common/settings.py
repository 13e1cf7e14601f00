"""Settings: from the environment (`PMA_...`) or given by the wiring; frozen, and unknown names are refused."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs.  A service's own settings extend this.

    `host` is loopback unless told otherwise.  Where `bearer_token` is set, every write needs it.
    """

    model_config = SettingsConfigDict(env_prefix="PMA_", frozen=True, extra="forbid")

    postgres_dsn: str
    kafka_bootstrap: str
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    bearer_token: SecretStr | None = None
    log_level: str = "info"
    session_timeout_ms: int = Field(default=10_000, ge=1_000)
