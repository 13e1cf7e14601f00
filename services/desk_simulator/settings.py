"""Settings of the simulated desk (environment variables PMA_...)."""

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.desk_simulator.core import BPS, Proportions

USUAL = Proportions()


class DeskSettings(BaseSettings):
    """Where Kafka is, and how many orders in ten thousand get each behaviour; the rest fill whole."""

    model_config = SettingsConfigDict(env_prefix="PMA_", frozen=True, extra="forbid")

    kafka_bootstrap: str
    log_level: str = "info"
    session_timeout_ms: int = Field(default=10_000, ge=1_000)
    desk_rejected_bps: int = Field(default=USUAL.rejected, ge=0, le=BPS)
    desk_parts_bps: int = Field(default=USUAL.parts, ge=0, le=BPS)
    desk_part_then_expired_bps: int = Field(default=USUAL.part_then_expired, ge=0, le=BPS)
    desk_late_after_cancel_bps: int = Field(default=USUAL.late_after_cancel, ge=0, le=BPS)
    desk_corrected_bps: int = Field(default=USUAL.corrected, ge=0, le=BPS)
    desk_busted_bps: int = Field(default=USUAL.busted, ge=0, le=BPS)
    desk_resting_bps: int = Field(default=USUAL.resting, ge=0, le=BPS)
    desk_price_move_bps: int = Field(default=USUAL.price_move_bps, ge=0, le=BPS)

    @model_validator(mode="after")
    def at_most_all(self) -> "DeskSettings":
        """The behaviours share ten thousand orders."""
        if sum(self.proportions().shares().values()) > BPS:
            raise ValueError(f"the desk's behaviours (PMA_DESK_..._BPS) add up to more than {BPS}")
        return self

    def proportions(self) -> Proportions:
        """As the core takes them."""
        return Proportions(
            rejected=self.desk_rejected_bps,
            parts=self.desk_parts_bps,
            part_then_expired=self.desk_part_then_expired_bps,
            late_after_cancel=self.desk_late_after_cancel_bps,
            corrected=self.desk_corrected_bps,
            busted=self.desk_busted_bps,
            resting=self.desk_resting_bps,
            price_move_bps=self.desk_price_move_bps,
        )
