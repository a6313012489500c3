"""Evaluate a checkpoint, or predict with it."""

from moxing.framework import flags
from moxing.tensorflow.folders import checkpoint_in
from moxing.tensorflow.graph import build
from moxing.tensorflow.log import StepLogger
from moxing.tensorflow.outputs import Outputs
from moxing.tensorflow.v1 import tf


def evaluate(feed, mode, output_fn, source, steps, every):
    """Run over the data, once or for so many steps; return the means of `log_info` (see `mox.run`).

    Raises:
        ValueError: There is no checkpoint.
    """
    input_fn, model_fn, batch_size, auto_batch = feed
    path = source and checkpoint_in(source)
    if not path:
        raise ValueError("there is no checkpoint in %s" % (source or "log_dir: it is not given"))
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        built = build(input_fn, model_fn, mode, batch_size, auto_batch)
        samples = batch_size * flags.get_flag("num_gpus")
        means = _Means(built.log_info)
        hooks = [StepLogger(built.log_info, samples, every["log"]), means] + list(built.spec.hooks)
        if output_fn and built.spec.output_info:
            hooks.append(Outputs(output_fn, built.output_info, every["output"]))
        if steps:
            hooks.append(_StopAfter(steps))
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        creator = tf.train.ChiefSessionCreator(checkpoint_filename_with_path=path, config=config)
        wanted = tf.group(*[tensor.op for outputs in built.output_info for tensor in outputs.values()])
        with tf.train.MonitoredSession(creator, hooks=hooks) as session:
            while not session.should_stop():
                session.run(wanted)
    found = means.result()
    if found:
        tf.logging.info("%s of %s:\t%s", mode, path, "\t".join("%s: %.4f" % pair for pair in found.items()))
    return found


class _Means(tf.train.SessionRunHook):
    def __init__(self, tensors):
        self._names = [name for name, _ in tensors]
        self._tensors = [tensor for _, tensor in tensors]
        self._sums = [0.0] * len(tensors)
        self._steps = 0

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(self._tensors)

    def after_run(self, run_context, run_values):
        self._sums = [total + float(value) for total, value in zip(self._sums, run_values.results)]
        self._steps += 1

    def result(self):
        return {name: total / self._steps for name, total in zip(self._names, self._sums) if self._steps}


class _StopAfter(tf.train.SessionRunHook):
    def __init__(self, steps):
        self._left = steps

    def after_run(self, run_context, run_values):
        self._left -= 1
        if self._left <= 0:
            run_context.request_stop()
