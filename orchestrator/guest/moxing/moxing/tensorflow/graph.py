"""The graph of a run: inputs, and a copy of the model for each GPU."""

from moxing.framework import flags
from moxing.tensorflow.specs import ModelSpec
from moxing.tensorflow.v1 import tf

CAPACITY = 4  # batches that are read ahead


class Built(object):
    """A graph's tensors.

    Attributes:
        loss: Mean of all copies; None if the model has none.
        log_info: Pairs of name and tensor, the loss first if the script has not named it.
        output_info: Tensors by name, a list with one for each copy.
        spec: The first copy's ModelSpec.
        gradients: Pairs of gradient and variable, if it is trained.
    """

    def __init__(self, specs, gradients):
        self.spec = specs[0]
        self.gradients = gradients
        losses = [_sum(spec.loss) for spec in specs if spec.loss is not None]
        self.loss = tf.add_n(losses) / len(losses) if losses else None
        info = [(name, _mean([spec.log_info[name] for spec in specs])) for name in self.spec.log_info]
        if self.loss is not None and "loss" not in self.spec.log_info:
            info.insert(0, ("loss", self.loss))
        self.log_info = sorted(info, key=lambda pair: pair[0] != "loss")
        self.output_info = [spec.output_info for spec in specs]


def build(input_fn, model_fn, mode, batch_size, auto_batch, optimizer=None):
    """Build the model once for each GPU, each with its own batches and the same variables.

    Args:
        input_fn: The script's: `input_fn(run_mode)` returns tensors.
        model_fn: The script's: `model_fn(inputs, run_mode)` returns a ModelSpec.
        mode: Of ModeKeys.
        batch_size: Samples of each copy.
        auto_batch: Whether the inputs are single samples, to be made batches of here.
        optimizer: Which computes gradients.
    """
    specs, gradients = [], []
    on_gpus = flags.number_of_gpus() > 0
    for number in range(flags.get_flag("num_gpus")):
        place = "/gpu:%d" % number if on_gpus else ""
        with tf.device(place), tf.variable_scope(tf.get_variable_scope(), reuse=number > 0 or None):
            with tf.device("/cpu:0" if on_gpus else ""):
                inputs = read(input_fn, mode, batch_size, auto_batch)
            spec = model_fn(inputs, mode)
            if not isinstance(spec, ModelSpec):
                raise TypeError("model_fn has to return a mox.ModelSpec, not %r" % (spec,))
            specs.append(spec)
            if optimizer is not None:
                gradients.append(optimizer.compute_gradients(_sum(spec.loss), var_list=_trained(spec)))
    return Built(specs, _averaged(gradients))


def read(input_fn, mode, batch_size, auto_batch):
    """Return a batch of what the script reads."""
    inputs = input_fn(mode)
    if isinstance(inputs, tf.data.Dataset):
        inputs = (inputs.batch(batch_size) if auto_batch else inputs).make_one_shot_iterator().get_next()
        return inputs
    if not auto_batch:
        return inputs
    single = not isinstance(inputs, (list, tuple, dict))
    batch = tf.train.batch(
        [inputs] if single else inputs if isinstance(inputs, dict) else list(inputs),
        batch_size,
        capacity=CAPACITY * batch_size,
        allow_smaller_final_batch=mode != "train",
    )
    return batch if single is False or not isinstance(batch, list) else batch[0]


def placeholders(inputs, batched):
    """Return placeholders in the form of inputs, with any number of samples.

    Args:
        inputs: Tensors, in lists, tuples or dictionaries.
        batched: Whether they are batches already.
    """
    if isinstance(inputs, dict):
        return {name: placeholders(one, batched) for name, one in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        return [placeholders(one, batched) for one in inputs]
    shape = inputs.shape
    if shape.ndims is not None:
        shape = tf.TensorShape([None] + shape.as_list()[1 if batched else 0 :])
    return tf.placeholder(inputs.dtype, shape)


def _sum(loss):
    return tf.add_n(list(loss)) if isinstance(loss, (list, tuple)) else loss


def _mean(tensors):
    numbers = [tf.cast(tf.reduce_mean(tf.cast(tensor, tf.float32)), tf.float32) for tensor in tensors]
    return tf.add_n(numbers) / len(numbers)


def _trained(spec):
    """Return the variables that are trained."""
    if not spec.var_scopes:
        return tf.trainable_variables()
    found = []
    for scope in spec.var_scopes:
        found += tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope)
    return found


def _averaged(gradients):
    """Return the mean gradient of each variable over all copies."""
    if len(gradients) < 2:
        return [pair for pair in (gradients[0] if gradients else []) if pair[0] is not None]
    averaged = []
    for pairs in zip(*gradients):
        known = [tf.convert_to_tensor(gradient) for gradient, _ in pairs if gradient is not None]
        if known:
            averaged.append((tf.add_n(known) / len(known), pairs[0][1]))
    return averaged
