"""The service of a package: its customize_service.py, or a default for its kind of model."""

import glob
import importlib.util
import inspect
import json
import os
import sys

from model_service.model_service import BaseService

from mlctl_model import defaults

CONFIG = "config.json"
SERVICE = "customize_service.py"
LACKS = " (neither the engine has it, nor does config.json name it)"
# Kinds of models whose service gets the file of the model instead of its folder, and what the file is called.
TABLES = ("*.m", "*.joblib", "*.pkl", "*.pickle")
ONE_FILE = {
    "PyTorch": ("*.pth", "*.pt"),
    "Scikit_Learn": TABLES,
    "XGBoost": TABLES + ("*.ubj", "*.model", "*.bst", "xgboost-model", "*.json"),
}


class PackageError(Exception):
    """The package cannot be loaded as it is; the message names the file."""


def load_service(folder, name, gpu=None):
    """Return the package's service, with its model loaded, and the kind of model.

    Args:
        folder: Of the package.
        name: Of the model.
        gpu: Number of the GPU; None is the processor.

    Raises:
        PackageError: A file is missing or wrong.
    """
    kind = read_config(folder).get("model_type", "")
    made = find_class(folder) or defaults.service_for(kind)
    if made is None:
        raise PackageError("%s is missing, and there is no default for model_type %r" % (SERVICE, kind))
    try:
        if kind == "MXNet":
            from mlctl_model.mxnet_files import manifest_of

            return made(name, folder, manifest_of(folder), gpu), kind
        return made(name, model_path(folder, kind)), kind
    except ImportError as error:
        raise PackageError("its model cannot be loaded: %s%s" % (error, LACKS))


def read_config(folder):
    """Return config.json as a dict. Raises PackageError."""
    path = os.path.join(folder, CONFIG)
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read().decode("utf-8-sig"))  # some editors of Windows begin files with a mark
    except IOError:
        raise PackageError("%s is missing" % CONFIG)
    except ValueError as error:
        raise PackageError("%s is not valid JSON: %s" % (CONFIG, error))
    if not isinstance(found, dict):
        raise PackageError("%s is not an object of JSON" % CONFIG)
    return found


def batching(folder):
    """Return how many requests the package's model is to be asked at once.

    Raises:
        PackageError: It is not a number that it can be.
    """
    config, found = read_config(folder), {}
    for name, least, most in (("max_batch_size", 1, 1 << 16), ("max_delay_ms", 0, 10000)):
        value = config.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise PackageError("%s: %s is %r, and must be from %d to %d" % (CONFIG, name, value, least, most))
        found[name] = int(value) if name == "max_batch_size" else value
    return found


def model_path(folder, kind):
    """Return what a service is given as `model_path`. Raises PackageError if the one file is not there."""
    if kind not in ONE_FILE:
        return folder
    every = sorted(path for pattern in ONE_FILE[kind] for path in glob.glob(os.path.join(folder, pattern)))
    others = [path for path in every if not path.endswith(".json")]
    found = others or [path for path in every if os.path.basename(path) != CONFIG]  # beside a model JSON is about it
    if len(found) != 1:
        there = ", ".join(os.path.basename(path) for path in found) or "none"
        wanted = " or ".join(ONE_FILE[kind])
        raise PackageError("a model of type %s is one file %s; there is %s" % (kind, wanted, there))
    return found[0]


def find_class(folder):
    """Return the one class of customize_service.py that is a service; None without that file.

    Raises:
        PackageError: It cannot be imported, or has none or several.
    """
    path = os.path.join(folder, SERVICE)
    if not os.path.isfile(path):
        return None
    sys.path.insert(0, folder)  # for what it imports from beside it
    spec = importlib.util.spec_from_file_location("customize_service", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["customize_service"] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        raise PackageError("%s cannot be imported: %s%s" % (SERVICE, error, LACKS))
    except SyntaxError as error:
        raise PackageError("%s, line %s: %s" % (SERVICE, error.lineno, error.msg))
    found = [
        one
        for one in vars(module).values()
        if inspect.isclass(one) and issubclass(one, BaseService) and one.__module__ == "customize_service"
    ]
    last = [one for one in found if not any(one is not other and issubclass(other, one) for other in found)]
    if len(last) != 1:
        names = ", ".join(one.__name__ for one in last) or "none"
        raise PackageError("%s must have exactly one service class; it has %s" % (SERVICE, names))
    return last[0]
