"""The gRPC side of a service: TensorFlow Serving's protocol, and the Open Inference Protocol."""
