"""The engines there are: every folder that holds an `engine.yaml`, in `images/` and in the user's own folders."""

import difflib
import os
from pathlib import Path
from typing import Annotated

import msgspec
import yaml

from orchestrator.errors import NotFoundError, UsageError

DEFINITION = "engine.yaml"
OWN_FOLDERS = "MLCTL_ENGINES"  # folders of the user's own engines, separated as in PATH; searched first

_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
_PythonVersion = Annotated[str, msgspec.Meta(pattern=r"^[23]\.\d+$")]


class Images(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Container images of an engine, built from the Dockerfile beside its `engine.yaml`.

    Attributes:
        cpu: Image for nodes without a GPU.
        gpu: Image with CUDA; empty if the engine has none.
    """

    cpu: str
    gpu: str = ""


class Local(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is particular when `uv` builds the engine's environment on this machine.

    Attributes:
        torch_backend: Asked of `uv` (`--torch-backend`) when the user's package indexes lack a locked
            build of PyTorch: PyPI has no `+cpu` builds. Empty if the engine needs none.
        gpu: Whether the environment computes on GPUs where there are some.
        check: A Python statement that proves that a new environment works, as in `import mxnet`.
        check_hint: What the user can do if it does not.
    """

    torch_backend: str = ""
    gpu: bool = False
    check: str = ""
    check_hint: str = ""


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A framework environment: a container image and the matching Python environment on this machine.

    Attributes:
        name: What a job spec says, and the name of the folder.
        framework: As its makers write it.
        version: Version of the framework.
        description: One sentence.
        python: Accepted Python versions, the preferred one first.
        requirements: The lock file, installed by the image and by the local environment alike.
        images: Container images.
        env: Environment variables the engine needs, in both places.
        guests: What scripts of this framework expect beside it, by the names of folders in `orchestrator/guest`.
        metrics: How scripts write metrics into its log: styles (orchestrator/metrics/styles.py), or patterns of lines.
        provides: Packages that it has under another name, as `tensorflow` where that is `tensorflow-cpu`.
        local: How the local environment is built.
        folder: Absolute path of the folder that holds all this.
    """

    name: _Name
    framework: str
    version: str
    description: str
    python: Annotated[tuple[_PythonVersion, ...], msgspec.Meta(min_length=1)]
    requirements: str = "requirements.txt"
    images: Images
    env: dict[str, str] = {}
    guests: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    local: Local = Local()
    folder: str

    @property
    def provided(self) -> tuple[str, ...]:
        """Return what it has under another name, as requirements."""
        return tuple(f"{name}=={self.version}" for name in self.provides)

    @property
    def requirements_path(self) -> Path:
        """Return the path of the lock file."""
        return Path(self.folder, self.requirements)


def engine_folders() -> list[Path]:
    """Return the folders that are searched for engines, the user's own first."""
    own = [Path(entry).expanduser() for entry in os.environ.get(OWN_FOLDERS, "").split(os.pathsep) if entry]
    package = Path(__file__).absolute().parents[1]
    installed = package / "images"  # in a wheel; a checkout has them beside the package
    return [*own, installed if installed.is_dir() else package.parent / "images"]


def list_engines() -> list[Engine]:
    """Return all engines by name. Of two with the same name, the one that is found first counts.

    Raises:
        UsageError: An engine's definition is invalid.
    """
    found: dict[str, Engine] = {}
    for folder in engine_folders():
        for definition in sorted(folder.glob(f"*/{DEFINITION}")):
            found.setdefault(definition.parent.name, _load(definition))
    return [found[name] for name in sorted(found)]


def get_engine(name: str) -> Engine:
    """Return the engine of that name.

    Raises:
        NotFoundError: There is none; the message has the nearest names.
        UsageError: Its definition is invalid.
    """
    known = [path.parent for folder in engine_folders() for path in folder.glob(f"*/{DEFINITION}")]
    for folder in known:
        if folder.name == name:
            return _load(folder / DEFINITION)
    names = sorted({folder.name for folder in known})
    near = _nearest(name, names)
    suggestion = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(names) or 'none'}"
    raise NotFoundError(f"there is no engine {name!r}{suggestion}", hint="mlctl engine list")


def _nearest(name: str, names: list[str]) -> list[str]:
    """Return what was probably meant, the nearest first: all versions of the same framework, else similar names."""
    framework = _framework(name)
    family = [other for other in names if _framework(other) == framework]
    return difflib.get_close_matches(name, family, n=len(names), cutoff=0) or difflib.get_close_matches(name, names)


def _framework(name: str) -> str:
    return name.lower().rstrip("0123456789.-")


def _load(definition: Path) -> Engine:
    folder = definition.parent.absolute()
    try:
        fields = yaml.safe_load(definition.read_text(encoding="utf-8"))
        engine = msgspec.convert({**fields, "folder": str(folder)}, Engine)
    except OSError as error:
        raise UsageError(f"cannot read {definition}: {error.strerror}", hint="check its owner and mode") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{definition} is not a valid engine: {error}", hint="images/README.md has the format"
        ) from error
    if engine.name != folder.name:
        raise UsageError(f"{definition} names the engine {engine.name!r}", hint="give it the name of its folder")
    if not engine.requirements_path.is_file():
        raise UsageError(f"{definition} names {engine.requirements}, which is not there", hint="add the lock file")
    return engine
