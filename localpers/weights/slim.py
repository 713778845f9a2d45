"""A GGUF file without its vocabulary, for readers that need weights and settings alone.

The vocabulary is hundreds of thousands of small strings, and the `gguf` package makes several
Python objects of each: most of the time that loading a small model into torch would take.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from localpers.atomic import replacing
from localpers.weights.gguf_cursor import UINT32
from localpers.weights.gguf_file import read_header
from localpers.weights.merge import VERSION, packed_text

_VOCABULARY = "tokenizer."
_EMBEDDING = "token_embd.weight"


def write_without_vocabulary(base_path: Path, out_path: Path) -> None:
    """Copy the file at `base_path` without the keys under `tokenizer.`; tensors stay as they are.

    The number of tokens, which readers take from the vocabulary's length, is stated instead.
    """
    header = read_header(base_path)
    keys = [key for key in header.spans if not key.startswith(_VOCABULARY)]
    stated = f"{header.architecture}.vocab_size"
    extra = b""
    if stated not in header.spans and _EMBEDDING in header.tensors:
        tokens = header.tensors[_EMBEDDING].shape[0]
        extra = packed_text(stated) + struct.pack("<II", UINT32, tokens)
    tensors = header.tensors.values()
    data_start = min((tensor.offset for tensor in tensors), default=header.bytes)
    with (
        replacing(out_path) as temporary,
        temporary.open("wb") as file,
        base_path.open("rb") as base,
    ):
        count = len(keys) + bool(extra)
        file.write(b"GGUF" + struct.pack("<IQQ", VERSION, len(header.tensors), count))
        for key in keys:
            start, end = header.spans[key]
            base.seek(start)
            file.write(base.read(end - start))
        file.write(extra)
        for tensor in tensors:
            file.write(packed_text(tensor.name) + struct.pack("<I", len(tensor.shape)))
            file.write(struct.pack(f"<{len(tensor.shape)}Q", *reversed(tensor.shape)))
            file.write(struct.pack("<IQ", tensor.type, tensor.offset - data_start))
        file.write(bytes(-file.tell() % header.alignment))
        base.seek(data_start)
        shutil.copyfileobj(base, file, 1 << 24)
