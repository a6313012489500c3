"""The process that has a model: loads it, then answers one request after another until it is told to end.

python -m mlctl_model.worker --folder DIR --name NAME --socket PATH    # answers there
python -m mlctl_model.worker --folder DIR --name NAME                  # loads it, tells what it is, and ends
"""

import argparse
import base64
import io
import json
import os
import sys
import threading
import traceback

from mlctl_model import packages, pictures, together, wire
from mlctl_model.package import PackageError, batching, load_service

BACKLOG = 16
BUFFER = 1 << 16  # bytes: several requests may be there at once
FIRST_TO_GO = "900"  # of 1000
STEPS = ("_preprocess", "_inference", "_postprocess")
LAST = 19  # niceness
LOADED, NOT_LOADED = 0, 3  # exit codes
NO_NUMPY = {
    "kind": "ImportError",
    "message": "the model's engine has no NumPy, so it takes no arrays; ask its service, with JSON or files to /",
    "step": "",
}


def main(arguments=None):
    """Load the model and serve it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, help="of the package")
    parser.add_argument("--name", required=True, help="of the model")
    parser.add_argument("--packages", help="folder of packages that this Python lacks")
    parser.add_argument("--requirements", help="folder of the pip-requirements.txt to install them from")
    parser.add_argument("--provided", nargs="*", default=(), help="what it has under another name, as NAME==VERSION")
    parser.add_argument("--socket", help="Unix socket to answer at")
    parser.add_argument("--gpu", help="number of the GPU")
    parser.add_argument("--last", action="store_true", help="let other processes go first")
    asked = parser.parse_args(arguments)
    _first_to_go()
    if asked.last:
        os.nice(LAST)
    try:
        folder = os.path.abspath(asked.folder)
        if asked.packages:
            packages.bring(asked.packages, asked.requirements, asked.provided)
        service, kind = load_service(folder, asked.name, asked.gpu)
        told = dict(service.describe(), kind=kind, service=type(service).__name__, batching=batching(folder))
    except Exception as error:  # noqa: BLE001
        # Whatever the package's own code raises is what its owner needs to see.
        if not isinstance(error, PackageError):
            _log_traceback()
        _tell(
            {"error": "%s: %s" % (type(error).__name__, error) if not isinstance(error, PackageError) else str(error)}
        )
        return NOT_LOADED
    _tell(told)
    if asked.socket:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        serve(service, kind, told, asked.socket)
    return LOADED


def serve(service, kind, told, path):
    """Answer at a Unix socket, one connection after the other."""
    listener = wire.listen(path, 0o600, BACKLOG)
    while True:
        connection, _ = listener.accept()
        stream = connection.makefile("rb", BUFFER)
        try:
            while True:
                try:
                    request = wire.receive(stream)
                except ImportError:
                    wire.send(connection, {"error": NO_NUMPY})
                    continue
                if request["do"] == "end":
                    return
                wire.send(connection, answer(service, kind, told, request))
        except (wire.ClosedError, EnvironmentError):
            pass  # the front was restarted: it comes again
        finally:
            stream.close()
            connection.close()


def answer(service, kind, told, request):
    """Return the answer to one request, or what went wrong and at which step."""
    if request["do"] == "batch":
        return {"value": _answers(service, kind, told, request["requests"])}
    try:
        if request["do"] == "predict":
            return {"value": service.predict(request["inputs"], request.get("outputs"), request.get("signature"))}
        return {"value": wire.json_of(_plain(service.inference(_as_given(kind, request))))}
    except Exception as error:  # noqa: BLE001  (one request's fault is not the next one's)
        _log_traceback()
        kind, step = type(error).__name__, _step(sys.exc_info()[2])
        return {"error": {"kind": kind, "message": _explained(error, told), "step": step}}


def _answers(service, kind, told, requests):
    """Return the answers to several requests, computed together as far as that can be."""
    found = {}
    for indexes, compute in together.groups(service, requests, lambda one: _as_given(kind, one)):
        try:
            for index, (value, plain) in zip(indexes, compute()):
                found[index] = {"value": wire.json_of(_plain(value)) if plain else value}
        except Exception:  # noqa: BLE001  (whose fault it is, and what, shows when each is asked alone)
            continue
    return [found.get(index) or answer(service, kind, told, one) for index, one in enumerate(requests)]


def _log_traceback():
    try:
        traceback.print_exc()
    except EnvironmentError:
        pass  # the disk is full: that is no reason not to answer


def _step(trace):
    """Return the step of the service that an exception came from."""
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(trace)]
    return next((name for name in STEPS if name in names), "")


def _first_to_go():
    """Let this process, which may leak, be the one that is killed when memory runs out: it is started again."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(FIRST_TO_GO)
    except EnvironmentError:
        pass  # not Linux


def _end_with_parent():
    """End this process when the one that started it is gone, which closes the pipe."""
    sys.stdin.read()
    os._exit(0)


def _as_given(kind, request):
    """Return a request's data as services of that kind get it."""
    if "files" in request:
        files = request["files"]
        for each in files.values():
            for content in each.values():
                pictures.check(bytes(content[: pictures.HEAD]))
        if kind == "MXNet":
            return [bytes(content) for each in files.values() for content in each.values()]
        return {
            field: {name: io.BytesIO(bytes(content)) for name, content in each.items()} for field, each in files.items()
        }
    text = bytes(request["json"]).decode("utf-8")
    if kind in ("Scikit_Learn", "XGBoost"):
        return text
    data = json.loads(text)
    return list(data.values()) if kind == "MXNet" and isinstance(data, dict) else data


def _explained(error, told):
    if isinstance(error, KeyError):
        outputs = ", ".join(one["name"] for one in told["outputs"])
        known = "; the model's outputs are %s" % outputs if outputs else ""
        return "the service asked for %s, which is not there%s" % (error, known)
    return str(error) or type(error).__name__


def _plain(value):
    """Return what a service made as plain JSON: NumPy's numbers and arrays, too, are answers."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        holds_bytes = getattr(getattr(value, "dtype", None), "kind", "") in ("O", "S")
        return _plain(value.tolist()) if holds_bytes else value.tolist()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode("ascii")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _tell(document):
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
