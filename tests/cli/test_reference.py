"""docs/cli.md is what the code says."""

from pathlib import Path

from orchestrator.cli.reference import reference


def test_the_reference_is_current():
    written = Path(__file__).parents[2] / "docs" / "cli.md"
    assert written.read_text() == reference(), "run: python -m orchestrator.cli.reference > docs/cli.md"
