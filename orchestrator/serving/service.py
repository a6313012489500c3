"""The versions that a service answers with: chosen by weight, replaced without losing a request."""

import asyncio
import random
from pathlib import Path

import msgspec

from orchestrator.serving.pool import Pool
from orchestrator.serving.process import UnavailableError
from orchestrator.serving.settings import Deployed, Settings


class UnknownModelError(Exception):
    """The service has no such model or version."""


class Service:
    """What stands behind the protocols.

    Args:
        settings: Of the service.
        scratch: A folder for sockets.
        log: Where models' processes write to.

    Attributes:
        settings: Those in force.
        refused: Revision of the last that could not be put in force, and why.
    """

    def __init__(self, settings: Settings, scratch: Path, log: Path) -> None:
        self.settings = settings
        self.refused: tuple[int, str] = (0, "")
        self._scratch = scratch
        self._log = log
        self._pools: dict[bytes, Pool] = {}
        self._turn = asyncio.Lock()

    @property
    def pools(self) -> list[Pool]:
        """The versions, in the order of the settings."""
        return list(self._pools.values())

    @property
    def ready(self) -> bool:
        """Whether every version that gets requests could answer one."""
        asked = [pool for pool in self.pools if pool.deployed.weight and not pool.deployed.shadow]
        return bool(asked) and all(pool.ready for pool in asked)

    async def start(self) -> None:
        """Load all versions.

        Raises:
            UnavailableError: One cannot be loaded.
        """
        await self.change(self.settings)

    async def change(self, settings: Settings) -> None:
        """Answer as the new settings say: new versions are loaded first, then those that went are ended.

        One change follows the other: what is asked for last is in force in the end.

        Raises:
            UnavailableError: A new version cannot be loaded; all is as before then.
        """
        async with self._turn:
            await self._change(settings)

    async def _change(self, settings: Settings) -> None:
        wanted = {_core(one, settings): one for one in settings.models}
        there = self._pools
        new = {core: one for core, one in wanted.items() if core not in there}
        made = {core: Pool(one, settings, self._scratch, self._log) for core, one in new.items()}
        try:
            await asyncio.gather(*(pool.start() for pool in made.values()))
        except UnavailableError as error:
            self.refused = (settings.revision, str(error))
            await asyncio.gather(*(pool.stop() for pool in made.values()))
            raise
        pools = {core: made.get(core) or there[core] for core in wanted}
        for core, pool in pools.items():
            pool.deployed = wanted[core]
        self._pools, self.settings = pools, settings
        await asyncio.gather(*(pool.stop() for core, pool in there.items() if core not in wanted))

    def choose(self, model: str | None = None, number: int | None = None) -> Pool:
        """Return the version that a request goes to: the one that is named, else one by weight.

        It has to be asked at once, before the event loop gets to anything else: later it may have been replaced.

        Raises:
            UnknownModelError: There is none of that name or number.
        """
        named = [pool for pool in self.pools if model in (None, pool.deployed.model, self.settings.name)]
        if number is None:
            fitting = [pool for pool in named if not pool.deployed.shadow]
        else:
            fitting = [pool for pool in named if pool.deployed.number == number]
        if not fitting:
            has = ", ".join(pool.deployed.ref for pool in self.pools)
            asked = model if number is None else f"{model} v{number}"
            raise UnknownModelError(f"there is no model {asked} in this service; it has {has}")
        if len(fitting) == 1:
            return fitting[0]
        weights = [pool.deployed.weight for pool in fitting]
        return random.choices(fitting, weights)[0] if any(weights) else fitting[0]

    def shadows(self, chosen: Pool) -> list[Pool]:
        """Return the versions that get a copy of what the chosen one is asked."""
        return [pool for pool in self.pools if pool.deployed.shadow and pool is not chosen]

    async def stop(self) -> None:
        """End all processes, each when it has answered."""
        await asyncio.gather(*(pool.stop() for pool in self.pools))


def _core(deployed: Deployed, settings: Settings) -> bytes:
    """Return what of a version makes it another process: the weight does not."""
    how = (settings.processes, settings.timeout, settings.queue)
    return msgspec.json.encode((msgspec.structs.replace(deployed, weight=0), how))
