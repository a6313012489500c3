"""`moxing.mxnet` and `moxing.pytorch` in their engines."""

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.store.serve import free_ports
from tests.guest.conftest import Beside

pytestmark = pytest.mark.journey

TIMEOUT = 300  # seconds


def start(engine_name: str, source: str, beside: Beside, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    engine = get_engine(engine_name)
    script = folder / "script.py"
    script.write_text(f"import os, sys\nurl = {beside.url!r}\n" + textwrap.dedent(source))
    return subprocess.Popen(
        [ensure_environment(engine), script, *arguments],
        env=os.environ | engine.env | beside.environment("/"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    text = process.communicate(timeout=TIMEOUT)[0]
    assert process.returncode == 0, text
    return text


def test_mxnet_reads_and_writes_urls(beside: Beside, tmp_path: Path):
    numbers = b"".join(b"%d,%d\n" % (number, number) for number in range(8))
    beside.store.put("data/numbers.csv", numbers)
    source = """
    import mxnet as mx
    import moxing.mxnet as mox
    batches = mx.io.CSVIter(data_csv=url + '/data/numbers.csv', data_shape=(2,), batch_size=4)
    assert [batch.data[0].sum().asscalar() for batch in batches] == [12, 44]
    net = mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=1, name='fc')
    weights = {'fc_weight': mx.nd.ones((1, 2)), 'fc_bias': mx.nd.zeros((1,))}
    mx.model.save_checkpoint(url + '/model/net', 3, net, weights, {})
    symbol, found, _ = mx.model.load_checkpoint(url + '/model/net', 3)
    assert symbol.list_arguments() == net.list_arguments() and found['fc_weight'].asnumpy().sum() == 2
    mx.nd.save('here.params', weights)
    assert set(mx.nd.load('here.params')) == set(weights)
    """
    said(start("mxnet-1.9", source, beside, tmp_path))
    assert {"model/net-symbol.json", "model/net-0003.params"} <= beside.held().keys()


TRAIN = """
    import torch
    import moxing.pytorch as mox
    from moxing.pytorch.executor.enumerate import *
    from moxing.pytorch.tools.AverageMeter import *
    mox.file.shift('os', 'mox')
    mox.dist.init_process_group()
    torch.manual_seed(1)
    x = torch.arange(64, dtype=torch.float32).reshape(-1, 1) / 64
    loader = mox.dist.AutoDataLoader(torch.utils.data.TensorDataset(x, 2 * x + 1), batch_size=8)
    model = mox.dist.AutoModule(torch.nn.Linear(1, 1))
    losses = AverageMeter()

    def loss_fn(model, inputs):
        loss = ((model(inputs[0]) - inputs[1]) ** 2).mean()
        losses.update(loss.item(), len(inputs[0]))
        return loss

    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    mox.run(input_data=loader, model=model, run_mode=ModeKeys.TRAIN, log_dir=url + '/log', optimizer=optimizer,
            loss_fn=loss_fn, epoches=40, print_freq=2)
    print('batches:', len(loader), 'last:', losses.val)
    assert losses.val < 0.05, losses.val
    if mox.get_flag('rank') == 0:
        torch.save(model.state_dict(), url + '/model.pt')
        assert set(torch.load(url + '/model.pt')) == set(model.state_dict())
    """


def test_pytorch_trains_alone(beside: Beside, tmp_path: Path):
    text = said(start("pytorch-2", TRAIN, beside, tmp_path))
    assert "batches: 8 " in text and "epoch: 39\tstep: 8/8\tloss: " in text
    assert {"model.pt", "log/model_40.pth"} <= beside.held().keys()


def test_pytorch_trains_in_two_processes(beside: Beside, tmp_path: Path):
    (port,) = free_ports(1)
    together = [f"--init_method=tcp://127.0.0.1:{port}", "--world_size=2"]
    processes = [start("pytorch-2", TRAIN, beside, tmp_path, *together, f"--rank={rank}") for rank in range(2)]
    assert all("batches: 4 " in said(process) for process in processes)
    assert "model.pt" in beside.held()
