"""Words for modes; scripts import everything from here."""

__all__ = ["ModeKeys"]


class ModeKeys(object):
    """What a run is for."""

    TRAIN = "train"
    EVAL = "eval"
