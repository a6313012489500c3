"""Which backend a context has."""

from orchestrator.backends.base import Backend
from orchestrator.config import Context
from orchestrator.progress import Reporter


def backend_of(context: Context, reporter: Reporter) -> Backend:
    """Return what runs the jobs of a context; only that one is loaded."""
    if context.backend == "kubernetes":
        from orchestrator.backends.kubernetes.backend import KubernetesBackend

        return KubernetesBackend(context, reporter)
    from orchestrator.backends.local.backend import LocalBackend

    return LocalBackend(context.name)
