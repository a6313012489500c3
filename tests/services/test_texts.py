"""A SavedModel of TensorFlow that reads files and tells words, without any code of its own."""

import base64
import json
import subprocess

import httpx
import pytest
from PIL import Image

from orchestrator.engines import ensure_environment, get_engine

PROGRAM = """
import sys
import tensorflow as tf

class Light(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="files")])
    def tell(self, files):
        one = lambda file: tf.reduce_mean(tf.cast(tf.io.decode_png(file, 1), tf.float32))
        means = tf.map_fn(one, files, fn_output_signature=tf.float32)
        return {"shade": tf.where(means > 99.0, "hell", "düster"), "file_bytes": tf.strings.substr(files, 0, 4)}

made = Light()
tf.saved_model.save(made, sys.argv[1], signatures={"serving_default": made.tell})
"""
HEAD = base64.b64encode(b"\x89PNG").decode()


@pytest.mark.journey
def test_files_in_and_words_out(client, tmp_path):
    package = tmp_path / "light" / "model"
    subprocess.run([ensure_environment(get_engine("tensorflow-2")), "-c", PROGRAM, package], check=True)
    (package / "config.json").write_text(json.dumps({"model_algorithm": "light", "model_type": "TensorFlow"}))
    view, token = client.services.deploy(client.models.import_(str(package.parent), "light"))
    pictures = [tmp_path / "black.png", tmp_path / "white.png"]
    for picture, shade in zip(pictures, (0, 255), strict=True):
        Image.new("L", (8, 8), shade).save(picture)
    answer = client.services.predict("light", files=pictures[:1]).document
    assert answer == {"shade": ["düster"], "file_bytes": [HEAD]}  # JSON has no bytes
    sent = [{"b64": base64.b64encode(picture.read_bytes()).decode()} for picture in pictures]
    url, headers = f"{view.url}/v1/models/light:predict", {"X-Auth-Token": token}
    rows = httpx.post(url, json={"instances": sent}, headers=headers, timeout=60).json()["predictions"]
    assert [(row["shade"], row["file_bytes"]) for row in rows] == [("düster", {"b64": HEAD}), ("hell", {"b64": HEAD})]
