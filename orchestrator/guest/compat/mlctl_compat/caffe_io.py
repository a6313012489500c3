"""`caffe.io` as it was with the scikit-image of its time."""


def overlay(module):
    """Mend `load_image`, which asks scikit-image for a parameter that it has no longer."""
    module.load_image = load_image


def load_image(filename, color=True):
    """Return a picture as numbers from 0 to 1, height x width x channels: 3, or 1 without `color`."""
    import numpy as np
    import skimage
    import skimage.io

    picture = skimage.img_as_float(skimage.io.imread(filename, as_gray=not color)).astype(np.float32)
    if picture.ndim == 2:
        return np.repeat(picture[:, :, np.newaxis], 3 if color else 1, axis=2)
    return picture[:, :, :3]  # without how transparent it is
