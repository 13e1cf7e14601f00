"""Settings: from the environment (`PMA_...`), from files of secrets, or given by the wiring; frozen, and unknown names are refused."""

import os

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

SECRETS_DIR = "PMA_SECRETS_DIR"
"""Names a directory with a file a secret, called as the variable is (`PMA_POSTGRES_DSN`); the environment comes before it."""


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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given by the wiring, then the environment, then the files of secrets."""
        directory = os.environ.get(SECRETS_DIR)
        files = SecretsSettingsSource(settings_cls, secrets_dir=directory) if directory else file_secret_settings
        return init_settings, env_settings, dotenv_settings, files
