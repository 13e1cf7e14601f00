"""Where a service's settings come from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.common.settings import SECRETS_DIR, ServiceSettings


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of secrets, as Kubernetes mounts one."""
    (tmp_path / "PMA_POSTGRES_DSN").write_text("postgresql://from-a-file\n")
    (tmp_path / "PMA_BEARER_TOKEN").write_text("t0ken\n")
    monkeypatch.setenv(SECRETS_DIR, str(tmp_path))
    monkeypatch.setenv("PMA_KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("PMA_PORT", "8101")
    return tmp_path


def test_secrets_come_from_files_and_the_rest_from_the_environment(secrets: Path) -> None:
    settings = ServiceSettings()
    assert (settings.postgres_dsn, settings.kafka_bootstrap) == ("postgresql://from-a-file", "kafka:9092")
    assert settings.bearer_token is not None
    assert settings.bearer_token.get_secret_value() == "t0ken"


def test_the_environment_comes_before_the_file(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMA_POSTGRES_DSN", "postgresql://from-the-environment")
    assert ServiceSettings().postgres_dsn == "postgresql://from-the-environment"


def test_without_the_directory_the_secret_is_missing(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRETS_DIR)
    with pytest.raises(ValidationError, match="postgres_dsn"):
        ServiceSettings()
