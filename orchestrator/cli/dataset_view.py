"""What is shown of a dataset version."""

from typing import TYPE_CHECKING, Any

from orchestrator.cli.render import ago, count, moment, note, plain, size
from orchestrator.store.scan import OUR_IGNORE

if TYPE_CHECKING:
    from orchestrator.datasets.push import PushResult
    from orchestrator.datasets.versions import DatasetVersion

SHOWN = 5  # of what was left out


def version_columns() -> dict[str, Any]:
    """Return the columns of a list of versions."""
    return {
        "NAME": lambda version: version.name,
        "VERSION": lambda version: version.version,
        "FILES": lambda version: f"{version.files:,}",
        "SIZE": lambda version: size(version.size),
        "CREATED": lambda version: ago(version.created),
        "DESCRIPTION": lambda version: version.description or version.source,
    }


def document(version: "DatasetVersion") -> dict[str, Any]:
    """Return a version as plain data, with what a job's YAML file says."""
    return {"name": version.name, "version": version.version, "url": version.url, **plain(version)}


def details(version: "DatasetVersion") -> dict[str, str]:
    """Return the lines that tell all about a version, by label."""
    return {
        "Dataset": f"{version.name}/{version.version}",
        "Description": version.description,
        "Files": f"{version.files:,}",
        "Size": size(version.size),
        "Layout": version.layout,
        "Created": f"{moment(version.created)} by {version.author}",
        "From": version.source,
        "Tree hash": version.sha256,
        "In a job": f"data: {version.url}",
    }


def push_details(result: "PushResult") -> dict[str, str]:
    """Return the lines that tell what a push or import did, by label."""
    version = result.version
    where = "found in earlier packs" if version.layout == "packed" else "copied inside the store"
    done = [
        f"{count(result.sent, 'file')} sent ({size(result.sent_bytes)})" if result.sent else "",
        f"{count(result.copied, 'file')} {where}" if result.copied else "",
    ]
    return {
        "Dataset": f"{version.name}/{version.version}" + ("" if result.created else ", unchanged: nothing was sent"),
        "Holds": f"{count(version.files, 'file')}, {size(version.size)}{', packed' * (version.layout == 'packed')}",
        "Done": ", ".join(filter(None, done)),
        "Largest": "\n".join(f"{found.path} ({size(found.size)})" for found in result.largest[:SHOWN]),
    }


def tell_left_out(result: "PushResult") -> None:
    """Say what of the folder was left out, and why."""
    left_out = [skipped for skipped in result.skipped if not skipped.path.endswith(OUR_IGNORE)]
    for skipped in left_out[:SHOWN]:
        note(f"left out: {skipped.path} ({skipped.reason})")
    if (rest := len(left_out) - SHOWN) > 0:
        note(f"left out: {rest:,} more")
