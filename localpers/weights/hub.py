"""Downloading one file from the model hub, by the standard library alone."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message as Headers
from http.client import HTTPException
from pathlib import Path
from typing import IO

from localpers.errors import LocalpersError
from localpers.weights.digest import compute_sha256

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60
_PARTIAL, _RANGE_NOT_SATISFIABLE = 206, 416
_STORAGE = ("huggingface.co", "hf.co")
"""Domains where the hub keeps its files: it sends every download on to one of their hosts."""


def endpoint() -> str:
    """The hub's address; `HF_ENDPOINT` names a mirror, as it does for the hub's own tools."""
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
    """Download `file` of `repository` to `part`, going on where an earlier try stopped; returns its
    SHA-256.

    The digest that the hub publishes is shown before the download, and the file checked against it.
    Raises LocalpersError where the hub cannot be reached or what came is not what it publishes;
    in the first case `part` is kept.
    """
    address = f"{endpoint()}/{repository}/resolve/main/{urllib.parse.quote(file)}"
    try:
        digest, published = _download(address, file, part, notify, progress, require_space)
    except urllib.error.HTTPError as error:
        raise LocalpersError(
            f"The model hub answered {error.code} for {repository}/{file}: if it asks for consent "
            "to a licence, get the file with your browser and pass --offline FILE."
        ) from None
    except (OSError, HTTPException) as error:
        raise LocalpersError(
            f"The download of {file} stopped ({type(error).__name__}): check the network and run "
            "this again; it goes on where it stopped."
        ) from None
    if digest != published:
        part.unlink()
        raise LocalpersError(
            f"{file} came with SHA-256 {digest[:12]}…, the hub publishes {published[:12]}…: run "
            "this again."
        )
    return digest


def _download(
    address: str,
    file: str,
    part: Path,
    notify: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
    require_space: Callable[[int], None],
) -> tuple[str, str]:
    """The digest of what came and the published one. Raises LocalpersError where there is none."""
    have = part.stat().st_size if part.exists() else 0
    listening = _Listening()
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.build_opener(listening).open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE:
            raise
        return compute_sha256(part), listening.digest
    with response:
        listening.hear(response.headers)
        if response.status != _PARTIAL:
            have = 0
        size = have + int(response.headers.get("Content-Length") or 0)
        require_space(size - have)
        published = listening.digest
        if not published:
            raise LocalpersError(
                f"{endpoint()} publishes no SHA-256 for {file}, so it could not be checked: "
                "get the file with your browser and pass --offline FILE."
            )
        notify(
            f"Fetching {file} ({size / 1e6:,.0f} MB) from {endpoint()}; SHA-256 published there: "
            f"{published}."
        )
        with part.open("ab" if have else "wb") as out:
            while chunk := response.read(_CHUNK):
                have += out.write(chunk)
                if progress is not None:
                    progress(have, size)
            out.flush()
            os.fsync(out.fileno())
        if have < size:
            raise ConnectionError("cut short")
    return compute_sha256(part), published


class _Listening(urllib.request.HTTPRedirectHandler):
    """Follows redirects and keeps the digest that the hub states on the way to its storage."""

    digest = ""

    def hear(self, headers: Headers) -> None:
        stated = str(headers.get("X-Linked-ETag") or headers.get("ETag") or "").strip('W/"')
        if not self.digest and re.fullmatch(r"[0-9a-f]{64}", stated):
            self.digest = stated

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Headers,
        newurl: str,
    ) -> urllib.request.Request | None:
        self.hear(headers)
        check_permitted(newurl)
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if followed is not None and req.has_header("Range"):
            followed.add_header("Range", str(req.get_header("Range")))
        return followed


def check_permitted(address: str) -> None:
    """Raise LocalpersError for a host that is neither the source nor the hub's own storage, and
    where encryption would be given up.
    """
    source, target = urllib.parse.urlsplit(endpoint()), urllib.parse.urlsplit(address)
    host = target.hostname or ""
    known = host == source.hostname or any(
        host == domain or host.endswith(f".{domain}") for domain in _STORAGE
    )
    if not known or (source.scheme == "https" and target.scheme != "https"):
        raise LocalpersError(
            f"The hub sends this download on to {target.scheme}://{host}, which is not the source "
            "that was named: get the file with your browser and pass --offline FILE."
        )
