"""What clients of TensorFlow Serving write with its own stubs, without TensorFlow."""

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

# TensorFlow's types, and the fields that have their values where they are not in one piece.
TYPES = {
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "int8": ("DT_INT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "uint8": ("DT_UINT8", "int_val"),
    "uint16": ("DT_UINT16", "int_val"),
    "uint32": ("DT_UINT32", "uint32_val"),
    "uint64": ("DT_UINT64", "uint64_val"),
    "object": ("DT_STRING", "string_val"),
}


def tensor(values: np.ndarray, whole: bool) -> tensor_pb2.TensorProto:
    name, field = TYPES[values.dtype.name]
    made = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(name))
    for size in values.shape:
        made.tensor_shape.dim.add().size = size
    if whole:
        made.tensor_content = values.tobytes()
    else:
        getattr(made, field).extend(values.ravel().tolist())
    return made


def array(made: tensor_pb2.TensorProto) -> np.ndarray:
    kind = next(kind for kind, (name, _) in TYPES.items() if types_pb2.DataType.Value(name) == made.dtype)
    shape = [dim.size for dim in made.tensor_shape.dim]
    return np.array(getattr(made, TYPES[kind][1]), kind).reshape(shape)


def request(values: np.ndarray, *, whole: bool = False, name: str = "x") -> predict_pb2.PredictRequest:
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "echo"
    made.model_spec.signature_name = "predict_images"
    made.inputs[name].CopyFrom(tensor(values, whole))
    return made
