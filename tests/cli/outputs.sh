#!/usr/bin/env bash
# What the program writes: outputs are checked before the work, never overwrite each other or what is no file, and names
# never command a terminal or break JSON.
#   outputs.sh PROGRAM FIXTURES
. "$(dirname "$0")/common.sh"
models
edit="edit $models --seed 7 --sound $rain --steps 100000000" # would never end: every error below comes before the work

# --- checked before the first step: the folder, what is there, the ending, each flag of each command
mkdir folder locked; chmod 555 locked; : > kept.png; : > kept.npy; chmod 444 kept.png kept.npy
long=$(printf 'n%.0s' $(seq 300))
for flag in out:png latent-out:npy strip:png sheet:png; do
  name=--${flag%:*} end=${flag#*:}
  with="--mode absolute --out fine.png"; [ "$name" = --out ] && with=
  bad "$name in no folder" 1 "$name: nowhere/x.$end: cannot be created, the folder nowhere: No such file" $edit $with $name nowhere/x.$end
  bad "$name in a file" 1 "Not a directory" $edit $with $name kept.png/x.$end
  bad "$name on a folder" 2 "must end in .$end, got folder" $edit $with $name folder
  mkdir -p folder.$end
  bad "$name on a folder of the right name" 1 "$name: folder.$end: is a folder" $edit $with $name folder.$end
  bad "$name of another kind" 2 "$name must end in .$end, got x.txt" $edit $with $name x.txt
  bad "$name of no kind" 2 "must end in .$end, got .$end" $edit $with $name .$end
  bad "$name too long" 1 "File name too long" $edit $with $name $long.$end
  bad "$name read-only" 1 "kept.$end: is read-only" $edit $with $name kept.$end
done
bad "pixels for an array" 2 "out must end in .png, got x.npy" $edit --out x.npy
bad "numbers for a picture" 2 "latent-out must end in .npy, got x.png" $edit --out y.png --latent-out x.png
bad "two flags, one file" 2 "one would overwrite the other" $edit --out x.png --strip x.png
ln -s x.png same.png
bad "one file by a link" 2 "one would overwrite the other" $edit --out x.png --strip same.png
bad "one file by another spelling" 2 "one would overwrite the other" $edit --out x.png --strip folder/../x.png
bad "a snapshot's file" 2 "every x-000300.png and|strip x-000300.png and" edit $models --seed 7 --sound "$rain" --every 100 --out x.png --strip x-000300.png
several="edit $models --seed 7,9 --sound $rain --steps 100000000"
bad "several in a folder of no folder" 1 "several files need a folder: No such file" $several --out nowhere/all
bad "several in a file" 1 "several files need a folder: a file of that name exists" $several --out kept.png
mkdir -p all/seed9-rain.png
bad "a folder where one of several is to be" 1 "all/seed9-rain.png: is a folder" $several --out all
bad "a strip that is one of several" 2 "one would overwrite" $several --out new --strip new/seed7-rain.png
is "a folder of a command that was refused is removed again" test ! -e new
bad "several by a model that is none" 1 "rgb8.npy: is not a StyleGAN2" edit --generator $fixtures/picture/rgb8.npy --clip seven.npy --seed 7,9 --sound "$rain" \
  --audio audio.safetensors --out later
is "nor is one left when the work itself is refused" test ! -e later
bad "weights onto themselves" 2 "out clip.safetensors is a file that is read .clip.safetensors.: it would be overwritten" \
  weights convert clip.safetensors --out clip.safetensors
ln clip.safetensors hard.safetensors
bad "by another link" 2 "would be overwritten" weights convert hard.safetensors --out clip.safetensors
cp "$fixtures/picture/rgb8.png" source.png; cp "$fixtures/picture/rgb8.npy" source.npy
bad "the picture that is edited" 2 "out source.png is a file that is read" edit $models --image source.png --sound "$rain" --out source.png
bad "the latent that is edited" 2 "latent-out source.npy is a file" edit $models --latent source.npy --sound "$rain" --out x.png --latent-out source.npy
bad "an embedded array" 2 "out source.npy is a file" embed --clip clip.safetensors --image source.npy --out source.npy
bad "one seed twice" 2 "names seed 7 twice" edit $models --seed 7,9,5-7 --sound "$rain" --out all
if [ "$(id -u)" != 0 ]; then
  bad "a folder that is not writable" 1 "locked is not writable" $edit --out locked/x.png
  bad "several in one" 1 "need a folder: Permission denied" $several --out locked
fi
bad "pictures of seeds" 1 "out: nowhere/x-0000.png" generate $g --seeds 1-3 --out nowhere/x.png
mkdir p-0002.png
bad "the third of three" 1 "p-0002.png: is a folder" generate $g --seeds 1-3 --out p.png
is "and none was made" test ! -e p-0000.png
bad "embeddings" 2 "out must end in .npy, got e.png" embed --audio audio.safetensors --sound "$rain" --out e.png
bad "embeddings nowhere" 1 "out: nowhere/e.npy" embed --audio audio.safetensors --sound nowhere.wav --out nowhere/e.npy
bad "a mel picture nowhere" 1 "out: nowhere/m.png" mel --sound nowhere.wav --out nowhere/m.png
bad "weights by another name" 2 "out must end in .safetensors, got w.pt" weights convert nowhere.pt --out w.pt
bad "weights nowhere" 1 "out: nowhere/w.safetensors" weights convert nowhere.pt --out nowhere/w.safetensors
bad "a report by another name" 2 "out must end in .json, got r.txt" eval zero-shot --sound "$rain" --labels a --audio a --clip c --vocab v --out r.txt
bad "a report nowhere" 1 "out: nowhere/r.json" eval zero-shot --sound "$rain" --labels a --audio a --clip c --vocab v --out nowhere/r.json
bad "a confusion matrix by another name" 2 "confusion must end in .png" eval probe --data d --audio a --confusion c.jpg
bad "a sheet of trials nowhere" 1 "sheet: nowhere/s.png" eval edits --judge j --sources s --sounds s --generator g --clip c --audio a --sheet nowhere/s.png
bad "a sound of the world by another name" 2 "out must end in .wav, got w.mp3" world --sound rain --out w.mp3
bad "a picture of it nowhere" 1 "out: nowhere/w.png" world --picture fire --out nowhere/w.png

# --- what is no file is written into; links, modes
ok "to /dev/null" generate $g --seeds 7 --out /dev/null
is "it is a device still" test -c /dev/null
ok "an edit to /dev/null, twice" edit $models --seed 7 --sound "$rain" --steps 1 --out /dev/null --latent-out /dev/null
ok "to a file" generate $g --seeds 7 --out seven.png
mkfifo pipe.png
timeout 60 cat pipe.png > piped.png & "$program" generate $g --seeds 7 --out pipe.png 2>err; wait $!
is "a pipe gets the same bytes and stays" test -p pipe.png -a "$(cmp piped.png seven.png && echo same)" = same
"$program" generate $g --seeds 7 --out /dev/stdout > redirected.png 2>err
is "so does a redirection" same redirected.png seven.png
"$program" weights random --kind face --out /dev/stdout 2>err | cmp -s - face.safetensors
is "and a pipe on stdout" test $? = 0
bad "a full device" 1 "/dev/full: cannot be written .No space left" generate $g --seeds 7 --out /dev/full
ln -s folder/target.png link.png
ok "through a link" generate $g --seeds 7 --out link.png
is "which stays a link" test -L link.png -a -f folder/target.png
chmod 600 seven.png; ok "again" generate $g --seeds 7 --out seven.png
is "a private picture stays private" test "$(stat -c %a seven.png)" = 600
(umask 027; "$program" generate $g --seeds 7 --out masked.png 2>err)
is "the umask is obeyed" test "$(stat -c %a masked.png)" = 640
ok "in capital letters" generate $g --seeds 7 --out SEVEN.PNG

# --- seeds
ok "the largest seed" generate $g --seeds 4294967295 --out large.png
is "is another picture than 7" differ large.png seven.png
bad "a larger one" 2 "at most 4294967295, got 4294967296" generate $g --seeds 4294967296 --out x.png
bad "a wrapped one" 2 "got 18446744073709551623" generate $g --seeds 18446744073709551623 --out x.png
bad "a sign" 2 "got 1,-2" generate $g --seeds 1,-2 --out x.png
bad "a comma too many" 2 "got 1,2," generate $g --seeds 1,2, --out x.png
bad "nothing between commas" 2 "got 1,,2" generate $g --seeds 1,,2 --out x.png
bad "too many" 2 "at most 100000 seeds" generate $g --seeds 0-100000 --out x.png
ok "a large seed of numbers" weights random --kind face --seed 9223372036854775807 --out x.safetensors
bad "a larger one" 2 "seed must be a whole number from 0" weights random --kind face --seed 9223372036854775808 --out x.safetensors
bad "a negative one" 2 "seed must be a whole number from 0 .* got -1" weights random --kind face --seed -1 --out x.safetensors

# --- standard output: a full disk is no success
for command in --version --help "edit --help" "info" "info --json" "weights inspect face.safetensors" \
  "edit $models --seed 7 --sound $rain --dry-run" "edit $models --seed 7 --sound $rain --dry-run --json" "eval --help"; do
  "$program" $command >/dev/full 2>err
  is "$command to a full disk" test $? = 1 -a "$(grep -c 'cannot write to standard output' err)" = 1
done

# --- names of any bytes
plain() { ! LC_ALL=C grep -q "$(printf '[\001-\011\013-\037\177]')" "$1" && iconv -f UTF-8 -t UTF-8 "$1" >/dev/null; }
json() { python3 -c 'import json,sys; [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")] or sys.exit(1)' "$1"; }
command -v python3 >/dev/null || json() { iconv -f UTF-8 -t UTF-8 "$1" >/dev/null && test -s "$1"; }
number=0 edits=1
for name in $'\377' $'a\033[31mred\007' $'two\nlines' $'\302\233c1' $'"\\' $'caf\351'; do
  number=$((number + 1)); is_named="name $number"
  [ $number = 4 ] && edits=0 # an edit takes a second
  cp "$rain" "$name.wav"
  bad "$is_named in an error" 1 "No such file|cannot be opened" embed --audio "$name-none" --sound "$rain" --out x.npy
  is "is plain" plain err
  bad "$is_named in a usage error" 2 "unknown flag|unexpected argument" edit "$name"
  is "is plain" plain err
  "$program" "$name" 2>err; is "$is_named as a command is plain" plain err
  ok "$is_named embedded" embed --audio audio.safetensors --sound "$name.wav" --out "$name.npy" --json
  is "its JSON is JSON" json out
  [ $edits = 1 ] || continue
  ok "$is_named edited" edit $models --seed 7 --sound "$name.wav" --steps 1 --out "$name.png" --json
  is "its JSON is JSON" json out
  ok "$is_named edited, for people" edit $models --seed 7 --sound "$name.wav" --steps 1 --out "$name.png"
  is "is plain" plain err
  ok "$is_named in a batch" edit $models --seed 7,8 --sound "$name.wav" --steps 1 --out "$name" --strip "$name.png" --json
  is "its JSON is JSON" json out
  ok "$is_named in a batch, for people" edit $models --seed 7,8 --sound "$name.wav" --steps 1 --out "$name"
  is "is plain" plain err
done
ok "info" info --json
is "is JSON" json out
ok "dry run" edit $models --seed 7 --sound "$rain" --dry-run --json
is "is JSON" json out
printf 'ra\033in\nfire\n' > labels
ok "labels with escape codes" eval zero-shot --sound "$rain" --labels labels --audio audio.safetensors --clip clip.safetensors $vocab
is "are plain" plain out
ok "labels as JSON" eval zero-shot --sound "$rain" --labels labels --audio audio.safetensors --clip clip.safetensors $vocab --json --out r.json
is "are JSON" json out
is "in the file too" python3 -m json.tool r.json
{ echo fire; head -c 1100000 /dev/zero | tr '\0' '\n'; echo last; } > long-labels
ok "a file of labels beyond 1 MiB" eval zero-shot --sound "$rain" --labels long-labels --audio audio.safetensors --clip clip.safetensors $vocab --json
is "is read to its end" has '"last":' out
cp "$rain" $'\377.wav'
ok "a sound of any name" eval zero-shot --sound $'\377.wav' --labels labels --audio audio.safetensors --clip clip.safetensors $vocab --json
is "in JSON" json out
if "$program" world --sound rain --seconds 1 --out w.wav 2>err; then
  ok "a folder" world --out $'wor\377ld' --count 4 --size 32 --seconds 1
  is "pairs.jsonl is JSON" json $'wor\377ld/pairs.jsonl'
  ok "a training" train judge --data $'wor\377ld' --sizes side=32,widths=8-8 --batch 2 --steps 3 --out $'r\377\033un' --json
  is "its report is JSON" json out
  is "its stats.jsonl is JSON" json $'r\377\033un/stats.jsonl'
  is "its options.json is JSON" python3 -m json.tool $'r\377\033un/options.json'
  ok "a training, for people" train judge --data $'wor\377ld' --sizes side=32,widths=8-8 --batch 2 --steps 3 --out $'\033run'
  is "is plain" plain err
fi
finish
