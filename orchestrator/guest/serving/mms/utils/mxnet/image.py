"""Pictures as arrays of MXNet."""

import mxnet as mx


def read(buf, flag=1, to_rgb=True, out=None):
    """Return a picture's array (height, width, channels) from the bytes of its file."""
    return mx.image.imdecode(buf, flag=flag, to_rgb=to_rgb, out=out)


def transform_shape(img_arr, dim_order="NCHW"):
    """Return (height, width, channels) as one sample in the given order."""
    if dim_order == "NCHW":
        img_arr = mx.nd.transpose(img_arr, (2, 0, 1))
    elif dim_order != "NHWC":
        raise ValueError("dim_order is NCHW or NHWC, not %s" % dim_order)
    return mx.nd.expand_dims(img_arr, axis=0)


def resize(src, new_width, new_height, interp=2):
    """Return a picture in another size."""
    return mx.image.imresize(src, new_width, new_height, interp)


def fixed_crop(src, x0, y0, width, height, size=None, interp=2):
    """Return a part of a picture, in another size where one is given."""
    return mx.image.fixed_crop(src, x0, y0, width, height, size, interp)


def color_normalize(src, mean, std=None):
    """Return a picture less a mean, over a standard deviation where one is given."""
    return mx.image.color_normalize(src, mean, std)
