"""What training leaves behind: the peft adapter, and reference logits for parity."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localpers.encryption.vault import fetch, keep
from localpers.profile import make_private
from localpers.tuning.device import import_torch
from localpers.weights.parity import ReferenceLogits
from localpers.weights.tokenizer import Tokenizer

SEQUENCES = 4
MOST_POSITIONS = 512
MOST_REFERENCE_BYTES = 256_000_000


def save_peft_adapter(model: Any, folder: Path, base_name: str) -> None:
    """The adapter as peft writes it, for transformers elsewhere; no path of this machine."""
    building = folder.with_name(f".{folder.name}")
    shutil.rmtree(building, ignore_errors=True)
    make_private(building)
    model.save_pretrained(building, safe_serialization=True, save_embedding_layers=False)
    config = building / "adapter_config.json"
    settings = json.loads(config.read_text())
    settings["base_model_name_or_path"] = base_name
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (building / "README.md").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    building.replace(folder)
    keep(folder)


def with_peft_adapter(model: Any, folder: Path) -> Any:
    """The transformers model with the adapter that save_peft_adapter wrote."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder), local_files_only=True)


def begin_with(model: Any, folder: Path) -> None:
    """Give a fresh peft model the weights that save_peft_adapter wrote, of the same shapes."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(fetch(folder / "adapter_model.safetensors")))


def save_reference(model: Any, texts: Sequence[str], tokenizer: Tokenizer, folder: Path) -> int:
    """Logits of the model, on the CPU and in its own precision, over the beginnings of texts.

    Returns the number of positions, at most MOST_POSITIONS and MOST_REFERENCE_BYTES.
    """
    torch = import_torch()
    make_private(folder)
    reference = ReferenceLogits(folder)
    left = min(MOST_POSITIONS, MOST_REFERENCE_BYTES // (4 * tokenizer.size))
    share = max(1, left // SEQUENCES)
    taken = 0
    model.eval()
    with torch.no_grad():
        for text in texts:
            if taken + share > left:
                break
            tokens = tokenizer.encode(text, bos=True)[:share]
            logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
            words = tokenizer.decode(tokens, special=True)
            # Cut in the middle of a word, tokens do not always come back from their own text.
            returns = tokenizer.encode(words, special=True, bos=True) == tokens
            reference.add(tokens, logits.float().numpy(), words if returns else "")
            taken += len(tokens)
    return taken
