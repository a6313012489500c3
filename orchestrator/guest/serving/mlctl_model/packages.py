"""Packages that a model's service needs and this Python lacks: installed, where that is still to be done, and added."""

import fcntl
import os
import shutil

from mlctl_model.package import PackageError

DONE = "mlctl-installed"  # file in a folder of packages that is whole


def bring(prefix, requirements=None, provided=()):
    """Let this Python, and those that it starts, find packages.

    Args:
        prefix: The folder that they are in.
        requirements: Folder of the pip-requirements.txt to install them from, unless that was done before.
        provided: What this Python has under another name, as NAME==VERSION.

    Raises:
        PackageError: They cannot be installed; with pip's reason.
    """
    import mlctl_packages  # of another guest, which few services need

    if requirements:
        with open(prefix + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one installs
            if not os.path.exists(os.path.join(prefix, DONE)):
                _install(prefix, requirements, provided)
    os.environ["MLCTL_PACKAGES"] = prefix
    programs = [os.path.join(prefix, folder) for folder in ("bin", os.path.join("local", "bin"))]  # Debian's is local
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath)] + programs)
    mlctl_packages.add(prefix)


def _install(prefix, requirements, provided):
    import mlctl_install

    shutil.rmtree(prefix, ignore_errors=True)  # of a process that was killed
    os.makedirs(prefix)
    reason = prefix + ".reason"
    if mlctl_install.main(requirements, prefix, reason, *provided):
        with open(reason, "rb") as file:
            told = file.read().decode("utf-8", "replace")
        raise PackageError("the packages that it needs cannot be installed: %s" % told)
    open(os.path.join(prefix, DONE), "w").close()
