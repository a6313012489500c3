"""Copy an object inside a bucket, without moving its bytes through this machine."""

import os
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from orchestrator.errors import MlctlError
from orchestrator.store.s3.clients import Clients
from orchestrator.store.s3.multipart import MARK, complete
from orchestrator.store.s3.workers import Workers, settle

LARGEST_AT_ONCE = 1 << 30  # bytes; S3 allows five times that, but the answer might take longer than is waited for
COPY_PART = 256 << 20  # bytes
MAX_PARTS = 10_000  # S3's own limit


def copy_object(
    clients: Clients,
    workers: Workers,
    source: str,
    target: str,
    *,
    at_once: int = LARGEST_AT_ONCE,
    part: int = COPY_PART,
) -> None:
    """Copy an object of any size.

    Args:
        clients: Of the bucket.
        workers: Who has parts copied.
        source: Whole key of what is copied.
        target: Whole key of the copy.
        at_once: Bytes up to which one request does it.
        part: Bytes per request beyond that.

    Raises:
        ObjectNotFoundError: There is no such object.
        PermissionDeniedError, StoreError: The bucket refuses or fails.
    """
    size = clients.call("read", source, lambda store: store.head(source))["size"]
    if size <= at_once:
        clients.call("copy", source, lambda store: store.copy(source, target))
        return
    part = max(part, -(-size // MAX_PARTS))
    bucket = clients.address.bucket
    place = {"Bucket": bucket, "Key": target}
    mark = os.urandom(8).hex()
    begun = clients.ask("copy", target, lambda client: client.create_multipart_upload(**place, Metadata={MARK: mark}))
    upload = begun["UploadId"]

    def copy_part(number: int, start: int) -> dict[str, Any]:
        asked = {
            "UploadId": upload,
            "PartNumber": number,
            "CopySource": {"Bucket": bucket, "Key": source},
            "CopySourceRange": f"bytes={start}-{min(start + part, size) - 1}",
        }
        answer = clients.ask("copy", source, lambda client: client.upload_part_copy(**place, **asked))
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    copying: list[Future[dict[str, Any]]] = []
    try:
        for number, start in enumerate(range(0, size, part), start=1):
            copying.append(workers.submit(partial(copy_part, number, start)))
        complete(clients, target, upload, mark, [future.result() for future in copying])
    except BaseException:
        settle(copying)
        # If this fails too, what went wrong before is what matters; `store gc` finds the rest.
        with suppress(MlctlError):
            clients.ask("copy", target, lambda client: client.abort_multipart_upload(**place, UploadId=upload))
        raise
