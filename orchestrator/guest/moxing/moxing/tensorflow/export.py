"""Export a trained model for TensorFlow Serving."""

import os
import shutil

from moxing.framework import file
from moxing.framework.file import paths
from moxing.tensorflow.folders import checkpoint_in, scratch
from moxing.tensorflow.graph import placeholders
from moxing.tensorflow.specs import ModeKeys
from moxing.tensorflow.v1 import tf

SIGNATURE = "predict_object"  # MoXing's own; who asks for none gets the same


def export(feed, source, log_dir):
    """Write the model that `export_spec` describes, with the variables of a checkpoint, below `log_dir`.

    The script's functions are called once more, with placeholders instead of what `input_fn` reads, so that nothing of
    the training is in the graph.

    Raises:
        ValueError: There is no checkpoint, or model_fn returns no export_spec.
    """
    input_fn, model_fn, _, auto_batch = feed
    path = source and checkpoint_in(source)
    if not path or not log_dir:
        raise ValueError("there is nothing to export: no checkpoint in %s" % (source or "log_dir, which is not given"))
    with tf.Graph().as_default():
        inputs = input_fn(ModeKeys.TRAIN)
        batched = not auto_batch
        if isinstance(inputs, tf.data.Dataset):
            inputs = inputs.make_one_shot_iterator().get_next()
        with tf.Graph().as_default():
            spec = model_fn(placeholders(inputs, batched), ModeKeys.EXPORT).export_spec
            if spec is None:
                raise ValueError("model_fn has to return an export_spec for its model to be exported")
            target = paths.join(paths.text(log_dir), _folder(spec.version, log_dir))
            _write(spec, path, target)


def _write(spec, checkpoint, target):
    local = scratch() if paths.is_url(target) else target
    if os.path.isdir(local):  # of the same training, before it was stopped and gone on with
        shutil.rmtree(local)
    signature = tf.saved_model.signature_def_utils.predict_signature_def(spec.inputs_dict, spec.outputs_dict)
    default = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    builder = tf.saved_model.builder.SavedModelBuilder(local)
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        tf.train.Saver().restore(session, checkpoint)
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.tag_constants.SERVING],
            signature_def_map={SIGNATURE: signature, default: signature},
            clear_devices=True,
        )
    builder.save()
    if local != target:
        file.copy_parallel(local, target)
        shutil.rmtree(local)
    tf.logging.info("exported to %s", target)


def _folder(version, log_dir):
    """Return the name of the folder of a version; -1 is the next number."""
    if version != -1:
        return str(version)
    taken = [int(name) for name in file.list_directory(log_dir) if name.isdigit()] if file.exists(log_dir) else []
    return str(max(taken + [0]) + 1)
