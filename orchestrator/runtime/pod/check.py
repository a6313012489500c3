"""What a short pod does for `mlctl doctor`: find out whether the store can be used from inside the cluster."""

from orchestrator.runtime.pod.settings import Settings
from orchestrator.store import open_store
from orchestrator.store.conditions import check_conditions

PATIENCE = 15.0  # seconds that one request may take with all its attempts


def check(settings: Settings) -> int:
    """Write to the store, tell so, and return the exit code.

    Raises:
        MlctlError: It cannot be reached, or used.
    """
    store = open_store(settings.context.store, settings.context, patience=PATIENCE)
    store.check_writable()
    check_conditions(store)
    print(f"{store.url} is writable; conditional writes hold", flush=True)
    return 0
