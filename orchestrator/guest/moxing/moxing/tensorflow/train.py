"""Training: on one machine, or as one of several workers with parameter servers."""

from moxing import uncovered
from moxing.framework import flags
from moxing.tensorflow import export
from moxing.tensorflow.folders import LogFolder, checkpoint_in
from moxing.tensorflow.graph import build
from moxing.tensorflow.log import StepLogger
from moxing.tensorflow.outputs import Outputs
from moxing.tensorflow.specs import ModeKeys
from moxing.tensorflow.v1 import tf


def train(feed, optimizer_fn, output_fn, log_dir, steps, begin_with, every, save, export_model):
    """Train up to a global step; go on with the checkpoint in `log_dir`, if there is one (see `mox.run`)."""
    cluster, task = _cluster(), flags.get_flag("task_index")
    server = cluster and tf.train.Server(cluster, job_name=flags.get_flag("job_name"), task_index=task)
    if server and flags.get_flag("job_name") == "ps":
        server.join()
        return
    input_fn, model_fn, batch_size, auto_batch = feed
    folder = LogFolder(log_dir)
    with tf.Graph().as_default(), tf.device(_placement(cluster, task)):
        global_step = tf.train.get_or_create_global_step()
        optimizer = optimizer_fn()
        built = build(input_fn, model_fn, ModeKeys.TRAIN, batch_size, auto_batch, optimizer)
        if built.loss is None:
            raise ValueError("model_fn has to return a loss to train")
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            step = optimizer.apply_gradients(built.gradients, global_step=global_step)
        if begin_with and not checkpoint_in(folder.local):
            _begin_with(begin_with)
        for name, tensor in built.log_info:
            tf.summary.scalar(name, tensor)
        samples = batch_size * flags.get_flag("num_gpus") * _workers(cluster)
        hooks = [StepLogger(built.log_info, samples, every["log"], global_step)] + list(built.spec.hooks)
        if steps:
            hooks.append(tf.train.StopAtStepHook(last_step=steps))
        if output_fn and built.spec.output_info:
            hooks.append(Outputs(output_fn, built.output_info, every["output"]))
        # Folders of checkpoints are copied and moved: a name in them has to be found wherever they are.
        scaffold = tf.train.Scaffold(saver=tf.train.Saver(save_relative_paths=True))
        chief_hooks = _saving(folder, scaffold, save, every["summary"]) if folder.local else []
        chief = task == 0
        creator = _session(scaffold, server, task, folder.local)
        try:
            with tf.train.MonitoredSession(creator, hooks=hooks + (chief_hooks if chief else [])) as session:
                # Read without hooks, which would count it as a step.
                done = (
                    steps and session.run_step_fn(lambda step_context: step_context.session.run(global_step)) >= steps
                )
                while not done and not session.should_stop():
                    session.run(step)
        finally:
            if chief:
                folder.send()
    if export_model and chief:
        export.export(feed, folder.local, log_dir)
    folder.leave()


def _session(scaffold, server, task, folder):
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    if server is None:
        return tf.train.ChiefSessionCreator(scaffold, config=config, checkpoint_dir=folder)
    # Without them a session waits for all workers, also for those that have ended.
    config.device_filters.extend(["/job:ps", "/job:worker/task:%d" % task])
    if task == 0:
        return tf.train.ChiefSessionCreator(scaffold, server.target, config=config, checkpoint_dir=folder)
    return tf.train.WorkerSessionCreator(scaffold, server.target, config=config)


def _saving(folder, scaffold, save, summary_steps):
    saver = tf.train.CheckpointSaverHook(
        folder.local,
        save_secs=save.get("secs"),
        save_steps=save.get("steps"),
        scaffold=scaffold,
        listeners=[folder.listener()],
    )
    if not summary_steps:
        return [saver]
    summaries = tf.train.SummarySaverHook(save_steps=summary_steps, output_dir=folder.local, scaffold=scaffold)
    return [summaries, saver]  # in this order the last summary is in what is sent with the last checkpoint


def _begin_with(source):
    """Have the variables begin with the values of a checkpoint, those that are in it with the same shape."""
    path = checkpoint_in(source)
    if not path:
        raise ValueError("there is no checkpoint in %s" % source)
    held = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    known = {
        one.op.name: one
        for one in tf.global_variables()
        if one.op.name != "global_step" and held.get(one.op.name) == one.shape.as_list()
    }
    tf.train.init_from_checkpoint(path, known)


def _cluster():
    """Return the cluster, if there are parameter servers."""
    hosts = {
        "ps": [host for host in (flags.get_flag("ps_hosts") or "").split(",") if host],
        "worker": [host for host in (flags.get_flag("worker_hosts") or "").split(",") if host],
    }
    if hosts["ps"]:
        return tf.train.ClusterSpec(hosts)
    if len(hosts["worker"]) > 1:
        what = "mox.run on %d workers without parameter servers (--ps_hosts)" % len(hosts["worker"])
        raise uncovered.NotCoveredError(uncovered.message_for(what))
    return None


def _workers(cluster):
    return cluster.num_tasks("worker") if cluster else 1


def _placement(cluster, task):
    if cluster is None:
        return None
    return tf.train.replica_device_setter(worker_device="/job:worker/task:%d" % task, cluster=cluster)
