"""`caffe train`: minimises a network's loss as a solver file says, with Caffe's own log lines."""

import os
import signal
import sys

from caffe_programs.files import as_file, check_readable, own_path, refuse_gpu, replace_paths, text_message

CHUNK = 10  # iterations between two looks at the signals
FEWER = "CAFFE_MAX_ITER"  # variable that ends the training earlier than the solver says


def train(options):
    """Run the command.

    Args:
        options: The program's flags.
    """
    if not options["solver"]:
        sys.exit("caffe: need a solver definition to train")
    if options["snapshot"] and options["weights"]:
        sys.exit("caffe: give a snapshot to resume training or weights to finetune, but not both")
    refuse_gpu(options["gpu"])
    weights = [path for path in options["weights"].split(",") if path]
    check_readable(options["solver"], *filter(None, [options["snapshot"]] + weights))
    import caffe
    from caffe.proto import caffe_pb2

    described = _prepared(text_message(caffe_pb2.SolverParameter(), options["solver"]), caffe_pb2)
    caffe.set_mode_cpu()
    with as_file(described) as path:
        solver = caffe.get_solver(path)
    if options["snapshot"]:
        solver.restore(options["snapshot"])
    for path in weights:
        solver.net.copy_from(path)
    _solve(solver, described.max_iter, options)


def _prepared(solver, caffe_pb2):
    """Return the solver for this machine: on the CPU, its paths replaced, its end brought forward if so asked."""
    if solver.solver_mode == caffe_pb2.SolverParameter.GPU:
        sys.stderr.write("caffe: solver_mode: GPU, but this build computes on the CPU: going on with it\n")
        solver.solver_mode = caffe_pb2.SolverParameter.CPU
    if solver.net:
        path = own_path(solver.net)
        check_readable(path)
        text_message(solver.net_param, path)
        solver.ClearField("net")
        replace_paths(solver.net_param)
    solver.snapshot_prefix = own_path(solver.snapshot_prefix)
    if os.environ.get(FEWER):
        solver.max_iter = min(solver.max_iter, int(os.environ[FEWER]))
        sys.stderr.write("caffe: %s: ending after iteration %d\n" % (FEWER, solver.max_iter))
    return solver


def _solve(solver, max_iter, options):
    """Take all steps; SIGINT and SIGHUP save a snapshot or stop, as the flags say."""
    asked = []
    signal.signal(signal.SIGINT, lambda *_: asked.append(options["sigint_effect"]))
    signal.signal(signal.SIGHUP, lambda *_: asked.append(options["sighup_effect"]))
    while solver.iter < max_iter:
        solver.step(min(CHUNK, max_iter - solver.iter))
        while asked:
            effect = asked.pop()
            if effect in ("snapshot", "stop"):
                solver.snapshot()
            if effect == "stop":
                sys.stderr.write("caffe: optimization stopped early\n")
                return
    solver.solve()  # no steps are left: the last snapshot, loss and test
    sys.stderr.write("caffe: optimization done\n")
