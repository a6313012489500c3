"""What a service's pod begins with: `python -m orchestrator.serving.fetch SETTINGS FOLDER`.

Brings the package of each version, verified, into the folder that the pod's containers share, with what the engines'
images need to load it, and the settings for the front. MLCTL_STORE has the store, as JSON with the fields of a context;
MLCTL_LISTEN the address to listen at, if it is not all that the pod has.
"""

import os
import shutil
import sys
from pathlib import Path

import msgspec

from orchestrator.config import Context
from orchestrator.errors import MlctlError, NotFoundError, UsageError
from orchestrator.files import write_whole
from orchestrator.models.guests import GUESTS
from orchestrator.models.packages import write_requirements
from orchestrator.models.record import find_version
from orchestrator.progress import SILENT
from orchestrator.serving.model_server import ADDRESS, MODELS_CONFIG, models_config
from orchestrator.serving.settings import Deployed, read_settings
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.parallel import as_mlctl_error
from orchestrator.store.transfer import download_tree


def main(arguments: list[str]) -> int:
    """Prepare the folder and return the exit code."""
    source, folder = map(Path, arguments)
    os.environ["MLCTL_HOME"] = str(folder / "home")  # what was half done is gone on with
    os.environ["MLCTL_CACHE"] = str(folder / "home" / "cache")
    os.umask(0o002)  # the engines' images may have other users of the volume's group
    try:
        _prepare(source, folder)
    except MlctlError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


def _prepare(source: Path, folder: Path) -> None:
    try:
        settings = read_settings(source)
        fields = msgspec.json.decode(os.environ["MLCTL_STORE"], type=dict[str, str | bool | None])
        context = msgspec.convert({"name": "pod", **fields}, Context)
    except (KeyError, msgspec.DecodeError) as error:
        raise UsageError(f"this pod's settings are not right: {error}", hint="mlctl deploy makes them") from error
    store = open_store(context.store, context)
    models = tuple(_pull(one, store, context, folder) for one in settings.models)
    settings = msgspec.structs.replace(settings, models=models, host=os.environ.get("MLCTL_LISTEN", settings.host))
    try:
        for guest in GUESTS:
            target = folder / "guest" / guest.name
            shutil.copytree(guest, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        if any(ADDRESS in one.environment for one in settings.models):
            write_whole(folder / MODELS_CONFIG, models_config(settings.models).encode())
        write_whole(folder / "settings.json", msgspec.json.encode(settings))
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {folder}") from error


def _pull(deployed: Deployed, store: Store, context: Context, folder: Path) -> Deployed:
    """Bring a version's package, and what its packages are installed from; return what its process needs to know."""
    version = find_version(store, deployed.model, deployed.number)
    if version is None:
        raise NotFoundError(f"{deployed.ref} is not in {store.url} any more", hint="deploy another version")
    files = store if version.store == store.url else open_store(version.store, context)
    download_tree(files, version.prefix, version.manifest, Path(deployed.folder), reporter=SILENT)
    name = f"{deployed.model}-v{deployed.number}"
    requirements, packages = folder / "requirements" / name, folder / "packages" / name
    shutil.rmtree(requirements, ignore_errors=True)  # of a container that was killed
    if write_requirements(store, version, Path(deployed.folder), requirements) is None:
        return deployed
    packages.parent.mkdir(exist_ok=True)
    return msgspec.structs.replace(deployed, packages=str(packages), requirements=str(requirements))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
