"""The equity risk model: named cross-sectional factors plus a few residual ones.

`fit_risk_model` decides B and D of Sigma = B B' + diag(D) for decisions taken after the close of a day; see `model.py` for the
symbols and the invariants, docs/risk-model.md for how it was measured.
"""

from services.ingest.core.risk.model import fit_risk_model
from services.ingest.core.risk.panel import RiskPanel
from services.ingest.core.risk.settings import RiskSettings

__all__ = ["RiskPanel", "RiskSettings", "fit_risk_model"]
