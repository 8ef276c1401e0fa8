"""Makes tests/fuzz/corpus: tiny seeds, one per container, so that the fuzzers start inside the grammar.

Needs torch, safetensors and numpy; run with the fixtures already made.
"""

import io
import pathlib
import pickle
import sys
import warnings
import zipfile

import numpy as np
import torch
from safetensors.torch import save

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "fixtures"))
sys.dont_write_bytecode = True
import make_weights  # noqa: E402

TINY = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(3)}


def put(folder, name, data):
    path = HERE / "corpus" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def plain_zip(value):
    """Without torch's 64-byte padding, to stay small."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(value))) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            if name.endswith(("data.pkl", "byteorder")) or "/data/" in name:
                target.writestr(name, source.read(name))
    return buffer.getvalue()


def main():
    warnings.simplefilter("ignore")
    put("safetensors", "two", save(TINY))
    put("safetensors", "metadata", save(TINY, metadata={"format": "pt", "n": "\u00fc\n"}))
    put("safetensors", "empty", save({}))
    put("pickle", "zip", plain_zip(TINY))
    put("pickle", "legacy", saved(TINY, _use_new_zipfile_serialization=False))
    Persistent, _ = make_weights.persistence()
    module = Persistent(z_dim=1)
    module.register_buffer("w", torch.ones(1))
    for protocol in (2, 3, 4):
        put("pickle", f"nvidia_{protocol}", pickle.dumps({"G_ema": module}, protocol=protocol))
    put("pickle", "parameter", plain_zip({"state_dict": {"module.p": torch.nn.Parameter(torch.ones(1))}}))
    numbers = {"a": 1.5, "b": 2**70, "c": [1, -2, 70000], "d": (None, True), "e": {1, 2}, "f": b"x"}
    for protocol in (2, 4, 5):
        put("pickle", f"numbers_{protocol}", pickle.dumps(numbers, protocol=protocol))
    put("pickle", "mark_on_empty_stack", b"\x80\x02(uu\xe0.")  # found by the fuzzer
    for name, array in (("f4", np.ones((2, 1), np.float32)), ("f8", np.asfortranarray(np.ones((2, 2)))), ("i8", np.arange(2))):
        buffer = io.BytesIO()
        np.save(buffer, array)
        put("npy", name, buffer.getvalue())


if __name__ == "__main__":
    main()
