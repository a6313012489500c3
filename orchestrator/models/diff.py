"""In what two versions of a model differ."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.engines.lines import lines_of
from orchestrator.models.record import ModelVersion


class Difference(NamedTuple):
    """One thing that is not the same; what a version has not got is empty."""

    what: str
    one: str
    other: str


def differences(one: ModelVersion, other: ModelVersion) -> list[Difference]:
    """Return all differences: where they came from, parameters, metrics, settings, files."""
    rows = [
        *_compared("", _origin(one), _origin(other)),
        *_compared("parameter ", one.lineage.parameters, other.lineage.parameters),
        *_compared("metric ", one.metrics, other.metrics),
        *_compared("measured ", one.lineage.metrics, other.lineage.metrics),
        *_compared("config ", _settings(one), _settings(other)),
        *_compared("file ", _files(one), _files(other)),
    ]
    return [row for row in rows if row.one != row.other]


def _compared(label: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys([*one, *other]):
        yield Difference(label + key, _text(one.get(key)), _text(other.get(key)))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _origin(version: ModelVersion) -> dict[str, str]:
    lineage = version.lineage
    commit = lineage.git_commit[:10] + (" with changes" if lineage.git_dirty else "")
    return {
        "source": version.source,
        "data": f"{lineage.data} {lineage.data_sha256[:10]}".strip(),
        "code": lineage.code_sha256[:10],
        "git commit": commit,
        "engine": lineage.engine,
        "environment": lineage.environment,
        "requirements": " ".join(line.text for line in lines_of(lineage.requirements, "")),
    }


def _settings(version: ModelVersion) -> dict[str, Any]:
    return {key: value for key, value in version.config.items() if key != "metrics"}


def _files(version: ModelVersion) -> dict[str, str]:
    return {entry.path: f"{entry.size} bytes, {entry.sha256[:10]}" for entry in version.manifest.entries}
