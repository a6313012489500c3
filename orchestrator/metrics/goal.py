"""Which values of a metric are better, guessed from its name where the spec does not say."""

import re

from orchestrator.metrics.kinds import Goal

_LESS = {"err", "mse", "mae", "rmse", "mape", "perplexity", "ppl", "cost", "nll", "wer", "cer", "kl", "fid"}
_LESS |= {"divergence", "time", "seconds", "duration", "latency", "memory"}
_LESS_ENDINGS = ("loss", "error", "entropy")


_ASIDE = {
    "speed",
    "lr",
    "learning_rate",
    "seconds",
    "time",
    "sample",
    "samples",
    "sec",
}  # of training
_HELD_BACK = {"val", "validation", "test", "eval", "dev"}
_SHARES = {"accuracy", "acc", "auc", "f1", "top1"}


def guess_goal(name: str) -> Goal:
    """Return `minimize` for what is named as a loss, an error or an expense, else `maximize`."""
    less = any(word in _LESS or word.endswith(_LESS_ENDINGS) for word in _words(name))
    return "minimize" if less else "maximize"


def weight(name: str, *, declared: bool) -> int:
    """Return how much a metric tells of a training's result: those of the spec first, then those of data held back."""
    words = set(_words(name))
    if declared:
        return 8
    if words & _ASIDE:
        return 0
    return 1 + 4 * bool(words & _HELD_BACK) + 2 * bool(words & _SHARES) + ("loss" in words)


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
