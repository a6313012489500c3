"""Two workers train one model, in each framework's own way. Each sees one of two features: alone it learns half."""

import re

import pytest

pytestmark = pytest.mark.journey

PYTORCH = """
    import argparse, torch, torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel
    dist.init_process_group("gloo")
    me = dist.get_rank()
    features = torch.randn(256, 2)
    features[:, 1 - me] = 0
    wanted = features @ torch.tensor([[2.0], [-3.0]])
    model = DistributedDataParallel(torch.nn.Linear(2, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(100):
        optimizer.zero_grad()
        ((model(features) - wanted) ** 2).mean().backward()
        optimizer.step()
    learned = [value for part in model.parameters() for value in part.flatten().tolist()]
"""
MXNET = """
    import mxnet as mx
    from mxnet import autograd, gluon
    store = mx.kv.create("dist_sync")
    me = store.rank
    features = mx.nd.random.normal(shape=(256, 2))
    features[:, 1 - me] = 0
    wanted = mx.nd.dot(features, mx.nd.array([[2.0], [-3.0]]))
    network = gluon.nn.Dense(1, use_bias=False)
    network.initialize()
    trainer = gluon.Trainer(network.collect_params(), "sgd", {"learning_rate": 0.2}, kvstore=store)
    for _ in range(100):
        with autograd.record():
            loss = ((network(features) - wanted) ** 2).mean()
        loss.backward()
        trainer.step(store.num_workers)
    learned = network.weight.data().asnumpy().ravel().tolist()
"""
TENSORFLOW_2 = """
    import tensorflow as tf
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    me = strategy.cluster_resolver.task_id
    with strategy.scope():
        weights = tf.Variable([[0.0], [0.0]])
    features = tf.random.normal([256, 2]) * tf.one_hot(me, 2)
    wanted = tf.matmul(features, [[2.0], [-3.0]])
    @tf.function
    def step():
        def replica():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((tf.matmul(features, weights) - wanted) ** 2)
            gradient = tape.gradient(loss, weights)
            context = tf.distribute.get_replica_context()
            weights.assign_sub(0.2 * context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient))
        strategy.run(replica)
    for _ in range(100):
        step()
    learned = weights.numpy().ravel().tolist()
"""
TENSORFLOW_1 = """
    import tensorflow as tf
    for name in ("data_url", "train_url"):
        tf.flags.DEFINE_string(name, "", "")
    tf.flags.DEFINE_string("job_name", "worker", "")
    tf.flags.DEFINE_integer("task_index", 0, "")
    tf.flags.DEFINE_string("ps_hosts", "", "")
    tf.flags.DEFINE_string("worker_hosts", "", "")
    flags = tf.flags.FLAGS
    flags(sys.argv)
    me = flags.task_index
    cluster = tf.train.ClusterSpec({"ps": flags.ps_hosts.split(","), "worker": flags.worker_hosts.split(",")})
    server = tf.train.Server(cluster, job_name=flags.job_name, task_index=me)
    if flags.job_name == "ps":
        server.join()
    with tf.device(tf.train.replica_device_setter(worker_device="/job:worker/task:%d" % me, cluster=cluster)):
        weights = tf.get_variable("weights", [2, 1], initializer=tf.zeros_initializer())
        done = tf.get_variable("done", [2], initializer=tf.zeros_initializer())
        features = tf.random_normal([256, 2]) * tf.one_hot(me, 2)
        loss = tf.reduce_mean((tf.matmul(features, weights) - tf.matmul(features, [[2.0], [-3.0]])) ** 2)
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        finish = tf.scatter_add(done, [me], [1.0])
    with tf.train.MonitoredTrainingSession(master=server.target, is_chief=me == 0) as session:
        for _ in range(100):
            session.run(train)
        session.run(finish)
        while session.run(done).min() == 0:
            time.sleep(0.1)
        learned = session.run(weights).ravel().tolist()
"""
SCRIPTS = {"pytorch-2": PYTORCH, "mxnet-1.9": MXNET, "tensorflow-2": TENSORFLOW_2, "tensorflow-1.15": TENSORFLOW_1}


@pytest.mark.parametrize("engine", SCRIPTS)
def test_two_workers_train_one_model(engine, project, monkeypatch):
    project.script(SCRIPTS[engine] + "    print('learned', me, learned, flush=True)\n")
    project.create(engine=engine, resources={"nodes": 2}, max_duration="10m")
    view = project.client.jobs.wait("demo", timeout=900)
    assert view.status.state == "SUCCEEDED", project.log(view).decode()
    ranks = set()
    for worker in range(2):
        log = project.log(view, worker=worker)
        found = re.search(rb"learned (\d) \[(.*), (.*)\]", log)
        assert found, log.decode()
        ranks.add(found[1])
        assert float(found[2]) == pytest.approx(2.0, abs=0.05) and float(found[3]) == pytest.approx(-3.0, abs=0.05)
    assert ranks == {b"0", b"1"}  # MXNet gives them as workers come, whatever their index
