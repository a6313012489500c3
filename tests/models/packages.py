"""Packages as ModelArts lays them out."""

import json
from typing import Any

CONFIG: dict[str, Any] = {
    "model_algorithm": "image_classification",
    "model_type": "MXNet",
    "metrics": {"accuracy": 0.98},
    "apis": [{"procotol": "http", "url": "/", "method": "post", "request": {}, "response": {}}],
}
SERVICE = """
from mms.model_service.mxnet_model_service import MXNetBaseService

class Digits(MXNetBaseService):
    pass
"""


def mxnet(weights: str = "weights", **config: Any) -> dict[str, str]:
    """Return the files of a package, by path below `model/`."""
    return {
        "pred-symbol.json": "{}",
        "pred-0000.params": weights,
        "config.json": json.dumps(CONFIG | config),
        "customize_service.py": SERVICE,
    }


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    """Return files with their paths below a folder."""
    return {f"{folder}/{path}": content for path, content in files.items()}
