"""The platform's flags, declared to TensorFlow's parser, which refuses those that nobody has declared."""

from moxing.tensorflow.v1 import tf

_TEXTS = {
    "job_name": "`worker` or `ps`",
    "ps_hosts": "host:port of the parameter servers, with commas",
    "worker_hosts": "host:port of the workers, with commas",
}
_NUMBERS = {"num_gpus": "GPUs of each worker", "task_index": "which of the workers this is, from 0"}


def declare():
    """Declare those that the script has not declared."""
    known = set(tf.flags.FLAGS)
    for name in sorted(set(_NUMBERS) - known):
        tf.flags.DEFINE_integer(name, None, _NUMBERS[name])
    for name in sorted(set(_TEXTS) - known):
        tf.flags.DEFINE_string(name, None, _TEXTS[name])
