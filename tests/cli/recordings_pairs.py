#!/usr/bin/env python3
"""tools/recordings-pairs.py: what it makes of a table of recordings, alone and with a world.

    recordings_pairs.py ROOT"""
import json
import os
import subprocess
import sys
import tempfile


def run(root, *arguments):
    script = os.path.join(root, "tools", "recordings-pairs.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def lines(folder):
    with open(os.path.join(folder, "pairs.jsonl"), encoding="utf-8") as file:
        return [json.loads(text) for text in file]


def write(folder):
    os.makedirs(f"{folder}/world")
    with open(f"{folder}/world/pairs.jsonl", "w", encoding="utf-8") as file:
        file.write('{"sound":"sounds/0.wav","picture":"pictures/0.png","label":"light rain","kind":"rain","strength":0.4}\n')
    with open(f"{folder}/sounds.tsv", "w", encoding="utf-8") as file:
        file.write("path\tlabel\tsplit\tsource\toriginal\n")
        for i in range(30):
            file.write(f"rain/{i}.ogg\train\ttrain\tlarge\t\"quoted name\n")
        file.write("dog/0.ogg\tdog barking\ttrain\ttiny\t\nrain/x.ogg\train\tcheck\ttiny\t\ndog/1.ogg\tdog barking\tcheck\ttiny\t\n")


def main():
    root = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        write(folder)
        with open(f"{folder}/labels.txt", "w", encoding="utf-8") as file:
            file.write("rain\nwind\n")
        done = run(root, folder, "--split", "train", "--world", f"{folder}/world", "--out", f"{folder}/both")
        assert done.returncode == 0, done.stderr
        both = lines(f"{folder}/both")
        assert len(both) == 32, len(both)
        assert both[0] == {"sound": f"{folder}/world/sounds/0.wav", "picture": f"{folder}/world/pictures/0.png",
                           "label": "light rain", "kind": "rain", "strength": 0.4, "source": "world"}, both[0]
        assert both[1] == {"sound": f"{folder}/rain/0.ogg", "label": "rain", "kind": "rain", "source": "large"}, both[1]
        assert both[31] == {"sound": f"{folder}/dog/0.ogg", "label": "other sound", "kind": "other sound",
                            "source": "small"}, both[31]
        done = run(root, folder, "--split", "train", "--world", f"{folder}/world", "--levels", "2", "--out", f"{folder}/levels")
        assert done.returncode == 0, done.stderr
        two = lines(f"{folder}/levels")
        assert len(two) == 1 + 2 * 30 + 1 and "level_db" not in two[0] and "level_db" not in two[-1], len(two)
        assert two[1] == {**both[0], "sound": f"{folder}/rain/0.ogg", "source": "large", "level_db": two[1]["level_db"]}, two[1]
        assert all(-42 <= a["level_db"] <= -27 <= b["level_db"] <= -12 for a, b in zip(two[1:-1:2], two[2:-1:2]))
        done = run(root, folder, "--split", "train", "--levels", "2", "--out", f"{folder}/none")
        assert done.returncode == 1 and "--levels must be >= 0, and needs --world" in done.stderr, done.stderr
        done = run(root, folder, "--split", "check", "--labels", f"{folder}/labels.txt", "--out", f"{folder}/check")
        assert done.returncode == 0, done.stderr
        assert lines(f"{folder}/check") == [{"sound": f"{folder}/rain/x.ogg", "label": "rain", "kind": "rain", "source": "small"}]
        done = run(root, f"{folder}/world", "--split", "train", "--out", f"{folder}/none")
        assert done.returncode == 1 and "sounds.tsv" in done.stderr and "Traceback" not in done.stderr, done.stderr
        done = run(root, folder, "--split", "trian", "--out", f"{folder}/none")
        assert done.returncode == 1 and 'no recording of the split "trian"; there are check, train' in done.stderr, done.stderr
    print("recordings-pairs: as its description says")


if __name__ == "__main__":
    main()
