"""A command beside the script in its container: through kubectl, which knows all ways to log in and to stream."""

import shlex
import shutil
from collections.abc import Sequence

from orchestrator.backends.kubernetes.names import MAIN
from orchestrator.backends.kubernetes.volumes import SHARED
from orchestrator.config import Context
from orchestrator.errors import NotFoundError

_SHELL = ["sh", "-c", "if command -v bash > /dev/null; then exec bash; else exec sh; fi"]


def kubectl_exec(context: Context, pod: str, command: Sequence[str], terminal: bool) -> list[str]:
    """Return the command line of kubectl.

    Args:
        context: Names the cluster and the namespace.
        pod: Whose script it is.
        command: Nothing is an interactive shell.
        terminal: Whether a person sits at it.

    Raises:
        NotFoundError: There is no kubectl; the hint is the command to run where there is one.
    """
    argv = ["kubectl"]
    argv += ["--kubeconfig", context.kubeconfig] if context.kubeconfig else []
    argv += ["--context", context.kube_context] if context.kube_context else []
    argv += ["--namespace", context.namespace or "default", "exec", "--stdin"]
    argv += ["--tty"] if terminal else []
    argv += [pod, "--container", MAIN, "--"]
    plain = [*argv, *(command or ["sh"])]
    if shutil.which("kubectl") is None:
        raise NotFoundError("there is no kubectl on the PATH", hint=f"where there is one: {shlex.join(plain)}")
    return [*argv, "sh", "-c", beside(SHARED), "sh", *(command or _SHELL)]


def beside(volume: str) -> str:
    """Return a program of the shell that runs its arguments as the script runs: in its folder, with its variables.

    Args:
        volume: The folder that the pod's containers share.
    """
    return f"""
load() {{
    . {volume}/start/command
    while case ${{1-}} in [A-Za-z_]*=*) true ;; *) false ;; esac; do export "$1"; shift; done
}}
python=$(command -v python || command -v python3)
if [ -d /cache ] && [ -w /cache ]; then cache=/cache; else cache={volume}/work/cache; fi
load
cd {volume}/work/user-job-dir
exec "$@"
"""
