"""The names of `tf.contrib` that small scripts use, on TensorFlow 2."""

import tensorflow.compat.v1 as tf
from tensorflow.python.keras.legacy_tf_layers import core

from mlctl_compat import input_data
from mlctl_compat.tf1 import lacking


def module():
    """Return `tf.contrib`."""
    contrib = lacking("tf.contrib")
    contrib.layers = lacking("tf.contrib.layers")
    for function in (fully_connected, flatten, l1_regularizer, l2_regularizer):
        setattr(contrib.layers, function.__name__, function)
    contrib.layers.xavier_initializer = xavier_initializer
    contrib.layers.xavier_initializer_conv2d = xavier_initializer
    contrib.layers.variance_scaling_initializer = variance_scaling_initializer
    contrib.framework = lacking("tf.contrib.framework")
    contrib.framework.get_global_step = tf.train.get_global_step
    contrib.framework.get_or_create_global_step = tf.train.get_or_create_global_step
    contrib.learn = lacking("tf.contrib.learn")
    contrib.learn.datasets = lacking("tf.contrib.learn.datasets")
    contrib.learn.datasets.mnist = input_data
    return contrib


def xavier_initializer(uniform=True, seed=None, dtype=tf.float32):
    """Return Glorot and Bengio's initializer."""
    kind = tf.glorot_uniform_initializer if uniform else tf.glorot_normal_initializer
    return kind(seed=seed, dtype=dtype)


def variance_scaling_initializer(factor=2.0, mode="FAN_IN", uniform=False, seed=None, dtype=tf.float32):
    """Return He's initializer, by default."""
    distribution = "uniform" if uniform else "truncated_normal"
    return tf.variance_scaling_initializer(factor, mode.lower(), distribution, seed=seed, dtype=dtype)


def l1_regularizer(scale, scope=None):
    """Return a function that gives the scaled sum of the absolute values of a tensor."""
    return lambda tensor: tf.multiply(float(scale), tf.reduce_sum(tf.abs(tensor)), name=scope)


def l2_regularizer(scale, scope=None):
    """Return a function that gives half of the scaled sum of the squares of a tensor."""
    return lambda tensor: tf.multiply(float(scale), tf.nn.l2_loss(tensor), name=scope)


def flatten(inputs, scope=None):
    """Return a row for each example."""
    return core.flatten(inputs, name=scope)


def fully_connected(
    inputs,
    num_outputs,
    activation_fn=tf.nn.relu,
    weights_initializer=None,
    weights_regularizer=None,
    biases_initializer=None,
    reuse=None,
    trainable=True,
    scope=None,
):
    """Add a layer in which every output depends on every input."""
    return core.dense(
        inputs,
        num_outputs,
        activation=activation_fn,
        kernel_initializer=weights_initializer or xavier_initializer(),
        kernel_regularizer=weights_regularizer,
        bias_initializer=biases_initializer or tf.zeros_initializer(),
        reuse=reuse,
        trainable=trainable,
        name=scope,
    )
