"""The program `mlctl`, also as `python -m orchestrator`: Ctrl-C ends it quietly from its first moment to its last."""

import signal


def main() -> None:
    """Be the console script `mlctl`."""
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # or somebody wants it ignored
    if handled:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from orchestrator.cli.main import main as run

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        if handled:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
