"""Where mlctl keeps things on this machine, and the contexts (a store and a backend by name)."""

import os
import secrets
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError

BackendName = Literal["local"]
DEFAULT_CONTEXT = "local"


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store and the backend that jobs run on.

    Attributes:
        name: What the user calls it.
        store: URL of the store, `file:///absolute/folder`.
        backend: Where processes run.
    """

    name: str
    store: str
    backend: BackendName = "local"


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    current: str = DEFAULT_CONTEXT
    contexts: dict[str, dict[str, str]] = {}


def home_dir() -> Path:
    """Return the folder of mlctl's own data: MLCTL_HOME, else the user's data directory.

    Raises:
        UsageError: There is no home directory to derive it from, and MLCTL_HOME is not set.
    """
    return _user_dir("MLCTL_HOME", "user_data_path")


def cache_dir() -> Path:
    """Return the folder of what can be rebuilt: MLCTL_CACHE, else the user's cache directory.

    Raises:
        UsageError: There is no home directory to derive it from, and MLCTL_CACHE is not set.
    """
    return _user_dir("MLCTL_CACHE", "user_cache_path")


def _user_dir(variable: str, function: str) -> Path:
    if value := os.environ.get(variable):
        return Path(value).expanduser().absolute()
    import platformdirs

    try:
        path: Path = getattr(platformdirs, function)("mlctl", appauthor=False)
    except RuntimeError:
        path = Path("~")
    # Without HOME and without a passwd entry there is no path, or "~" stays in it as it is.
    if not path.is_absolute() or "~" in path.parts:
        raise UsageError(
            "this user has no home directory, so mlctl has nowhere to keep its data",
            hint=f"set HOME, or name a folder: export {variable}=/some/folder",
        )
    return path


def machine_id() -> str:
    """Return an id of this home, made at first use: jobs that run here are looked after from here only."""
    path = home_dir() / "machine-id"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="ascii") as file:
                file.write(secrets.token_hex(8))
        except FileExistsError:
            pass
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise PermissionDeniedError(f"cannot write {path}: {error.strerror}", hint="set MLCTL_HOME") from error


def _config_path() -> Path:
    return home_dir() / "config.yaml"


def _load() -> _File:
    path = _config_path()
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="set MLCTL_HOME") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid YAML: {error}", hint="correct or remove that file") from error
    try:
        return msgspec.convert(raw or {}, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}", hint="correct or remove that file") from error


def _save(file: _File) -> None:
    path = _config_path()
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(yaml.safe_dump(msgspec.to_builtins(file), sort_keys=True), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise PermissionDeniedError(f"cannot write {path}: {error.strerror}", hint="set MLCTL_HOME") from error


def _embedded() -> Context:
    return Context(name=DEFAULT_CONTEXT, store=(home_dir() / "store").as_uri())


def list_contexts() -> list[Context]:
    """Return every context by name, the embedded `local` one included."""
    found = {DEFAULT_CONTEXT: _embedded()}
    for name, fields in _load().contexts.items():
        try:
            found[name] = msgspec.convert({"name": name, **fields}, Context)
        except msgspec.ValidationError as error:
            raise UsageError(f"{_config_path()}: context {name}: {error}", hint="correct that entry") from error
    return [found[name] for name in sorted(found)]


def current_name() -> str:
    """Return the name of the context in use: MLCTL_CONTEXT, else what `context use` chose."""
    return os.environ.get("MLCTL_CONTEXT") or _load().current


def get_context(name: str | None = None) -> Context:
    """Return the named context, or the current one.

    Raises:
        NotFoundError: No context has that name.
    """
    wanted = name or current_name()
    for context in list_contexts():
        if context.name == wanted:
            return context
    known = ", ".join(context.name for context in list_contexts())
    raise NotFoundError(f"there is no context {wanted!r}; known: {known}", hint="mlctl context add NAME --store URL")


def use_context(name: str) -> Context:
    """Make the named context the current one and return it."""
    context = get_context(name)
    file = _load()
    file.current = name
    _save(file)
    return context


def add_context(name: str, store: str) -> Context:
    """Record a new context and return it.

    Raises:
        ConflictError: The name is taken by a context with another store.
    """
    context = Context(name=name, store=store)
    for other in list_contexts():
        if other.name == name and other != context:
            raise ConflictError(
                f"context {name!r} exists already, with store {other.store}", hint="choose another name"
            )
    file = _load()
    file.contexts[name] = {"store": store}
    _save(file)
    return context
