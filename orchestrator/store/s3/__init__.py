"""The store in a bucket: AWS S3, Huawei OBS, MinIO, SeaweedFS, Ceph and all others that speak S3."""

from orchestrator.store.s3.address import address_of
from orchestrator.store.s3.retry import PATIENCE
from orchestrator.store.s3.store import S3Store

__all__ = ["PATIENCE", "S3Store", "address_of"]
