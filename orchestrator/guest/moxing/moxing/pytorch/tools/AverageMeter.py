"""A running mean; scripts import everything from here."""

__all__ = ["AverageMeter"]


class AverageMeter(object):
    """The mean of what it was told.

    Attributes:
        val: The last value.
        avg: Their mean, by weight.
        sum: Their sum.
        count: The sum of the weights.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        """Forget everything."""
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        """Count a value as n values."""
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count
