"""One model on several GPUs or machines: `mox.dist`."""

import torch
from torch import distributed
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from moxing.framework.flags import get_flag, set_flag

_gpu = None  # that this process has for itself


def init_process_group(mp=False, gpu=None, backend=None):
    """Meet the other processes, if there are any.

    Args:
        mp: Whether each GPU of the machine has a process of its own.
        gpu: Which one this process has, then.
        backend: Of `torch.distributed`; by default what suits the device.
    """
    global _gpu
    _gpu = gpu if mp else None
    rank, world = get_flag("rank"), get_flag("world_size")
    if mp:
        here = max(1, torch.cuda.device_count())
        rank, world = rank * here + (gpu or 0), world * here
        set_flag("rank", rank)
        set_flag("world_size", world)
    if world > 1:
        found = backend or ("nccl" if torch.cuda.is_available() else "gloo")
        method = get_flag("init_method") or "env://"
        distributed.init_process_group(found, init_method=method, rank=rank, world_size=world)


def AutoModule(model):
    """Return the model on its GPUs, with the gradients of all processes; on a CPU alone it stays as it is."""
    cuda = torch.cuda.is_available()
    if cuda:
        model = model.cuda(_gpu)
    if _together():
        devices = [_gpu] if cuda and _gpu is not None else None
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=devices)
    return torch.nn.DataParallel(model) if cuda and _gpu is None else model


class AutoDataLoader(DataLoader):
    """A DataLoader of which each process sees its own part; its batches are on this process's GPU, if it has one."""

    def __init__(self, dataset, **options):
        if _together() and options.get("sampler") is None:
            options["sampler"] = DistributedSampler(dataset, shuffle=bool(options.pop("shuffle", True)))
        super(AutoDataLoader, self).__init__(dataset, **options)

    def __iter__(self):
        for batch in super(AutoDataLoader, self).__iter__():
            yield batch if _gpu is None or not torch.cuda.is_available() else _on_gpu(batch)

    def set_epoch(self, epoch):
        """Have another order in each epoch."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)


def _together():
    return distributed.is_available() and distributed.is_initialized()


def _on_gpu(batch):
    if isinstance(batch, (list, tuple)):
        return [_on_gpu(one) for one in batch]
    return batch.cuda(_gpu, non_blocking=True) if torch.is_tensor(batch) else batch
