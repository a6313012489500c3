"""Download a file over HTTPS; a broken download goes on where it stopped."""

import http.client
import ssl
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from orchestrator.errors import StoreError
from orchestrator.pip_settings import pip_settings
from orchestrator.progress import Reporter

TIMEOUT = 15.0  # seconds without a byte
ATTEMPTS = 3  # in a row that bring no byte
FIRST_PAUSE = 0.5  # seconds; doubled at each of them
BLOCK = 1 << 18  # bytes read at once


class DownloadError(StoreError):
    """A source of a dataset cannot be reached, or does not have what it should."""


def download(url: str, path: Path, *, reporter: Reporter) -> None:
    """Download `url` to `path`, unless it is there.

    What has come so far is kept beside it as `<path>.part`, also when the process is killed.

    Raises:
        DownloadError: The server cannot be reached or refuses.
        OSError: The file cannot be written.
    """
    if path.exists():
        return
    part = path.with_name(path.name + ".part")
    attempt = 0
    while True:
        before = _size(part)
        try:
            _fetch(url, part, reporter)
        except _BrokenError as error:
            attempt = 1 if _size(part) > before else attempt + 1
            if attempt >= ATTEMPTS:
                raise DownloadError(f"{url}: {error}") from error
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        else:
            part.replace(path)
            return


class _BrokenError(Exception):
    """Worth another try."""


def _fetch(url: str, part: Path, reporter: Reporter) -> None:
    start = _size(part)
    request = urllib.request.Request(
        url, headers={"User-Agent": "mlctl", **({"Range": f"bytes={start}-"} if start else {})}
    )
    with _open(request, part) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            start = 0  # the server does not do ranges
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with (
            reporter.bar(path_name(url), total=total, unit="bytes") as bar,
            part.open("ab" if start else "wb", 0) as file,
        ):
            bar.advance(start)
            while block := _read(response):
                file.write(block)
                bar.advance(len(block))
                start += len(block)
    if total is not None and start < total:
        raise _BrokenError(f"the connection ended after {start} of {total} bytes")


def _open(request: urllib.request.Request, part: Path) -> http.client.HTTPResponse:
    context = ssl.create_default_context()
    if cert := pip_settings().cert:
        context.load_verify_locations(cert)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT, context=context)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the file: something else
            raise _BrokenError("the file has changed") from error
        reason = f"HTTP {error.code} {error.reason}"
        if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _BrokenError(reason) from error
        raise DownloadError(f"{request.full_url}: {reason}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _BrokenError(str(error.reason)) from error
        raise DownloadError(f"{request.full_url}: {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error) or type(error).__name__) from error
    return response


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(BLOCK)  # what has come, so that nothing is lost at a kill
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error) or type(error).__name__) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def path_name(url: str) -> str:
    """Return the last segment of a URL."""
    return url.rsplit("/", 1)[-1]
