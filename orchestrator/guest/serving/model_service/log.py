"""Loggers of services; they write to the service's log."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def getLogger(name="service"):
    """Return a logger that writes to stderr."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format=_FORMAT)
    return logging.getLogger(name)


get_logger = getLogger
