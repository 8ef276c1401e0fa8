"""Makes tests/fuzz/corpus/{sound,picture,tokenizer}: tiny seeds, so that the fuzzers start inside the formats.

Needs numpy and soundfile; run with the fixtures already made.
"""

import gzip
import io
import pathlib
import shutil

import numpy as np
import soundfile

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "fixtures"


def put(folder, name, data):
    path = HERE / "corpus" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def sound(kind, subtype, frames, channels):
    wave = np.sin(np.arange(frames * channels) / 5).reshape(frames, channels) / 2
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, 22050, format=kind, subtype=subtype)
    put("sound", f"{kind}_{subtype}_{channels}".lower(), buffer.getvalue())


def main():
    for kind, subtype in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("WAV", "IMA_ADPCM"), ("AIFF", "PCM_S8"), ("FLAC", "PCM_16"), ("AU", "ULAW")):
        sound(kind, subtype, 64, 2 if kind == "WAV" else 1)
    sound("MP3", "MPEG_LAYER_III", 600, 1)
    sound("OGG", "VORBIS", 64, 1)
    for path in sorted((FIXTURES / "picture").glob("*.png")) + [FIXTURES / "picture" / n for n in ("orientation6.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg")]:
        (HERE / "corpus" / "picture").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, HERE / "corpus" / "picture" / path.name)
    merges = b"#version: 0.2\na b\nab c</w>\nt h\nth e</w>\n"
    put("tokenizer", "merges", merges + b"\0the abc &amp; it's")
    put("tokenizer", "packed", gzip.compress(merges, mtime=0))
    put("tokenizer", "entities", "&eacute;&#233; &#xE9;&hellip &copy2".encode())
    put("tokenizer", "unicode", "\u039f\u0394\u03a5\u03a3\u03a3 \ufb01 \u201cx\u2019s\u201d \uff26 e\u0301 \U0001f30a \u0130".encode())


if __name__ == "__main__":
    main()
