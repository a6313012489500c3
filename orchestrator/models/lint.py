"""What is wrong with a model's package, told before it is deployed: files, config.json, customize_service.py.

ModelArts's own examples are sloppy in places, so what does no harm is a warning.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from typing import Any, Literal, NamedTuple

from orchestrator.engines.requirements import RequirementsError
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.models.inputs import picture_of
from orchestrator.models.load import engine_for
from orchestrator.models.package import CONFIG, FOLDER, SERVICE
from orchestrator.models.packages import check_dependencies, check_packages
from orchestrator.models.record import ModelVersion
from orchestrator.specs.names import nearest
from orchestrator.store.manifest import Manifest

_TABLES = "*.m|*.joblib|*.pkl|*.pickle"
# By model_type: patterns of which each must have a file (alternatives separated by `|`).
MODEL_FILES = {
    "TensorFlow": ("saved_model.pb", "variables/*"),
    "MXNet": ("*-symbol.json", "*.params"),
    "Caffe": ("*.prototxt", "*.caffemodel"),
    "PyTorch": ("*.pth|*.pt",),
    "Scikit_Learn": (_TABLES,),
    "XGBoost": (f"{_TABLES}|*.ubj|*.model|*.bst|xgboost-model|*.json",),
}
CUSTOM = "Custom"  # model_type of a package whose service loads whatever it likes
# Classes that a service is derived from, and the model_type that each is for (empty: any).
SERVICE_BASES = {
    "TfServingBaseService": "TensorFlow",
    "MXNetBaseService": "MXNet",
    "CaffeBaseService": "Caffe",
    "PTServingBaseService": "PyTorch",
    "XgSklServingBaseService": "",
    "SingleNodeService": "",
}
_ALGORITHM = re.compile(r"[A-Za-z][\w-]{0,35}")
_METRICS = ("f1", "recall", "precision", "accuracy")


class Finding(NamedTuple):
    """Something wrong, or doubtful.

    Attributes:
        level: `error`: it cannot be deployed; `warn`: it probably can.
        place: The file, and the line where there is one.
        message: What is the matter, and what was expected.
    """

    level: Literal["error", "warn"]
    place: str
    message: str


def lint(manifest: Manifest, read: Callable[[str], bytes]) -> list[Finding]:
    """Return what is wrong with a package.

    Args:
        manifest: Its files.
        read: Returns the content of one of them.
    """
    paths = [entry.path for entry in manifest.entries if entry.kind == "file"]
    config, findings = _read_config(paths, read)
    if config is not None:
        findings += [*_check_config(config), *_check_dependencies(config, paths), *_check_picture(config)]
    kind = str((config or {}).get("model_type", ""))
    return [*findings, *_check_files(kind, paths), *_check_service(kind, paths, read)]


def lint_packages(version: ModelVersion, engine: str | None = None) -> list[Finding]:
    """Return what a version asks for that contradicts an engine, as far as that is told without asking any index.

    Args:
        version: Of a model.
        engine: Name of the engine; by default what it is served with.

    Raises:
        NotFoundError: There is no such engine.
    """
    try:
        check_packages(version, engine_for(version, engine))
    except RequirementsError as error:
        place, _, message = error.message.partition(": ")
        return [Finding("warn", place, message)]
    except (NotFoundError, UsageError):  # it is not known which engine it needs, or that is not here
        if engine:
            raise
    return []


def _read_config(paths: list[str], read: Callable[[str], bytes]) -> tuple[dict[str, Any] | None, list[Finding]]:
    if CONFIG not in paths:
        kind = next((kind for kind in MODEL_FILES if not list(_check_files(kind, paths))), None)
        least = f'; the least that these files need is {{"model_type": "{kind}"}}' if kind else ""
        return None, [Finding("error", CONFIG, _missing(CONFIG, paths) + least)]
    try:
        config = json.loads(read(CONFIG).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return None, [Finding("error", f"{CONFIG}, line {error.lineno}", f"is not valid JSON: {error.msg}")]
    except UnicodeDecodeError:
        return None, [Finding("error", CONFIG, "is not valid JSON: its text is not UTF-8")]
    if not isinstance(config, dict):
        return None, [Finding("error", CONFIG, "is not an object of JSON: it must begin with {")]
    return config, []


def _check_config(config: dict[str, Any]) -> Iterator[Finding]:
    algorithm, kind = config.get("model_algorithm"), config.get("model_type")
    if not algorithm:
        yield Finding("warn", CONFIG, 'lacks "model_algorithm", for example "image_classification"')
    elif not (isinstance(algorithm, str) and _ALGORITHM.fullmatch(algorithm)):
        message = f'"model_algorithm" is {algorithm!r}: it should begin with a letter and have at most 36 characters'
        yield Finding("warn", CONFIG, message)
    known = (*MODEL_FILES, CUSTOM)
    if not kind:
        yield Finding("error", CONFIG, f'lacks "model_type": one of {", ".join(known)}')
    elif kind not in known:
        near = nearest(str(kind), known)
        meant = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
        yield Finding("error", CONFIG, f'"model_type" is {kind!r}: {meant}')
    metrics = config.get("metrics") or {}
    if not isinstance(metrics, dict):
        yield Finding("warn", CONFIG, '"metrics" is not an object')
    else:
        for name, value in metrics.items():
            if name in _METRICS and (isinstance(value, bool) or not isinstance(value, int | float)):
                yield Finding("warn", CONFIG, f'"metrics" has {name} {value!r}, which is no number')
    for name, least in (("max_batch_size", 1), ("max_delay_ms", 0)):
        value = config.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            yield Finding("error", CONFIG, f'"{name}" is {value!r}, and must be a number from {least} on')
    yield from _check_apis(config.get("apis"))


def _check_apis(apis: Any) -> Iterator[Finding]:
    if apis is None:
        return
    if not (isinstance(apis, list) and all(isinstance(api, dict) for api in apis)):
        yield Finding("warn", CONFIG, '"apis" is not a list of objects')
        return
    for api in apis:
        if not ("protocol" in api or "procotol" in api):  # the originals misspell it
            yield Finding("warn", CONFIG, f'"apis" has an entry for {api.get("url", "?")!r} without "protocol"')
        for side in ("request", "response"):
            if not isinstance(api.get(side), dict):
                yield Finding("warn", CONFIG, f'"apis" has an entry for {api.get("url", "?")!r} without "{side}"')


def _check_dependencies(config: dict[str, Any], paths: list[str]) -> Iterator[Finding]:
    try:
        check_dependencies(config, paths)
    except RequirementsError as error:
        yield Finding("error", CONFIG, error.message.removeprefix(f"{CONFIG}: "))


def _check_picture(config: dict[str, Any]) -> Iterator[Finding]:
    try:
        picture_of(config)
    except UsageError as error:
        yield Finding("warn", CONFIG, error.message.removeprefix(f"{CONFIG}: "))


def _check_files(kind: str, paths: list[str]) -> Iterator[Finding]:
    others = [path for path in paths if path not in (CONFIG, SERVICE)]
    for patterns in MODEL_FILES.get(kind, ()):
        if not any(_is_at(path, pattern) for path in others for pattern in patterns.split("|")):
            there = ", ".join(others) or "nothing else"
            wanted = patterns.replace("|", " or ")
            yield Finding(
                "error", FOLDER + wanted, f"is missing: a model of type {kind} has it there; there is {there}"
            )


def _is_at(path: str, pattern: str) -> bool:
    """Return whether a path is as a pattern says, and in that folder: what is deeper is not loaded."""
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def _check_service(kind: str, paths: list[str], read: Callable[[str], bytes]) -> Iterator[Finding]:
    if SERVICE not in paths:
        missing = _missing(SERVICE, paths)
        if kind == CUSTOM:
            yield Finding("error", SERVICE, missing)
        else:
            yield Finding(
                "warn", SERVICE, f"{missing}; without it a default takes pictures or numbers (docs/models.md)"
            )
        return
    try:
        tree = ast.parse(read(SERVICE))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        place = f"{SERVICE}, line {line}" if line else SERVICE
        yield Finding("warn", place, f"is not Python 3: {error.args[0]}; only an engine with Python 2 can load it")
        return
    called = _imported(tree)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    services = [(node, base) for node in classes for base in _known_bases(node, called)]
    if not services and (doubtful := next((node for node in classes if _is_of(node, called, paths)), None)):
        message = f"class {doubtful.name} is derived from what another file has: mlctl model lint --load tells of what"
        yield Finding("warn", f"{SERVICE}, line {doubtful.lineno}", message)
        return
    if len(services) != 1:
        names = ", ".join(f"{node.name} (line {node.lineno})" for node, _ in services)
        bases = ", ".join(SERVICE_BASES)
        found = f"has {len(services)} service classes: {names}" if services else f"has no class derived from {bases}"
        yield Finding("error", SERVICE, f"{found}; it must have exactly one")
        return
    node, base = services[0]
    wanted = SERVICE_BASES[base]
    if wanted and kind and wanted != kind:
        message = f"class {node.name} is derived from {base}, which is for {wanted}, and {CONFIG} says {kind}"
        yield Finding("error", f"{SERVICE}, line {node.lineno}", message)


def _imported(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Return module and name, if it is one of a module, by what is imported at the top is called in the file."""
    found: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name: (node.module or "", one.name) for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0]: (one.name, "") for one in node.names}
    return found


def _known_bases(node: ast.ClassDef, called: dict[str, tuple[str, str]]) -> list[str]:
    names = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    own = (called.get(name, ("", name))[1] for name in names)
    return [name for name in own if name in SERVICE_BASES]


def _is_of(node: ast.ClassDef, called: dict[str, tuple[str, str]], paths: list[str]) -> bool:
    """Return whether a class is derived from one of another file of the package."""
    roots = [ast.unparse(base).partition(".")[0] for base in node.bases]
    modules = [called[root][0].partition(".")[0] for root in roots if root in called]
    return any(f"{module}.py" in paths or any(path.startswith(f"{module}/") for path in paths) for module in modules)


def _missing(name: str, paths: list[str]) -> str:
    elsewhere = next((path for path in paths if path.endswith("/" + name)), "")
    found = f"; there is one at {FOLDER}{elsewhere}, which is not looked at" if elsewhere else ""
    return f"is missing: expected at {FOLDER}{name}{found}"
