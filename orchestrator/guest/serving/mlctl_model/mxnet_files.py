"""What a service of MXNet is told of its files: names and shapes that neither the symbol nor the weights tell alone."""

import glob
import json
import os

import mxnet as mx

SIGNATURE = "signature.json"
SIZES = (28, 32, 64, 96, 112, 128, 224, 227, 256, 299, 300, 331, 416, 512)  # of pictures, in pixels


def manifest_of(folder):
    """Return the manifest that `MXNetBaseService` takes.

    Shapes come from `signature.json`, else from the variables `input_data_name`, `input_data_shape` and
    `output_data_shape`, as ModelArts has them, else from what fits the weights.

    Those variables that are not there are set to what was found: services read them, too.

    Raises:
        ValueError: Files are missing, or no shape fits.
    """
    symbol, weights = _one(folder, "*-symbol.json"), _one(folder, "*.params")
    path = os.path.join(folder, SIGNATURE)
    if os.path.isfile(path):
        with open(path) as file:
            signature = json.load(file)
    else:
        signature = _signature(os.path.join(folder, symbol), os.path.join(folder, weights))
    for given in signature["inputs"][:1]:
        os.environ.setdefault("input_data_name", given["data_name"])
        os.environ.setdefault("input_data_shape", _written(given["data_shape"]))
    for made in signature.get("outputs", ())[:1]:
        os.environ.setdefault("output_data_shape", _written(made["data_shape"]))
    return {
        "Model": {"Symbol": symbol, "Parameters": weights, "Signature": signature, "Model-Format": "MXNet-Symbolic"}
    }


def _one(folder, pattern):
    found = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, pattern)))
    if not found:
        raise ValueError("there is no file %s in the package" % pattern)
    return found[-1]  # of several epochs the last


def _signature(symbol_path, weights_path):
    symbol = mx.sym.load(symbol_path)
    weights = {name.partition(":")[2]: tuple(value.shape) for name, value in mx.nd.load(weights_path).items()}
    given = os.environ.get("input_data_shape")
    free = [name for name in symbol.list_arguments() if name not in weights]
    names = [name for name in free if not name.endswith("label")] or free
    name = os.environ.get("input_data_name") or (names[0] if names else "data")
    shape = _parsed(given) if given else _fitting(symbol, weights, name)
    _, outputs, _ = symbol.infer_shape_partial(**{name: tuple([1] + shape[1:])})
    wanted = os.environ.get("output_data_shape")
    return {
        "guessed": not given,  # others may fit as well, as the same numbers flat and as a picture
        "inputs": [{"data_name": name, "data_shape": shape}],
        "outputs": [
            {"data_name": output, "data_shape": _parsed(wanted) if wanted else [0] + list(found[1:])}
            for output, found in zip(symbol.list_outputs(), outputs)
        ],
    }


def _fitting(symbol, weights, name):
    """Return the input's shape, 0 for the number of samples, with which all weights have the shapes that they have."""
    declared = symbol.attr_dict().get(name, {}).get("__shape__")
    if declared:
        return [0] + _parsed(declared.strip("()[] "))[1:]
    widths = sorted({shape[1] for shape in weights.values() if len(shape) > 1})
    flat = [(1, width) for width in widths]
    pictures = [(1, channels, size, size) for size in SIZES for channels in widths if channels <= 4]
    for shape in pictures + flat:
        try:
            found, _, _ = symbol.infer_shape(**{name: shape})
        except mx.base.MXNetError:
            continue
        known = dict(zip(symbol.list_arguments(), found or ()))
        if known and all(known[one] == weights[one] for one in known if one in weights):
            return [0] + list(shape[1:])
    message = "the shape of the model's input %r is not known: set the variable input_data_shape, as in 0,1,28,28"
    raise ValueError(message % name)


def _written(shape):
    return ",".join(str(size) for size in shape)


def _parsed(text):
    return [int(size) for size in text.split(",") if size.strip()]
