"""Which checks there are for a context; one that fails does not stop the others."""

from collections.abc import Callable, Iterator

from orchestrator.config import BackendName, Context, cache_dir, get_context, home_dir
from orchestrator.doctor import machine
from orchestrator.doctor.finding import Finding, Level
from orchestrator.doctor.store import store
from orchestrator.errors import MlctlError

Check = Callable[[], Iterator[Finding]]


def findings(context: str | None, *, pod: bool = True) -> Iterator[Finding]:
    """Yield what all checks find.

    Args:
        context: Whose store and backend to check; None is the current one.
        pod: Whether a pod may be started on a cluster, which tries images and store from the inside.
    """
    checks: dict[str, Check] = {
        "Python": machine.python,
        "uv": machine.uv,
        "home": lambda: machine.folder("home", home_dir(), "MLCTL_HOME"),
        "cache": lambda: machine.folder("cache", cache_dir(), "MLCTL_CACHE"),
        "store": lambda: store(context),
        "engines": machine.engines,
        "GPUs": machine.gpus,
    }
    if _backend(context) == "kubernetes":
        for local in ("uv", "engines", "GPUs"):  # nothing is built or trained on this machine
            del checks[local]
        checks |= _cluster_checks(get_context(context), pod)
    for subject, check in checks.items():
        try:
            yield from check()
        except MlctlError as error:
            yield Finding(Level.FAIL, subject, error.message, error.hint)
            if subject == "cluster":  # the rest would say the same
                return
        except OSError as error:
            yield Finding(Level.FAIL, subject, str(error))


def _backend(context: str | None) -> BackendName:
    try:
        return get_context(context).backend
    except MlctlError:
        return "local"  # that there is no such context is found by the store's check


def _cluster_checks(context: Context, pod: bool) -> dict[str, Check]:
    from orchestrator.backends.kubernetes.api import Api
    from orchestrator.doctor import cluster, inside, rights

    api = Api(context)
    checks: dict[str, Check] = {
        "cluster": lambda: cluster.version(api),
        "namespace": lambda: cluster.namespace(api),
        "rights": lambda: rights.rights(api, context),
        "GPUs": lambda: cluster.gpus(api),
        "queues": lambda: cluster.queues(api),
        "images": lambda: cluster.images(context),
    }
    return checks | ({"pod": lambda: inside.inside(api, context)} if pod else {})
