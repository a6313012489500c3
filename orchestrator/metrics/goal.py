"""Which values of a metric are better, guessed from its name where the spec does not say."""

import re

from orchestrator.metrics.table import Goal

_LESS = {"err", "mse", "mae", "rmse", "mape", "perplexity", "ppl", "cost", "nll", "wer", "cer", "kl", "fid"}
_LESS |= {"divergence", "time", "seconds", "duration", "latency", "memory"}
_LESS_ENDINGS = ("loss", "error", "entropy")


def guess_goal(name: str) -> Goal:
    """Return `minimize` for what is named as a loss, an error or an expense, else `maximize`."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    less = any(word in _LESS or word.endswith(_LESS_ENDINGS) for word in words)
    return "minimize" if less else "maximize"
