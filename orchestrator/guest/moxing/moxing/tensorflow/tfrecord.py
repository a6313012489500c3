"""Samples from TFRecord files."""

import os

from moxing.framework import file
from moxing.tensorflow.v1 import tf

SHUFFLED = 1000  # samples among which the next one is chosen, if there are not fewer


class Records(object):
    """Decoded samples; `get` returns the tensors of the next one."""

    def __init__(self, sample):
        self._sample = sample

    def get(self, names):
        """Return the tensors of these names, of one and the same sample."""
        return [self._sample[name] for name in names]


def get_tfrecord(
    dataset_dir, file_pattern, num_samples, keys_to_features, items_to_handlers, num_epochs=None, shuffle=True
):
    """Return the samples of TFRecord files.

    Args:
        dataset_dir: A folder.
        file_pattern: Of the names of the files, as in `train-*.tfrecord`.
        num_samples: How many there are.
        keys_to_features: As of `tf.parse_single_example`.
        items_to_handlers: Decoders of `tf.contrib.slim`, by the names that `get` is asked for.
        num_epochs: How often all are read; None is without end.
        shuffle: Whether their order is by chance.

    Raises:
        IOError: There is no such file.
    """
    names = sorted(file.glob(os.path.join(dataset_dir, file_pattern)))
    if not names:
        raise IOError(2, "there is no %s in %s" % (file_pattern, dataset_dir))
    samples = tf.data.TFRecordDataset(names)
    if shuffle:
        samples = samples.shuffle(max(1, min(num_samples, SHUFFLED)))
    record = samples.repeat(num_epochs).make_one_shot_iterator().get_next()
    features = tf.parse_single_example(record, keys_to_features)
    return Records({name: one.tensors_to_item(features) for name, one in items_to_handlers.items()})
