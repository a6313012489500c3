"""The messages of both protocols, as far as they are used, by the names and numbers of their fields.

On the wire a message is numbers of fields and their values, and unknown ones are skipped: absent ones do no harm.
An enumeration travels as an int32, and is one here.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# Each field: [repeated] type name number; `map` has the type of its values, keys are strings.
_MESSAGES = {
    "Int64Value": ("int64 value 1",),
    "Any": ("string type_url 1", "bytes value 2"),
    # ── TensorFlow ──
    "Dim": ("int64 size 1", "string name 2"),
    "TensorShapeProto": ("repeated Dim dim 2", "bool unknown_rank 3"),
    "TensorProto": (
        "int32 dtype 1",
        "TensorShapeProto tensor_shape 2",
        "bytes tensor_content 4",
        "repeated float float_val 5",
        "repeated double double_val 6",
        "repeated int32 int_val 7",
        "repeated bytes string_val 8",
        "repeated int64 int64_val 10",
        "repeated bool bool_val 11",
        "repeated int32 half_val 13",
        "repeated uint32 uint32_val 16",
        "repeated uint64 uint64_val 17",
    ),
    "TensorInfo": ("string name 1", "int32 dtype 2", "TensorShapeProto tensor_shape 3"),
    "SignatureDef": ("map TensorInfo inputs 1", "map TensorInfo outputs 2", "string method_name 3"),
    # ── TensorFlow Serving ──
    "ModelSpec": ("string name 1", "Int64Value version 2", "string signature_name 3", "string version_label 4"),
    "PredictRequest": ("ModelSpec model_spec 1", "map TensorProto inputs 2", "repeated string output_filter 3"),
    "PredictResponse": ("map TensorProto outputs 1", "ModelSpec model_spec 2"),
    "SignatureDefMap": ("map SignatureDef signature_def 1",),
    "GetModelMetadataRequest": ("ModelSpec model_spec 1", "repeated string metadata_field 2"),
    "GetModelMetadataResponse": ("ModelSpec model_spec 1", "map Any metadata 2"),
    "StatusProto": ("int32 error_code 1", "string error_message 2"),
    "ModelVersionStatus": ("int64 version 1", "int32 state 2", "StatusProto status 3"),
    "GetModelStatusRequest": ("ModelSpec model_spec 1",),
    "GetModelStatusResponse": ("repeated ModelVersionStatus model_version_status 1",),
    # ── Open Inference Protocol ──
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live 1",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready 1",),
    "ModelReadyRequest": ("string name 1", "string version 2"),
    "ModelReadyResponse": ("bool ready 1",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": ("string name 1", "string version 2", "repeated string extensions 3"),
    "ModelMetadataRequest": ("string name 1", "string version 2"),
    "TensorMetadata": ("string name 1", "string datatype 2", "repeated int64 shape 3"),
    "ModelMetadataResponse": (
        "string name 1",
        "repeated string versions 2",
        "string platform 3",
        "repeated TensorMetadata inputs 4",
        "repeated TensorMetadata outputs 5",
    ),
    "InferTensorContents": (
        "repeated bool bool_contents 1",
        "repeated int32 int_contents 2",
        "repeated int64 int64_contents 3",
        "repeated uint32 uint_contents 4",
        "repeated uint64 uint64_contents 5",
        "repeated float fp32_contents 6",
        "repeated double fp64_contents 7",
        "repeated bytes bytes_contents 8",
    ),
    "InferTensor": (
        "string name 1",
        "string datatype 2",
        "repeated int64 shape 3",
        "InferTensorContents contents 5",
    ),
    "InferRequestedOutputTensor": ("string name 1",),
    "ModelInferRequest": (
        "string model_name 1",
        "string model_version 2",
        "string id 3",
        "repeated InferTensor inputs 5",
        "repeated InferRequestedOutputTensor outputs 6",
        "repeated bytes raw_input_contents 7",
    ),
    "ModelInferResponse": (
        "string model_name 1",
        "string model_version 2",
        "string id 3",
        "repeated InferTensor outputs 5",
        "repeated bytes raw_output_contents 6",
    ),
    # ── health, as gRPC itself has it ──
    "HealthCheckRequest": ("string service 1",),
    "HealthCheckResponse": ("int32 status 1",),
}
_PACKAGE = "mlctl"


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="mlctl.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            *how, kind, title, number = field.split()
            if how == ["map"]:
                _add(message, True, f"{name}.{_entry(message, kind, title)}", title, int(number))
            else:
                _add(message, how == ["repeated"], kind, title, int(number))
    return file


def _entry(message: DescriptorProto, kind: str, title: str) -> str:
    """Add the message that an entry of a map is; return its name."""
    entry = message.nested_type.add(name="".join(part.title() for part in title.split("_")) + "Entry")
    entry.options.map_entry = True
    _add(entry, False, "string", "key", 1)
    _add(entry, False, kind, "value", 2)
    return entry.name


def _add(message: DescriptorProto, repeated: bool, kind: str, title: str, number: int) -> None:
    field = message.field.add(name=title, number=number)
    field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    if kind.partition(".")[0] in _MESSAGES:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")


# A pool of its own: a process that has the protocols' own messages, too, knows them by the same names.
_pool = DescriptorPool()
_pool.Add(_file())


def message(name: str) -> Any:
    """Return the class of a message."""
    return GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
