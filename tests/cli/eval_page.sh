#!/usr/bin/env bash
# `eval report` and `eval compare --html` as pages in a browser: every figure of a page is the JSON's, and every part is there or said to
# be absent. Skipped (77) where Chromium or Python is not installed.
#   eval_page.sh PROGRAM FIXTURES DEMO
check=$(cd "$(dirname "$0")" && pwd)/eval_page.py
. "$(dirname "$0")/common.sh"
demo=$3 browser=
for name in chromium chromium-browser google-chrome; do browser=${browser:-$(command -v $name)}; done
[ -n "$browser" ] && command -v python3 >/dev/null || { echo "no Chromium or no Python: skipped"; exit 77; }
profile=$(mktemp -d)
trap 'rm -rf "$work" "$profile"' EXIT
look() { # look PAGE: as it stands after its scripts, in ./page
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$profile" \
    --window-size=1200,1600 --virtual-time-budget=3000 --dump-dom "file://$work/$1" >page 2>/dev/null
}
figures() { # figures NAME JSON PATH...: all figures of the page are the file's, and those of the paths are shown
  local name=$1; shift
  if python3 "$check" page "$@" >err 2>&1; then passed=$((passed + 1)); else note "$name"; fi
}
models face
pair="--audio $demo/audio.safetensors --clip $demo/clip.safetensors --vocab $demo/merges.txt"
edited="--generator $demo/generator.safetensors --judge $demo/judge.safetensors --sources calm --sounds held --limit 2 --steps 2 --batch 5"
ok "held-out sounds" world --out held --split test --count 30 --size 32 --seconds 1
ok "calm scenes" world --out calm --split calm --count 2 --size 32

# --- all of it
ok "a report of all" eval report $pair --data held --labels "$demo/labels.txt" --supervised 'ours <b>=56.25|theirs=56.15' $edited \
  --directions 2 --classifier held --intensity 1 --louder rain --identity 1 --face face.safetensors --identity-weight 0.5 --html all.html --out all.json
is "the table has its parts" test "$(grep -c '^## ' out)" = 8
is "half-way figures as on the page" has "| ours <b> | as given | 56.3 % | - |" out
is "others are the nearer one" has "| theirs | as given | 56.1 % | - |" out
is "the folders are inputs" grep -q '"classifier": "held"' all.json
look all.html
figures "figures of a report" all.json zero_shot/accuracy zero_shot/interval/0 zero_shot/prompt_sets/3/balanced zero_shot/confusion/0/0 \
  zero_shot/per_label/rain/accuracy retrieval/audio_image/audio_to_image/r1/share retrieval/audio_image/image_to_audio/median_rank \
  retrieval/audio_text/audio_to_text/r5/interval/1 retrieval/audio_text/text_to_audio/r10/chance supervised/0/share edits/named_right \
  edits/both_interval/0 edits/per_kind/rain/unchanged/all edits/intensity/rain/spearman edits/semantic/by_sound/accuracy \
  edits/semantic/by_text/interval/0 edits/semantic/guides/per_kind/fire edits/directions/source_sound/mean edits/directions/points/0/tsne \
  edits/directions/points/39/pca edits/identity/with/identity/mean edits/identity/difference/similarity/interval/1 \
  published/encoders/0/esc50_zero_shot published/encoders/5/urbansound8k_supervised published/people/1/by_sound
is "the page rounds alike" test "$(grep -o "56.[13] %<.span>" page | sort | tr -d "\n")" = "56.1 %</span>56.3 %</span>"
is "names are texts" grep -qF '<td>ours &lt;b&gt;</td>' page
is "what cannot be measured says why" grep -q '<li>probe: held has no folds' page
is "nothing else is absent" test "$(grep -o '<li>[a-z -]*:' page | wc -l)" = 2
is "what the paper says in words alone" grep -q '<li>Table 2, whose digits are not' page

# --- little of it
ok "a report of sounds alone" eval report --audio $demo/audio.safetensors --clip $demo/clip.safetensors --retrieval held --html few.html --out few.json
is "its source is an input" grep -q '"retrieval": "held"' few.json
look few.html
figures "figures of a small report" few.json retrieval/audio_image/audio_to_image/r10/share published/encoders/0/esc50_probe
is "the rest is named" test "$(grep -o '<li>[a-z -]*:' page | tr -d '\n')" = \
  "<li>zero shot:<li>probe:<li>linear probe:<li>supervised baseline:<li>edits:"
bad "a report of nothing" 2 "give --data, --probe, --retrieval or --sources" eval report --audio a --clip c
bad "an asked part that fails" 1 "nowhere" eval report $pair --data held --probe nowhere
bad "a late part that fails" 1 "nowhere" eval report $pair --data held --labels "$demo/labels.txt" --retrieval nowhere --html late.html --out late.json
is "leaves what was measured" grep -q '"accuracy"' late.json
is "and says so" grep -q 'it failed: nowhere' late.json
look late.html
is "on the page too" grep -q '<li>retrieval: it failed: nowhere' page
is "what came behind it is named" grep -q '<li>edits: an earlier part failed' page
bad "a negative limit" 1 "limit must be >= 0, got -1" eval zero-shot $pair --data held --limit -1
for kinds in nokind "" ","; do
  bad "louder: '$kinds'" 1 "louder must be kinds of the sounds.*(rain|fire).*got \"($kinds)?\"" eval report $pair $edited --intensity 1 --louder "$kinds"
done
for flag in "--steps 5" "--lr 0.1" "--space shared" "--fixed-mask" "--seed 3" "--starts 2"; do
  bad "${flag% *} without edits" 2 "${flag%% *} needs --sources" eval report --audio a --clip c --data held $flag
done
bad "a penalty without a probe" 2 "--l2 needs --probe or --data" eval report --audio a --clip c --retrieval held --l2 3
bad "a baseline without a figure" 2 "must be NAME=PERCENT" eval report --audio a --clip c --data held --supervised ResNet
mkdir -p other/dog; cp held/sounds/00000.wav other/dog
bad "a classifier of other kinds" 1 "has no sound there" eval report $pair $edited --classifier other --directions 1

# --- a comparison
ok "a comparison" eval compare --encoders "one=$demo/audio.safetensors|two=$demo/audio.safetensors,$demo/audio.safetensors" \
  --clip $demo/clip.safetensors --vocab $demo/merges.txt --data held --retrieval held --html pair.html --out pair.json
is "shares are per cent" grep -q '^| zero_shot | [0-9.]* % | [0-9.]* ± 0.0 % |$' out
look pair.html
figures "figures of a comparison" pair.json groups/0/figures/zero_shot/mean groups/1/figures/zero_shot/interval \
  groups/1/figures/text_to_audio_r10/mean published/4/urbansound8k_zero_shot
finish
