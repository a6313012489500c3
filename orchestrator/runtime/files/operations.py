"""What a guest can have done with files in buckets (protocol.py says what each request means)."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError, UsageError
from orchestrator.runtime.files import protocol, trees
from orchestrator.runtime.files.places import Place, Places, files_below
from orchestrator.store.base import ObjectInfo
from orchestrator.store.parallel import as_mlctl_error

FOLDER = -1  # instead of a size
EVERYWHERE = (Path("/"),)


class RefusedError(MlctlError):
    """A request that cannot be carried out as it is.

    Attributes:
        kind: As in the protocol.
    """

    def __init__(self, kind: protocol.Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Operations:
    """Carries out requests.

    Args:
        places: Where URLs lead.
        exchange: A folder for files on their way.
        shared: The folders that requests may name files in.
    """

    def __init__(self, places: Places, exchange: Path, shared: tuple[Path, ...] = EVERYWHERE) -> None:
        self._places = places
        self._exchange = exchange
        self._shared = [folder.resolve() for folder in shared]

    def carry_out(self, request: protocol.Asked) -> Any:
        """Do what is asked and return the answer's value.

        Raises:
            MlctlError: It did not work.
        """
        match request:
            case protocol.Look(url=url):
                with self._places.at(url) as (place,):
                    return self._look(place)
            case protocol.List(url=url, recursive=recursive):
                with self._places.at(url) as (place,):
                    return self._list(place, recursive=recursive)
            case protocol.Bring(url=url, path=path):
                local = self._local(path)
                with self._places.at(url) as (place,):
                    self._missing_unless(place, lambda: place.store.download(place.key, local))
            case protocol.Send(path=path, url=url):
                with self._places.at(url) as (place,):
                    place.store.upload(_file(place), self._local(path))
            case protocol.Copy(source=source, target=target):
                with self._places.at(source, target) as (origin, goal):
                    _file(goal)
                    with self._room() as room:
                        self._missing_unless(origin, lambda: trees.copy_one(origin, goal, room))
            case protocol.Remove(url=url, recursive=recursive):
                with self._places.at(url) as (place,):
                    self._remove(place, recursive=recursive)
            case protocol.Make(url=url):
                with self._places.at(url) as (place,):
                    self._make(place)
            case _:
                return self._tree(request)
        return None

    def _tree(self, request: protocol.BringTree | protocol.SendTree | protocol.CopyTree) -> trees.Moved:
        threads = max(1, min(request.threads, 4 * protocol.THREADS))
        if isinstance(request, protocol.SendTree):
            with self._places.at(request.url) as (place,):
                moved = trees.send(self._local(request.path), place, request.files, threads)
                self._places.make(place)
                return moved
        if isinstance(request, protocol.BringTree):
            folder = self._local(request.path)
            with self._places.at(request.url) as (place,):
                return trees.bring(place, self._files(place, request.files), folder, threads)
        with self._places.at(request.source, request.target) as (origin, goal), self._room() as room:
            moved = trees.copy(origin, self._files(origin, request.files), goal, room, threads)
            self._places.make(goal)
            return moved

    def _look(self, place: Place) -> dict[str, Any] | None:
        if place.key and (info := place.store.head(place.key)):
            return {"kind": "file", "size": info.size, "modified": info.modified}
        page = place.store.list_page(place.prefix, limit=1)
        there = page.objects or not place.key or self._places.is_made(place)
        return {"kind": "folder"} if there else None

    def _list(self, place: Place, *, recursive: bool) -> list[tuple[str, int, float]]:
        found: dict[str, tuple[str, int, float]] = {}
        for path, info in self._files(place, None).items():
            steps = path.split("/")
            for depth in range(1, len(steps) if recursive else min(2, len(steps))):
                folder = "/".join(steps[:depth])
                found.setdefault(folder, (folder, FOLDER, 0.0))
            if recursive or len(steps) == 1:
                found[path] = (path, info.size, info.modified)
        for folder in self._places.made_below(place):
            if recursive or "/" not in folder:
                found.setdefault(folder, (folder, FOLDER, 0.0))
        return [found[path] for path in sorted(found)]

    def _files(self, place: Place, wanted: list[str] | None) -> dict[str, ObjectInfo]:
        """Return the files of a folder that has to be there, or the wanted ones, which have to be there, too."""
        found = files_below(place)
        if not found:
            seen = self._look(place)
            if seen is None:
                raise RefusedError("missing", f"there is nothing at {place.url}")
            if seen["kind"] == "file":
                raise RefusedError("file", f"{place.url} is a file, not a folder")
        if wanted is None:
            return found
        if lost := [path for path in wanted if path not in found]:
            raise RefusedError("missing", f"{place.url} has no {lost[0]}")
        return {path: found[path] for path in wanted}

    def _remove(self, place: Place, *, recursive: bool) -> None:
        seen = self._look(place)
        if seen is None:
            raise RefusedError("missing", f"there is nothing at {place.url}")
        if seen["kind"] == "file":
            place.store.delete([place.key])
        elif not recursive:
            raise RefusedError("folder", f"{place.url} is a folder, which only goes with recursive=True")
        elif not place.key:
            raise RefusedError("invalid", f"{place.url} is a whole bucket, which is not emptied here")
        else:
            place.store.delete(place.prefix + path for path in files_below(place))
            self._places.forget(place)

    def _make(self, place: Place) -> None:
        if place.key and place.store.head(place.key):
            raise RefusedError("file", f"{place.url} is a file, not a folder")
        self._places.make(place)

    def _missing_unless(self, place: Place, work: Callable[[], object]) -> None:
        """Read a file; where there is none, tell what there is."""
        try:
            _file(place)
            work()
        except (NotFoundError, RefusedError) as error:
            seen = self._look(place)
            if seen and seen["kind"] == "folder":
                raise RefusedError("folder", f"{place.url} is a folder, not a file") from error
            raise RefusedError("missing", f"there is no file {place.url}") from error

    def _local(self, path: str) -> Path:
        """Return a path that a request may name, as it really is."""
        found = Path(path)
        if not found.is_absolute() or not any(found.resolve().is_relative_to(folder) for folder in self._shared):
            raise RefusedError("invalid", f"{path} is in no folder that is shared with this process")
        return found

    def _room(self) -> tempfile.TemporaryDirectory[str]:
        try:
            return tempfile.TemporaryDirectory(dir=self._exchange)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {self._exchange}") from error


def kind_of(error: MlctlError) -> protocol.Kind:
    """Return what a guest is told of an error."""
    match error:
        case RefusedError():
            return error.kind
        case NotFoundError():
            return "missing"
        case PermissionDeniedError():
            return "denied"
        case UsageError():
            return "invalid"
    return "failed"


def _file(place: Place) -> str:
    """Return the key of a place that is to be a file."""
    if not place.key or place.url.endswith("/"):
        raise RefusedError("folder", f"{place.url} is a folder, not a file")
    return place.key
