"""Where mlctl keeps things on this machine, and the contexts (a store and a backend by name)."""

import itertools
import os
from pathlib import Path
from typing import Literal

import msgspec

from orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError
from orchestrator.files import write_whole

BackendName = Literal["local", "kubernetes"]
DEFAULT_CONTEXT = "local"
BUCKET_SCHEMES = ("s3", "obs")  # of stores in a bucket


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store and the backend that jobs run on.

    What is left open of a bucket's settings is taken from the AWS variables and the profile, as by other tools.

    Attributes:
        name: What the user calls it.
        store: URL of the store, `file:///absolute/folder` or `s3://bucket/prefix`.
        backend: Where processes run.
        endpoint: URL of the S3 service, `https://host[:port]`.
        profile: Named keys and settings, as in `~/.aws/credentials`. Keys themselves never stand in a context.
        region: Of the bucket.
        ca_bundle: PEM file of the authorities to trust beside the system's.
        path_style: Whether the bucket's name goes into the path of a request; by default what suits the endpoint.
        kubeconfig: File that tells how clusters are reached; by default KUBECONFIG or ~/.kube/config.
        kube_context: Name of the cluster in it; by default the one that is current there.
        namespace: Where the jobs run in the cluster.
        cluster_endpoint: The S3 service's URL as pods reach it, where that differs from `endpoint`.
        store_secret: A Secret of the namespace with the keys to the store; by default mlctl makes one of its own.
        service_account: A ServiceAccount that the pods get the keys by (web identity), instead of a Secret.
        runtime_image: The image of what runs beside a script.
        image_registry: Where the images are pulled from, as in `registry.lab/ml`; by default as they are named.
    """

    name: str
    store: str
    backend: BackendName = "local"
    endpoint: str = ""
    profile: str = ""
    region: str = ""
    ca_bundle: str = ""
    path_style: bool | None = None
    kubeconfig: str = ""
    kube_context: str = ""
    namespace: str = ""
    cluster_endpoint: str = ""
    store_secret: str = ""
    service_account: str = ""
    runtime_image: str = ""
    image_registry: str = ""


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    current: str = DEFAULT_CONTEXT
    contexts: dict[str, dict[str, str | bool]] = {}


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
                file.write(os.urandom(8).hex())
        except FileExistsError:
            pass
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise PermissionDeniedError(f"cannot write {path}: {error.strerror}", hint="set MLCTL_HOME") from error


def _config_path() -> Path:
    return home_dir() / "config.json"


def _load() -> _File:
    path = _config_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="set MLCTL_HOME") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", hint="correct or remove that file") from error


def _save(file: _File) -> None:
    path = _config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(file, order="sorted")) + b"\n")
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


def context_for(url: str, name: str | None = None) -> Context | None:
    """Return the context whose settings reach the bucket of a URL.

    That is the named (else the current) context if the bucket is its own, else the one whose store has most of the
    URL in common, else again the named or current one if its store is a bucket: another bucket of the same service.

    Args:
        url: `s3://bucket/prefix`.
        name: Of a context.

    Raises:
        NotFoundError: No context has that name.
        UsageError: Several contexts reach buckets of that name, with different settings.
    """
    bucket, chosen = bucket_of(url), get_context(name)
    if bucket_of(chosen.store) == bucket:
        return chosen
    common = {
        context.name: _common(context.store, url) for context in list_contexts() if bucket_of(context.store) == bucket
    }
    if not common:
        return chosen if bucket_of(chosen.store) else None
    fitting = [get_context(one) for one, length in common.items() if length == max(common.values())]
    if len({_settings(context) for context in fitting}) > 1:
        names = ", ".join(context.name for context in fitting)
        raise UsageError(f"{url} could be reached by several contexts: {names}", hint="choose one: --context NAME")
    return fitting[0]


def add_context(context: Context) -> Context:
    """Record a new context and return it.

    Raises:
        ConflictError: The name is taken by a context with other settings.
        UsageError: Its store is a folder, and it has settings of a bucket, or a cluster as its backend.
    """
    if any(_settings(context)) and not bucket_of(context.store):
        raise UsageError(f"{context.store} is a folder: it has no endpoint, profile or region", hint="leave them out")
    if context.backend == "kubernetes" and not bucket_of(context.store):
        hint = "--store s3://BUCKET/PREFIX"
        raise UsageError(f"pods of a cluster cannot reach {context.store}: their store is a bucket", hint=hint)
    for other in list_contexts():
        if other.name == context.name and other != context:
            raise ConflictError(
                f"context {context.name!r} exists already, with store {other.store}", hint="choose another name"
            )
    file = _load()
    plain = msgspec.structs.asdict(Context(name=context.name, store=""))
    fields = msgspec.structs.asdict(context)
    file.contexts[context.name] = {key: value for key, value in fields.items() if value != plain[key]}
    _save(file)
    return context


def bucket_of(store: str) -> str:
    """Return the bucket that a store's URL names; empty if it is a folder."""
    scheme, separator, rest = store.partition("://")
    return rest.partition("/")[0] if separator and scheme in BUCKET_SCHEMES else ""


def _common(store: str, url: str) -> int:
    """Return how many of the leading parts of two URLs are the same."""
    pairs = zip(store.split("/"), url.split("/"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _settings(context: Context) -> tuple[str | bool | None, ...]:
    return context.endpoint, context.profile, context.region, context.ca_bundle, context.path_style
