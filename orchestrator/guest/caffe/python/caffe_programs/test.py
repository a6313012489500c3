"""`caffe test`: scores a network on the data that it names itself."""

import sys

from caffe_programs.files import check_readable, refuse_gpu, text_message, with_own_paths


def test(options):
    """Run the command.

    Args:
        options: The program's flags.
    """
    if not (options["model"] and options["weights"]):
        sys.exit("caffe: need a model definition and model weights to score")
    refuse_gpu(options["gpu"])
    check_readable(options["model"], *options["weights"].split(","))
    import caffe
    from caffe.proto import caffe_pb2

    caffe.set_mode_cpu()
    with with_own_paths(text_message(caffe_pb2.NetParameter(), options["model"])) as path:
        net = caffe.Net(path, caffe.TEST)
    for weights in options["weights"].split(","):
        net.copy_from(weights)
    sums = {}
    print("Running for %d iterations." % options["iterations"])
    for number in range(options["iterations"]):
        for name, values in net.forward().items():
            for place, value in enumerate(values.flatten()):
                print("Batch %d, %s = %g" % (number, name, value))
                sums[name, place] = sums.get((name, place), 0.0) + float(value)
    for (name, _), total in sums.items():
        print("%s = %g" % (name, total / options["iterations"]))
