"""Download one file from the model hub with huggingface_hub.

huggingface_hub resumes only within one process, so the part file is ours; requests, retries, tokens
and metadata are the library's. Every request passes `_vet_request` first. The library's Xet client
opens connections of its own and is never used.
"""

from __future__ import annotations

import logging
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localpers.errors import LocalpersError
from localpers.weights.digest import compute_sha256

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfFileMetadata

_STORAGE = ("huggingface.co", "hf.co")
"""Domains of the hub's own storage, to which it redirects downloads."""
_BY_HAND = "download the file with your browser and pass --offline FILE."


def endpoint() -> str:
    """The hub's address; `HF_ENDPOINT` names a mirror."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def fetch(
    repository: str,
    file: str,
    part: Path,
    *,
    notify: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
    require_space: Callable[[int], None],
) -> str:
    """Download `file` of `repository` to `part`, resuming what is there; returns its SHA-256.

    Shows the SHA-256 that the hub publishes before the download and checks the file against it.
    The user's hub token is sent only if the hub refuses the request without one. Raises
    LocalpersError if the hub cannot be reached (`part` is kept), or if the file differs from what
    it publishes (`part` is deleted).
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get

    url = hf_hub_url(repository, file, endpoint=endpoint())
    with _session(f"{repository}/{file}"):
        metadata, headers = _metadata(url)
        published, size = metadata.etag or "", metadata.size or 0
        if not re.fullmatch(r"[0-9a-f]{64}", published):
            raise LocalpersError(f"{endpoint()} publishes no SHA-256 for {file}: {_BY_HAND}")
        have = part.stat().st_size if part.exists() else 0
        have = have if have <= size else 0
        require_space(size - have)
        notify(
            f"Downloading {file} ({size / 1e6:,.0f} MB) from {endpoint()}; published SHA-256: "
            f"{published}."
        )
        bar: Any = _progress_bar(progress)
        with part.open("ab" if have else "wb") as out:
            http_get(
                url, out, resume_size=have, headers=headers, expected_size=size, tqdm_class=bar
            )
            out.flush()
            os.fsync(out.fileno())
    digest = compute_sha256(part)
    if digest != published:
        part.unlink()
        raise LocalpersError(
            f"{file} has SHA-256 {digest[:12]}…, but the hub publishes {published[:12]}…: run "
            "this again."
        )
    return digest


@contextmanager
def _session(name: str) -> Iterator[None]:
    """Connections that obey `_vet_request`, closed at the end; errors become LocalpersErrors."""
    import httpx2
    from huggingface_hub import close_session, set_client_factory
    from huggingface_hub.errors import HfHubHTTPError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    set_client_factory(
        lambda: httpx2.Client(event_hooks={"request": [_vet_request]}, follow_redirects=True)
    )
    try:
        yield
    except HfHubHTTPError as error:
        raise LocalpersError(
            f"The model hub answered {error.response.status_code} for {name}. If the model asks "
            f"you to accept a licence, accept it on its page and set HF_TOKEN, or {_BY_HAND}"
        ) from None
    except (OSError, httpx2.HTTPError) as error:
        raise LocalpersError(
            f"The download of {name} stopped ({type(error).__name__}): check the network and run "
            "this again to resume it."
        ) from None
    finally:
        close_session()


def _metadata(url: str) -> tuple[HfFileMetadata, dict[str, str]]:
    """What the hub says about the file, and the headers with which it allows the download."""
    from huggingface_hub import get_hf_file_metadata, get_token
    from huggingface_hub.errors import HfHubHTTPError

    headers = {"Accept-Encoding": "identity"}
    try:
        return get_hf_file_metadata(url, token=False, endpoint=endpoint()), headers
    except HfHubHTTPError as error:
        token = get_token()
        if token is None or error.response.status_code not in (401, 403):
            raise
    headers["Authorization"] = f"Bearer {token}"
    return get_hf_file_metadata(url, token=token, endpoint=endpoint()), headers


def _progress_bar(progress: Callable[[int, int], None] | None) -> type:
    """A class with the part of tqdm's interface that http_get uses."""

    class Bar:
        def __init__(self, *, total: int | None, initial: int, **_: Any) -> None:
            self.done, self.total = initial, total or 0

        def update(self, count: int) -> None:
            self.done += count
            if progress is not None:
                progress(self.done, self.total)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None: ...

    return Bar


def _vet_request(request: httpx2.Request) -> None:
    """Refuse hosts that are not the hub's, and tell them nothing but which file is wanted."""
    check_permitted(str(request.url))
    request.headers["User-Agent"] = "localpers"
    if request.url.host != urllib.parse.urlsplit(endpoint()).hostname:
        request.headers.pop("Authorization", None)


def check_permitted(address: str) -> None:
    """Raise LocalpersError unless `address` is on the endpoint's host or in the hub's own storage,
    and encrypted if the endpoint is.
    """
    source, target = urllib.parse.urlsplit(endpoint()), urllib.parse.urlsplit(address)
    host = target.hostname or ""
    known = host == source.hostname or any(
        host == domain or host.endswith(f".{domain}") for domain in _STORAGE
    )
    if not known or (source.scheme == "https" and target.scheme != "https"):
        raise LocalpersError(
            f"The hub redirects this download to {target.scheme}://{host}, which is neither the "
            f"hub nor its storage: {_BY_HAND}"
        )
