"""Arrays in the messages of both protocols."""

from http import HTTPStatus
from typing import Any

import numpy as np

from orchestrator.serving.raw import from_raw, shaped, whole
from orchestrator.serving.replies import RequestError
from orchestrator.serving.rpc.messages import message
from orchestrator.serving.texts import TEXT, texts_of

_TENSOR, _SHAPE, _CONTENTS = message("TensorProto"), message("TensorShapeProto"), message("InferTensorContents")
_STRING = 7  # TensorFlow's number of strings
# TensorFlow's numbers of types, and the fields that hold their values where they are not in one piece.
_TYPES = {
    1: ("float32", "float_val"), 2: ("float64", "double_val"), 3: ("int32", "int_val"), 4: ("uint8", "int_val"),
    5: ("int16", "int_val"), 6: ("int8", "int_val"), _STRING: (TEXT, "string_val"), 9: ("int64", "int64_val"),
    10: ("bool", "bool_val"), 17: ("uint16", "int_val"), 19: ("float16", "half_val"), 22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}  # fmt: skip
_NUMBERS = {name: number for number, (name, _) in _TYPES.items()}
# The Open Inference Protocol's types that have such a field; FP16 only comes in one piece.
_FIELDS = {
    "bool": "bool_contents", "int8": "int_contents", "int16": "int_contents", "int32": "int_contents",
    "int64": "int64_contents", "uint8": "uint_contents", "uint16": "uint_contents", "uint32": "uint_contents",
    "uint64": "uint64_contents", "float32": "fp32_contents", "float64": "fp64_contents",
}  # fmt: skip


def number_of(kind: str) -> int:
    """Return TensorFlow's number of a NumPy type; that of strings for all that it has no number for."""
    return _NUMBERS.get(kind, _STRING)


def shape_of(sizes: list[int] | None) -> Any:
    """Return a shape as TensorFlow tells it; None is any."""
    if sizes is None:
        return _SHAPE(unknown_rank=True)
    return _SHAPE(dim=[{"size": -1 if size is None else size} for size in sizes])


def from_tensor(name: str, tensor: Any) -> Any:
    """Return the array of a TensorProto. Raises RequestError."""
    if tensor.dtype not in _TYPES:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name} has a type that is not taken ({tensor.dtype})")
    kind, field = _TYPES[tensor.dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content and kind != TEXT:
        return from_raw(name, tensor.tensor_content, kind, shape)
    try:
        flat = np.array(getattr(tensor, field), dtype="uint16" if field == "half_val" else kind).view(kind)
    except OverflowError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {name}: {error}") from error
    wanted = whole(name, shape, flat.itemsize)
    if 0 < flat.size < wanted:  # as in TensorFlow, the last value stands for all that follow
        flat = np.concatenate([flat, np.full(wanted - flat.size, flat[-1], dtype=flat.dtype)])
    return shaped(name, flat, shape)


def to_tensor(value: Any) -> Any:
    """Return a TensorProto with its values in the field of their type, where clients of TensorFlow Serving look."""
    tensor = _TENSOR(dtype=number_of(value.dtype.name), tensor_shape=shape_of(list(value.shape)))
    flat = value.reshape(-1)
    if tensor.dtype == _STRING:
        tensor.string_val.extend(texts_of(flat))
    elif value.dtype == np.float16:
        tensor.half_val.extend(flat.view(np.uint16).tolist())
    else:
        getattr(tensor, _TYPES[tensor.dtype][1]).extend(flat.tolist())
    return tensor


def from_infer(tensor: Any, kind: str, raw: bytes | None) -> Any:
    """Return the array of an input of the Open Inference Protocol. Raises RequestError."""
    shape = list(tensor.shape)
    if raw is not None:
        return from_raw(tensor.name, raw, kind, shape)
    if kind == TEXT:
        return shaped(tensor.name, np.array(list(tensor.contents.bytes_contents), dtype=TEXT), shape)
    if kind not in _FIELDS:
        raise RequestError(
            HTTPStatus.BAD_REQUEST, f"input {tensor.name}: {tensor.datatype} has to be sent as raw bytes"
        )
    try:
        return shaped(tensor.name, np.array(getattr(tensor.contents, _FIELDS[kind]), dtype=kind), shape)
    except OverflowError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"input {tensor.name}: {error}") from error


def to_contents(value: Any) -> Any:
    """Return the values of an output; of a type without a field as strings."""
    flat = value.reshape(-1)
    if value.dtype.name in _FIELDS:
        return _CONTENTS(**{_FIELDS[value.dtype.name]: flat.tolist()})
    return _CONTENTS(bytes_contents=texts_of(flat))
