"""Brings what jobs have measured and made to other programs."""

from orchestrator.exports.export import Exported as Exported
from orchestrator.exports.export import export_to_mlflow as export_to_mlflow
