"""What `mlctl doctor` looks at, one topic a module; every check yields what it found."""

from orchestrator.doctor.checks import findings
from orchestrator.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "findings"]
