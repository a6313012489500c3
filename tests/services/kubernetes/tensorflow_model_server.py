#!/usr/bin/env python3
"""Stands for TensorFlow Serving: its configuration and REST protocol, around a model that doubles what it is given.

A version whose saved_model.pb says `broken` cannot be loaded.
"""

import argparse
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rest_api_port", type=int)
parser.add_argument("--model_config_file", type=Path)
asked = parser.parse_args()
VERSIONS = {}
for name, base, numbers in re.findall(
    r'name: "([^"]+)" base_path: "([^"]+)".*?specific \{([^}]*)\}', asked.model_config_file.read_text(), re.DOTALL
):
    for number in re.findall(r"versions: (\d+)", numbers):
        VERSIONS[f"/v1/models/{name}/versions/{number}"] = Path(base, number, "saved_model.pb").read_text()
TENSOR = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}], "unknown_rank": False}}
SIGNATURE = {"inputs": {"x": TENSOR}, "outputs": {"y": TENSOR}, "method_name": "tensorflow/serving/predict"}


class Answer(BaseHTTPRequestHandler):
    """The protocol."""

    def do_GET(self):
        path, metadata, _ = self.path.partition("/metadata")
        if path not in VERSIONS:
            self.answer(404, {"error": "Servable not found for request"})
        elif metadata:
            told = {"signature_def": {"signature_def": {"serving_default": SIGNATURE}}}
            self.answer(200, {"model_spec": {}, "metadata": told})
        else:
            broken = VERSIONS[path] == "broken"
            status = {"error_code": "OK", "error_message": ""}
            if broken:
                status = {"error_code": "DATA_LOSS", "error_message": "Can't parse saved_model.pb"}
            state = {"version": path.rpartition("/")[2], "state": "END" if broken else "AVAILABLE", "status": status}
            self.answer(200, {"model_version_status": [state]})

    def do_POST(self):
        asked_for = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = asked_for["inputs"]["x"]
        if any(len(row) != 2 for row in rows):
            self.answer(400, {"error": "Matrix size-incompatible"})
        else:
            self.answer(200, {"outputs": [[2 * value for value in row] for row in rows]})

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer((os.environ["MLCTL_LISTEN"], asked.rest_api_port), Answer).serve_forever()
