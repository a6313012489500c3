"""TensorFlow as version 1 has it."""

try:
    import tensorflow.compat.v1 as tf

    if tf.__version__.startswith("2."):
        tf.disable_v2_behavior()
except ImportError:  # 1.12 and before have no compat.v1
    import tensorflow as tf

__all__ = ["tf"]
