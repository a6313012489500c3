"""`python -m tests.kubernetes.standin`: runs a stand-in until it is interrupted, for developers."""

import argparse
import tempfile
import threading
from pathlib import Path

from tests.kubernetes.standin.images import ours
from tests.kubernetes.standin.standin import Settings, Standin


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes.standin", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, help="how many")
    parser.add_argument("--gpus", type=int, default=4, help="nvidia.com/gpu of each node")
    parser.add_argument("--version", default=Settings().version, help="of Kubernetes, such as 1.29")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="standin-") as folder:
        settings = Settings(nodes=chosen.nodes, gpus=chosen.gpus, version=chosen.version)
        with Standin(Path(folder), settings) as standin:
            standin.image("mlctl-runtime", ours())
            print(f"export KUBECONFIG={standin.kubeconfig()}", flush=True)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                print("stopped")


if __name__ == "__main__":
    main()
