"""The network, shared by the training script and the online service."""

from torch import nn


class DigitNetwork(nn.Sequential):
    """28x28 grey images in, ten scores out."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 12x12
            nn.Conv2d(16, 32, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 4x4
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        )
