"""The base class of services, as MXNet Model Server names it."""

from model_service.model_service import BaseService, SingleNodeService

__all__ = ["BaseService", "SingleNodeService"]
