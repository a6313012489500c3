"""TensorFlow Serving beside the front: what it is told, and how a model's process finds it."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.serving.settings import Deployed

ADDRESS = "MLCTL_TFSERVING"  # variable of a model's process; see guest/serving/mlctl_model/model_server.py
MODELS_CONFIG = "models.config"  # file in the folder that the pod's containers share


def models_config(models: Sequence[Deployed]) -> str:
    """Return its configuration: all versions that the service answers with, and no others.

    https://www.tensorflow.org/tfx/serving/serving_config
    """
    versions: dict[str, list[Deployed]] = {}
    for one in models:
        versions.setdefault(one.model, []).append(one)
    return f"model_config_list {{\n{''.join(_config(name, each) for name, each in versions.items())}}}\n"


def _config(name: str, versions: Sequence[Deployed]) -> str:
    numbers = " ".join(f"versions: {one.number}" for one in versions)
    return (
        f'  config {{ name: "{name}" base_path: "{Path(versions[0].folder).parent}" model_platform: "tensorflow"\n'
        f"    model_version_policy {{ specific {{ {numbers} }} }} }}\n"
    )
