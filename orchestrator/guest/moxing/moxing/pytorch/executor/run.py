"""`mox.run`: train a PyTorch model."""

import os
import time

import torch

from moxing import uncovered
from moxing.framework import file
from moxing.framework.flags import get_flag
from moxing.pytorch.executor.enumerate import ModeKeys
from moxing.pytorch.tools.AverageMeter import AverageMeter


def run(
    input_data=None,
    model=None,
    run_mode=None,
    log_dir=None,
    optimizer=None,
    scheduler=None,
    loss_fn=None,
    epoches=1,
    num_gpus=None,
    print_freq=10,
    **options
):  # fmt: skip
    """Train a model, and save it after each epoch.

    Args:
        input_data: Yields batches.
        model: A module.
        run_mode: `ModeKeys.TRAIN`; nothing else is covered.
        log_dir: Folder or URL for `model_1.pth` and so on; None: nothing is saved.
        optimizer: Of PyTorch.
        scheduler: Of its learning rate.
        loss_fn: `loss_fn(model, inputs)` returns the loss of a batch.
        epoches: How often all batches are seen.
        num_gpus: Of no use here: the model is where the script has put it.
        print_freq: Batches between two lines.
        options: Of MoXing, but not covered.

    Raises:
        NotCoveredError: An argument is one that mlctl's MoXing does not have.
    """
    if options or run_mode != ModeKeys.TRAIN:
        what = "%s=..." % sorted(options)[0] if options else "run_mode=%r" % (run_mode,)
        raise uncovered.NotCoveredError(uncovered.message_for("mox.run(%s) for PyTorch" % what))
    for epoch in range(epoches):
        if hasattr(input_data, "set_epoch"):
            input_data.set_epoch(epoch)
        _train(epoch, input_data, model, optimizer, loss_fn, print_freq)
        if scheduler is not None:
            scheduler.step()
        if log_dir and get_flag("rank") == 0:
            file.make_dirs(log_dir)
            with file.File(os.path.join(log_dir, "model_%d.pth" % (epoch + 1)), "wb") as saved:
                torch.save(model.state_dict(), saved)


def _train(epoch, batches, model, optimizer, loss_fn, print_freq):
    model.train()
    losses, times = AverageMeter(), AverageMeter()
    begun = time.time()
    for number, inputs in enumerate(batches, 1):
        loss = loss_fn(model, inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(float(loss))
        times.update(time.time() - begun)
        begun = time.time()
        if print_freq and number % print_freq == 0:
            line = "epoch: %d\tstep: %d/%d\tloss: %.4f (%.4f)\ttime: %.3f"
            print(line % (epoch, number, len(batches), losses.val, losses.avg, times.avg))
