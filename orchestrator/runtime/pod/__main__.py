"""`python -m orchestrator.runtime.pod fetch|sync|check|board`: what the runtime image is started with."""

import os
import signal
import sys

from orchestrator.errors import MlctlError, UsageError
from orchestrator.runtime.pod.settings import settings_from, settle
from orchestrator.runtime.pod.words import Words


def main() -> int:
    """Run the part of the pod that is named on the command line, and return its exit code."""
    # It waits until there is a handler; what process 1 of a container does not handle is lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        settings = settings_from(os.environ)
        settle(settings)
        match sys.argv[1:]:
            case ["fetch"]:
                from orchestrator.runtime.pod.fetch import Fetch

                sys.stderr = Words(settings.volume.words("fetch"))
                return Fetch(settings).run()
            case ["sync"]:
                from orchestrator.runtime.pod.sync import Sync

                sys.stderr = Words(settings.volume.words("sync"))
                return Sync(settings).run()
            case ["check"]:
                from orchestrator.runtime.pod.check import check

                return check(settings)
            case ["board"]:
                from orchestrator.runtime.pod.board import bring_events

                return bring_events(settings)
        raise UsageError("usage: python -m orchestrator.runtime.pod fetch|sync|check|board")
    except MlctlError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
