"""A search for hyperparameters: `mox.auto.ParamSpec`, `search`, `run`."""

import functools
import shutil

from moxing import uncovered
from moxing.tensorflow.folders import scratch
from moxing.tensorflow.run import run as _run
from moxing.tensorflow.specs import ModeKeys
from moxing.tensorflow.v1 import tf

RATES = 5  # learning rates that are tried, between the lowest and the highest, each so many times the one before
SPAN = 10.0  # how many times the given learning rate the highest is, and the lowest is of it


class ParamSpec(object):
    """Hyperparameters by name, as attributes: each a value, or a list of values to be tried."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def items(self):
        """Return pairs of name and value, by name."""
        return sorted(self.__dict__.items())

    def having(self, **values):
        """Return the same with some other values."""
        return ParamSpec(**dict(self.__dict__, **values))

    def __repr__(self):
        return "ParamSpec(%s)" % ", ".join("%s=%r" % pair for pair in self.items())


def run(param_spec=None, **arguments):
    """Do as `mox.run`; the script's functions get `param_spec`, too."""
    return _run(**_with(param_spec, arguments))


def search(
    input_fn=None,
    model_fn=None,
    optimizer_fn=None,
    batch_size=None,
    auto_batch=True,
    total_steps=0,
    evaluation_total_steps=0,
    param_spec=None,
    param_list_spec=None,
    by_acc=True,
    search_learning_rate=True,
    init_learning_rate=None,
    end_learning_rate=None,
    acc_name="accuracy",
    loss_name="loss",
    log_every_n_steps=0,
    select_by_eval=None,
    **options
):  # fmt: skip
    """Return the hyperparameters that are best after a short training, of those that were tried.

    One after the other, first the learning rate, each is given all its values, and the best stays. Each trial is a
    training of its own from the beginning.

    Args:
        input_fn, model_fn, optimizer_fn, batch_size, auto_batch: As of `mox.run`; the functions get `param_spec`, too.
        total_steps: Of each trial.
        evaluation_total_steps: Of the evaluation after it.
        param_spec: What is tried first.
        param_list_spec: What else is tried: lists of values.
        by_acc: Whether the highest accuracy is best, rather than the lowest loss.
        search_learning_rate: Whether other learning rates are tried although `param_list_spec` has none.
        init_learning_rate: The lowest of these.
        end_learning_rate: The highest of these.
        acc_name: Name of the accuracy in `log_info`.
        loss_name: Name of the loss in it.
        log_every_n_steps: Of each trial; 0: none.
        select_by_eval: Of no use here: every trial is evaluated.
        options: Of MoXing, but not covered.

    Raises:
        NotCoveredError: An argument is one that mlctl's MoXing does not have.
        ValueError: An argument is missing, or the accuracy is not in `log_info`.
    """
    given = sorted(name for name, value in options.items() if value is not None)
    if given:
        raise uncovered.NotCoveredError(uncovered.message_for("mox.auto.search(%s=...)" % given[0]))
    if param_spec is None or not total_steps or not evaluation_total_steps:
        raise ValueError("mox.auto.search needs param_spec, total_steps and evaluation_total_steps")
    lists = dict(param_list_spec.items()) if param_list_spec else {}
    if search_learning_rate and "learning_rate" in dict(param_spec.items()):
        rate = param_spec.learning_rate
        lists.setdefault("learning_rate", _rates(init_learning_rate or rate / SPAN, end_learning_rate or rate * SPAN))
    fixed = {"input_fn": input_fn, "model_fn": model_fn, "optimizer_fn": optimizer_fn}
    fixed.update(batch_size=batch_size, auto_batch=auto_batch, log_every_n_steps=log_every_n_steps)
    measure = (acc_name, 1.0) if by_acc else (loss_name, -1.0)

    def score(spec):
        return _score(spec, fixed, total_steps, evaluation_total_steps, measure)

    best, highest = param_spec, score(param_spec)
    for name in sorted(lists, key=lambda one: (one != "learning_rate", one)):
        start = best
        for value in lists[name]:
            if value == getattr(start, name, None):
                continue
            found = score(start.having(**{name: value}))
            if found > highest:
                best, highest = start.having(**{name: value}), found
    tf.logging.info("best of all: %r", best)
    return best


def _score(spec, fixed, steps, evaluation_steps, measure):
    folder = scratch()
    name, sign = measure
    arguments = _with(spec, dict(fixed, log_dir=folder))
    try:
        _run(run_mode=ModeKeys.TRAIN, max_number_of_steps=steps, save_summary_steps=0, **arguments)
        means = _run(run_mode=ModeKeys.EVAL, max_number_of_steps=evaluation_steps, **arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if name not in means:
        raise ValueError("log_info has no %r, only %s" % (name, ", ".join(sorted(means))))
    found = sign * means[name]
    tf.logging.info("%s: %.4f with %r", name, means[name], spec)
    return found if found == found else -float("inf")  # no number: it has diverged


def _rates(lowest, highest):
    return [lowest * (highest / lowest) ** (number / float(RATES - 1)) for number in range(RATES)]


def _with(spec, arguments):
    """Return the arguments with functions that get `param_spec`."""
    names = ("input_fn", "model_fn", "optimizer_fn")
    found = {name: functools.partial(arguments[name], param_spec=spec) for name in names if arguments.get(name)}
    return dict(arguments, **found)


uncovered.guard(__name__)
