"""Decode bytes of any encoding, detecting it only if the bytes do not state it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from localpers.corpus.readers.files import read_bytes
from localpers.errors import UnreadableFile

_MARKS = (  # UTF-32 first: its little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_INVISIBLE = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007f]{1,7})|[\u202d\u202e\U000e0000-\U000e007f]+"
)
"""Unicode tags, which can spell hidden text (except in flags), and direction overrides. Joiners and
directional marks stay: some scripts need them."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_MAX_CONTROL_SHARE = 0.02
_LIKELY = ("cp1252", "cp1250")
"""Preferred if the bytes allow: the common encodings of European files that are not Unicode."""
_SAMPLE = 128 * 1024


def read_text(path: Path, format: str = "text") -> str:
    """The text of the file at `path`, with `\\n` newlines; `format` selects its size limit.

    Raises UnreadableFile if the file is empty, binary, too large or not permitted.
    """
    text = decode(read_bytes(path, format))
    if not text.strip():
        raise UnreadableFile("empty")
    return text


def decode(data: bytes) -> str:
    """Decode by byte order mark, else as UTF-8 or UTF-16/32, else by statistics, then `clean`.

    Raises UnreadableFile("binary content") if no encoding fits.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _strictly(data[len(mark) :], encoding)
            if text is not None:
                return clean(text)
    nuls = data.count(0)
    if nuls * 100 > len(data):
        text = _wide(data)
    else:
        text = _narrow(data.replace(b"\0", b"") if nuls else data)
    if text is None:
        raise UnreadableFile("binary content")
    return clean(text)


def clean(text: str) -> str:
    """Normalize newlines and remove NULs, lone surrogates and characters that hide text."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii():
        if _SURROGATES.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = _INVISIBLE.sub(lambda found: found[1] or "", text)
    return text


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _narrow(data: bytes) -> str | None:
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > _MAX_CONTROL_SHARE * len(data):
        return None
    text = _strictly(data, "utf-8")
    if text is not None:
        return text
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond_ascii = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    # Mostly valid UTF-8, such as a truncated log: no other encoding would fit better.
    if beyond_ascii > 10 * broken:
        return text
    return _by_statistics(data)


def _by_statistics(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE and b"\n" in sample:
        sample = sample[: sample.rindex(b"\n") + 1]
    found = from_bytes(sample)
    if not found:
        return None
    # Short texts fit obsolete code pages as well as current ones.
    names = {encoding for match in found for encoding in match.could_be_from_charset}
    best = next((name for name in _LIKELY if name in names), found[0].encoding)
    return _plausible(data.decode(best, "replace"))


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, by the position of the NULs in ASCII."""
    if data.count(b"\0\0\0") * 8 > len(data):
        candidates = ["utf-32-le", "utf-32-be"]
    elif data[1::2].count(0) > data[::2].count(0):
        candidates = ["utf-16-le"]
    else:
        candidates = ["utf-16-be"]
    for encoding in candidates:
        text = _strictly(data, encoding)
        if text is not None and _plausible(text) is not None:
            return text
    return None


def _plausible(text: str) -> str | None:
    controls = len(_CONTROL_CHARACTERS.findall(text)) + text.count("\ufffd")
    return None if controls > _MAX_CONTROL_SHARE * len(text) else text
