"""Lines as MoXing writes them: `INFO:tensorflow:step: 10(global step: 10)<TAB>sample/sec: 42.087<TAB>loss: 3.451`."""

import logging
import sys
import time

from moxing.tensorflow.v1 import tf

SHORTEST = 1e-9  # seconds that are divided by


def use_plain_lines():
    """Have TensorFlow's messages be lines of `INFO:tensorflow:...`, each written once, whatever handlers there are."""
    tf.logging.set_verbosity(tf.logging.INFO)
    logger = logging.getLogger("tensorflow")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    logger.handlers = [handler]
    logger.propagate = False


def step_line(step, global_step, rate, values):
    """Return what is told of a step.

    Args:
        step: Of this run.
        global_step: Of the model.
        rate: Samples in a second.
        values: Pairs of name and number.
    """
    parts = ["step: %d(global step: %d)" % (step, global_step), "sample/sec: %.3f" % rate]
    return "\t".join(parts + ["%s: %.3f" % pair for pair in values])


class StepLogger(tf.train.SessionRunHook):
    """Tells of every n-th step.

    Args:
        tensors: Tensors of one number each, by name, in the order of the line.
        samples: In one step.
        every: Steps between two lines; 0 is none at all.
        global_step: A tensor, or None to count by itself.
    """

    def __init__(self, tensors, samples, every, global_step=None):
        self._tensors = tensors
        self._samples = samples
        self._every = every
        self._global_step = global_step
        self._step = 0
        self._told = 0
        self._time = None

    def before_run(self, run_context):
        """Ask for the numbers, where the next line needs them."""
        if self._time is None:
            self._time = time.time()
        self._step += 1
        if not self._every or self._step % self._every:
            return None
        return tf.train.SessionRunArgs([tensor for _, tensor in self._tensors])

    def after_run(self, run_context, run_values):
        """Write the line."""
        if run_values.results is None:
            return
        now = time.time()
        rate = self._samples * (self._step - self._told) / max(now - self._time, SHORTEST)
        self._time, self._told = now, self._step
        values = zip([name for name, _ in self._tensors], run_values.results)
        tell = self._global_step is not None
        # Read by itself: in the step that has just run, it may or may not have been counted yet.
        global_step = int(run_context.session.run(self._global_step)) if tell else self._step
        tf.logging.info("%s", step_line(self._step, global_step, rate, values))
