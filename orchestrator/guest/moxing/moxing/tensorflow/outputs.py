"""Hands the values of `output_info` to the script."""

from moxing.tensorflow.v1 import tf


class Outputs(tf.train.SessionRunHook):
    """Calls the script's `output_fn` with a list that has one dictionary for each step and copy of the model.

    Args:
        output_fn: The script's.
        tensors: A list of dictionaries of tensors.
        every: Steps between two calls; 0 is one at the end.
    """

    def __init__(self, output_fn, tensors, every):
        self._output_fn = output_fn
        self._tensors = tensors
        self._every = every
        self._waiting = []
        self._steps = 0

    def before_run(self, run_context):
        """Ask for the values."""
        return tf.train.SessionRunArgs(self._tensors)

    def after_run(self, run_context, run_values):
        """Note the values, and hand them over when it is time."""
        self._waiting += run_values.results
        self._steps += 1
        if self._every and self._steps % self._every == 0:
            self._hand_over()

    def end(self, session):
        """Hand over what is left."""
        self._hand_over()

    def _hand_over(self):
        if self._waiting:
            self._output_fn(self._waiting)
        self._waiting = []
