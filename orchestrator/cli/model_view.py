"""What is shown of a model version."""

from typing import TYPE_CHECKING, Any

from orchestrator.cli.job_view import place
from orchestrator.cli.render import ago, count, moment, note, plain, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.models.aliases import Card, Change
    from orchestrator.models.lint import Finding
    from orchestrator.models.record import ModelVersion

SHOWN = 2  # metrics in a list


def columns(cards: "dict[str, Card]") -> dict[str, Any]:
    """Return the columns of a list of versions, given the models' cards by name."""
    return {
        "NAME": lambda version: version.name,
        "VERSION": lambda version: version.version,
        "ALIASES": lambda version: ", ".join(cards[version.name].aliases_of(version.number)),
        "TYPE": lambda version: version.type,
        "METRICS": lambda version: _pairs(version.metrics) or _measured(version, SHOWN),
        "CREATED": lambda version: ago(version.created),
        "SOURCE": lambda version: version.source,
    }


def document(version: "ModelVersion", card: "Card") -> dict[str, Any]:
    """Return a version as plain data."""
    return {
        "name": version.name,
        "version": version.version,
        "aliases": card.aliases_of(version.number),
        "tags": card.tags.get(version.version, []),
        "note": card.notes.get(version.version, ""),
        **plain(version),
    }


def details(version: "ModelVersion", card: "Card") -> dict[str, str]:
    """Return the lines that tell all about a version, by label."""
    lineage = version.lineage
    commit = f"commit {lineage.git_commit[:10]}" if lineage.git_commit else ""
    code = ", ".join(filter(None, (lineage.code_sha256[:10], commit, "with changes" * lineage.git_dirty)))
    return {
        "Model": version.ref,
        "Aliases": ", ".join(card.aliases_of(version.number)),
        "Tags": ", ".join(card.tags.get(version.version, [])),
        "Note": card.notes.get(version.version, ""),
        "Type": version.type,
        "Algorithm": str(version.config.get("model_algorithm", "")),
        "Metrics": _pairs(version.metrics),
        "Measured": _measured(version),
        "Files": f"{count(version.manifest.files, 'file')}, {size(version.manifest.size)}",
        "Where": place(version.store, version.prefix),
        "Created": f"{moment(version.created)} by {version.author}",
        "From": version.source,
        "Data": lineage.data,
        "Code": code,
        "Engine": lineage.engine,
        "Environment": lineage.environment,
        "Packages": _packages(version),
        "Parameters": _pairs(lineage.parameters),
    }


def told(change: "Change") -> str:
    """Return what was changed, in words."""
    if change.what != "alias":
        return f"{change.what} {change.text!r} of v{change.after}"
    names = [f"v{number}" if number else "nothing" for number in (change.before, change.after)]
    return f"{change.alias}: from {names[0]} to {names[1]}"


def tell_findings(findings: "Sequence[Finding]") -> None:
    """Say what is wrong with a package, on stderr."""
    for finding in findings:
        note(f"{finding.level}: {finding.place} {finding.message}")


def _packages(version: "ModelVersion") -> str:
    """Return what its service needs and the engine lacks."""
    from orchestrator.engines.requirements import RequirementsError
    from orchestrator.models.packages import packages_of

    try:
        return ", ".join(line.text for line in packages_of(version))
    except RequirementsError as error:
        return error.message


def _measured(version: "ModelVersion", most: int | None = None) -> str:
    """Return what the job's script measured last."""
    return " ".join(f"{name}={value:.5g}" for name, value in [*version.lineage.metrics.items()][:most])


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
