"""The user's pip settings, for all that mlctl fetches from a Python package index with `uv`.

`uv` does not read them. A user behind a company's mirror has usually configured pip alone, so we
read its files and variables (https://pip.pypa.io/en/stable/topics/configuration/) and hand
them on in the variables that `uv` knows.
"""

import configparser
import os
import sys
from pathlib import Path

import msgspec

from orchestrator.errors import UsageError

DEFAULT_INDEX = "https://pypi.org/simple"
_SECTIONS = ("global", "install")  # the later one wins, as for `pip install`
_OFF = ("", "0", "false", "no", "off")


class PipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where packages come from.

    Attributes:
        index_url: The main index (PEP 503).
        extra_index_urls: Further indexes; pip takes the best match of all.
        find_links: Folders and pages that list archives.
        cert: File of CA certificates, or None for the system's.
        trusted_hosts: Hosts whose certificate is not checked.
        no_index: Only `find_links` may be used.
    """

    index_url: str = DEFAULT_INDEX
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False

    def uv_environment(self) -> dict[str, str]:
        """Return the same settings as variables for `uv`, leaving out what the user has set for `uv` itself.

        There is no variable for `no_index`.
        """
        found: dict[str, str] = {}
        if self.index_url != DEFAULT_INDEX and not {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & os.environ.keys():
            found["UV_DEFAULT_INDEX"] = self.index_url
        if self.extra_index_urls and not {"UV_INDEX", "UV_EXTRA_INDEX_URL"} & os.environ.keys():
            found["UV_INDEX"] = " ".join(self.extra_index_urls)
            # uv stops at the first index that knows the name, pip looks at all of them.
            found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        # pip passes over a folder that is not there, uv stops at it.
        if links := [link for link in self.find_links if "://" in link or Path(link).expanduser().exists()]:
            found["UV_FIND_LINKS"] = ",".join(links)
        if self.cert:
            found["SSL_CERT_FILE"] = self.cert
        if self.trusted_hosts:
            found["UV_INSECURE_HOST"] = " ".join(self.trusted_hosts)
        return {name: value for name, value in found.items() if name not in os.environ}


def pip_settings() -> PipSettings:
    """Read pip's settings: its files, then its environment variables, the later ones winning.

    Raises:
        UsageError: A settings file cannot be read or is malformed.
    """
    values: dict[str, str] = {}
    for path in _files():
        values |= _read(path)
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            values[name[4:].lower().replace("_", "-")] = value
    cert = values.get("cert")
    return PipSettings(
        index_url=values.get("index-url", DEFAULT_INDEX).strip().rstrip("/"),
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        cert=str(Path(cert).expanduser()) if cert else None,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        no_index=values.get("no-index", "").lower() not in _OFF,
    )


def _files() -> list[Path]:
    """Return the settings files that exist, in the order in which pip lets them override each other."""
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    user = Path("~/.config")
    machine = [Path("/etc", name)]
    if sys.platform == "darwin":
        user = Path("~/Library/Application Support")
        machine = [Path("/Library/Application Support/pip", name)]
    elif sys.platform == "win32":
        user = Path(os.environ.get("APPDATA", "~"))
        machine = [Path(os.environ.get("PROGRAMDATA", "C:\\ProgramData"), "pip", name)]
    else:
        user = Path(os.environ.get("XDG_CONFIG_HOME") or user)
        shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        machine = [*(Path(folder, "pip", name) for folder in shared.split(os.pathsep)), *machine]
    files = [*machine, Path("~/.pip", name), user / "pip" / name, Path(sys.prefix, name)]
    if chosen:
        files.append(Path(chosen))
    return [path for path in map(_expanded, files) if path.is_file()]


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # a user without a home directory has no files there
        return path


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a valid pip configuration: {error}", hint="correct that file") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    return found
