#!/usr/bin/env bash
# A sound over time as a video: frames, killed and gone on with, joined by a stand-in for ffmpeg.
#   video.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors"
cp "$rain" rain.wav
mkdir none bin
cat > bin/ffmpeg <<'S'
#!/bin/bash
printf '%s\n' "$@" > "$FFMPEG_SAYS"
for last; do :; done
[ -e fail ] && { echo "no such encoder" >&2; exit 3; }
cat 0*.png > "${last#file:}"
S
sed -i "s|\$FFMPEG_SAYS|$work/arguments|" bin/ffmpeg
chmod +x bin/ffmpeg
video="video rain.wav --seed 2 $models --space shared --lr 0.3 --adam-eps 0.01 --steps 4 --warm-steps 3 --fps 8 --every 0.25 --seconds 1"
path=$PATH
PATH=$work/none
ok "a video without ffmpeg" $video --out v.mp4 --strip s.png --json
PATH=$path
is "is its frames" test "$(ls v.mp4.frames-*/0*.png | wc -l)" = 8 -a ! -e v.mp4
is "and the command" has 'ffmpeg' out
is "has a key every quarter second" test "$(ls v.mp4.frames-*/key-*.npy | wc -l)" = 5
is "says how much it flickers" grep -qE '"flicker":\{"change":0\.[0-9]+,"largest":0\.[0-9]+,"crossfade":0\.[0-9]+,"ratio":[0-9]' out
is "in ratio not more than half above a cross-fade" awk -v r="$(grep -o '"ratio":[0-9.]*' out | cut -d: -f2)" 'BEGIN { exit !(r > 0 && r < 1.5) }'
is "a strip" test -s s.png
mv v.mp4.frames-* whole
"$program" $video --out v.mp4 >out 2>err &
pid=$!
wait_for $pid eval 'test -e v.mp4.frames-*/key-0001.npy'
kill -9 $pid; wait $pid 2>/dev/null
rm -f v.mp4.frames-*/0000*.png
is "a killed one has no video" test ! -e v.mp4
PATH=$work/bin:$path ok "goes on" $video --out v.mp4 --json
is "with its keys" grep -qE '"keys_before":[1-5]' out
is "and is joined" test -s v.mp4 -a -z "$(ls -d v.mp4.frames-* 2>/dev/null)"
is "of the frames of one that was not" test "$(cat whole/0*.png | sha256sum)" = "$(sha256sum < v.mp4)"
is "ffmpeg gets the rate and the sound" test "$(grep -c -x -e 8 -e "file:$work/rain.wav" arguments)" = 2
PATH=$work/none
ok "frames of another" $video --out damaged.mp4
PATH=$path
broken=$(echo damaged.mp4.frames-*/000003.png) whole_frame=$(sha256sum < damaged.mp4.frames-*/000003.png)
head -c 100 "$broken" > cut && cp cut "$broken"
PATH=$work/none
ok "a damaged frame" $video --out damaged.mp4 --json
PATH=$path
is "is made again" test "$(sha256sum < "$broken")" = "$whole_frame"
is "alone" has '"frames_before":7,' out
exec 9< damaged.mp4.frames-*/
flock 9
PATH=$work/bin:$path bad "what another run is making" 1 "damaged.mp4.frames-.*: another run of this command is making the video" $video --out damaged.mp4
exec 9<&-
PATH=$work/bin:$path ok "is made when that has ended" $video --out damaged.mp4
PATH=$work/bin:$path ok "one that reacts" $video --react 0.5 --out r.mp4
is "is another" differ r.mp4 v.mp4
PATH=$work/none
ok "frames" $video --out f.mp4 --json
PATH=$path
touch "$(echo f.mp4.frames-*)/fail"
PATH=$work/bin:$path bad "an ffmpeg that fails" 1 "ffmpeg cannot join the frames in f.mp4.frames-[0-9a-f]+ \(exit code 3\): no such encoder" $video --out f.mp4
is "leaves the frames" test "$(ls f.mp4.frames-*/0*.png | wc -l)" = 8
bad "no sound" 2 "a sound is missing" video --seed 2 $models --out x.mp4
bad "another ending" 2 "out must end in .mp4" $video --out x.avi
bad "a goal" 2 "keep is for one picture" $video --keep distance=1 --out x.mp4
bad "whitened space" 2 "space must be w or shared" $video --space whitened --out x.mp4
bad "no rate" 2 "fps must be in" $video --fps 0 --out x.mp4
bad "no distance between keys" 2 "must be > 0" $video --every 0 --out x.mp4
bad "no sound file" 1 "nothing.wav" video nothing.wav --seed 2 $models --out x.mp4

# --- a score: texts and rows by the part of the sound -------------------------------------------------
# as ok, where there is no ffmpeg
ok_without() { PATH=$work/none ok "$@"; }
# codes KEYS.npy KEYS: a line per key, with a digest of each of its eight rows
codes() {
  python3 - "$1" "$2" <<'P'
import hashlib, sys
data = open(sys.argv[1], "rb").read()
keys, rows, start = int(sys.argv[2]), 8, 10 + int.from_bytes(data[8:10], "little")
each = (len(data) - start) // (keys * rows)
for k in range(keys):
    print(*(hashlib.sha256(data[start + (k * rows + r) * each:][:each]).hexdigest()[:8] for r in range(rows)))
P
}
# row NUMBER OF KEYS: the digests of that row at these keys (from 1), each once
row() { sed -n "$2" "$3" | cut -d' ' -f$(($1 + 1)) | sort -u | wc -l; }
score="$video --vocab $demo/merges.txt"
ok_without "without a score" $score --out plain.mp4 --latent-out plain.npy
printf 'seconds,text,weight\n0.5,snow,1\n0.75,,\n' > one.csv
ok_without "with a text from 0.5 to 0.75 s" $score --score one.csv --out one.mp4 --latent-out one.npy --json
is "says the score" has '"score":[{"seconds":0.5,"text":"snow","weight":1.0,"rows":null}' out
is "and how near its key is to the text" test "$(grep -o '"text_cosine":' out | wc -l)" = 1
codes plain.npy 5 > plain; codes one.npy 5 > one
is "has five keys that differ" test "$(sort -u plain | wc -l)" = 5
is "changes the key that it covers" test "$(sed -n 3p one)" != "$(sed -n 3p plain)"
is "and no other" test "$(sed 3d one)" = "$(sed 3d plain)"
settings="--seed 2 $models --vocab $demo/merges.txt --space shared --lr 0.3 --adam-eps 0.01 --steps 4"
ok "an edit by the text" edit $settings --text snow --latent-out text.npy --out text.png
is "is that key where the sound has no weight" test "$(codes text.npy 1)" = "$(sed -n 3p one)"
printf 'seconds,text,weight,rows\n0.5,snow,0.25,\n0.75,,,\n' > part.csv
ok_without "a quarter of a text" $score --score part.csv --out part.mp4 --latent-out part.npy
is "is a quarter of its edit and three of the sound's" python3 - <<'P'
import array
def numbers(path):
    data = open(path, "rb").read()
    return array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])
part, plain, text = numbers("part.npy"), numbers("plain.npy"), numbers("text.npy")
start = 2 * len(text)
assert all(abs(part[start + i] - 0.25 * text[i] - 0.75 * plain[start + i]) < 1e-5 for i in range(len(text)))
assert any(abs(text[i] - plain[start + i]) > 1e-2 for i in range(len(text)))
P
for space in w shared; do
  printf 'seconds,rows\n0,coarse\n0.5,"4-6"\n' > rows.csv
  ok_without "rows by the part, $space" $score --space $space --score rows.csv --out rows-$space.mp4 --latent-out rows.npy
  codes rows.npy 5 > rows
  for r in 0 1 2 3; do
    is "row $r moves in the first part, $space" test "$(row $r 1,3p rows)" = 3
    is "row $r rests in the second, $space" test "$(row $r 3,5p rows)" = 1
  done
  for r in 4 5 6; do
    is "row $r rests in the first part, $space" test "$(row $r 1,3p rows)" = 1
    is "row $r moves in the second, $space" test "$(row $r 3,5p rows)" = 3
  done
  is "row 7 rests always, $space" test "$(row 7 1,5p rows)" = 1
done
is "the sound's edits move no other rows either" test "$(codes rows-w.mp4.frames-*/source.npy 1 | cut -d' ' -f5-8)" = "$(codes rows-w.mp4.frames-*/key-0001.npy 1 | cut -d' ' -f5-8)"
printf 'seconds,text,weight,rows\n0,,,coarse\n0.5,snow,0.6,coarse\n' > rest.csv
ok_without "a text where rows rest" $score --score rest.csv --out rest.mp4 --latent-out rest.npy
codes rest.npy 5 > rest
is "moves those that may move" test "$(row 0 1,5p rest)" = 5
is "and leaves the others" test "$(for r in 4 5 6 7; do row $r 1,5p rest; done | sort -u)" = 1
printf 'seconds,text,weight,rows\n0,,,coarse\n0.25,snow,0.6,\n0.75,rain,,none\n' > all.csv
scored="$score --score all.csv"
ok_without "texts and rows" $scored --out whole.mp4
is "have a folder of their own for each score" test "$(ls -d whole.mp4.frames-* | sed 's/.*-//')" != "$(ls -d one.mp4.frames-* | sed 's/.*-//')"
PATH=$work/none "$program" $scored --out killed.mp4 >out 2>err &
pid=$!
wait_for $pid eval 'test -e killed.mp4.frames-*/key-0001.npy'
kill -9 $pid; wait $pid 2>/dev/null
rm -f killed.mp4.frames-*/0000*.png killed.mp4.frames-*/text-0001.npy
ok_without "a killed one goes on" $scored --out killed.mp4 --json
is "with its keys" grep -qE '"keys_before":[1-5]' out
is "to the same bits" test "$(cat whole.mp4.frames-*/*.png | sha256sum)" = "$(cat killed.mp4.frames-*/*.png | sha256sum)"
# bad_score NAME TEXT PATTERN
bad_score() { printf "$2" > bad.csv; bad "a score with $1" 2 "bad.csv, line $3" $score --score bad.csv --out x.mp4; }
bad_score "no number" 'seconds,text\nsoon,snow\n' '2: column seconds: expected a number >= 0, got soon'
bad_score "no time" 'seconds,text\n0,\n,snow\n' '3: column seconds: expected a number >= 0, got nothing'
bad_score "times that fall" 'seconds,text\n0.5,\n0.25,snow\n' '3: column seconds: expected more than 0.5, where the part before begins, got 0.25'
bad_score "too much weight" 'seconds,text,weight\n0,snow,1.5\n' '2: column weight: expected a number in \[0, 1\], got 1.5'
bad_score "a weight of nothing" 'seconds,text,weight\n0,,0.5\n' '2: column weight: expected nothing where there is no text, got 0.5'
bad_score "no rows" 'seconds,rows\n0,"3-1"\n' '2: column rows: expected rows like coarse, "0-3,6" or none, got 3-1'
bad_score "another column" 'seconds,words\n0,snow\n' '2: unknown column "words", expected seconds, text, weight, rows'
bad_score "a line that is too long" 'seconds,text\n0,snow,1\n' '2: expected 2 cells as in line 1, got 3'
echo seconds > bad.csv
bad "an empty score" 2 "bad.csv: there are no rows in it" $score --score bad.csv --out x.mp4
printf 'seconds,rows\n0,"2-8"\n' > bad.csv
bad "rows that the generator does not have" 1 "bad.csv, line 2: column rows: expected rows from 0 to 7, as the generator has them, got 2-8" $score --score bad.csv --out x.mp4
printf 'seconds,rows\n0,"coarse fine"\n' > bad.csv
bad "a group of which the generator has no row" 1 "bad.csv, line 2: column rows: expected rows from 0 to 7, as the generator has them, got coarse fine \(row 8\)" $score --score bad.csv --out x.mp4
{ echo seconds,text; for i in $(seq 1 30); do echo "0.0$((10 + i)),text $i"; done; printf '0.1,\n'; } > between.csv
ok_without "texts between two keys" $score --score between.csv --out between.mp4 --latent-out between.npy
is "are said to do nothing" has 'between.csv, line 2: the text "text 1" does nothing, as no key lies in its part' err
is "the first of them" test "$(grep -c "does nothing" err)" = 8 -a "$(grep -c "so it is with 22 further lines" err)" = 1
is "do nothing" same between.npy plain.npy
is "and cost nothing" test -z "$(ls between.mp4.frames-*/text-*.npy 2>/dev/null)"
printf 'seconds,text\n90,snow\n' > bad.csv
bad "a part after the sound's end" 1 "bad.csv, line 2: column seconds: expected less than the [0-9.]+ s of the sound, got 90" $score --score bad.csv --out x.mp4
bad "texts without merges" 2 "the texts of --score need --vocab" $video --score one.csv --out x.mp4
bad "no score" 1 "nothing.csv" $score --score nothing.csv --out x.mp4
finish
