#!/usr/bin/env bash
# The page of a batch in a browser: it shows what results.jsonl says, whatever names hold, loads what is in view only,
# and its address says what to show. Skipped (77) where Chromium is not installed.
#   page.sh PROGRAM FIXTURES
. "$(dirname "$0")/common.sh"
browser=
for name in chromium chromium-browser google-chrome; do browser=${browser:-$(command -v $name)}; done
[ -n "$browser" ] || { echo "no Chromium: skipped"; exit 77; }
profile=$(mktemp -d)
trap 'rm -rf "$work" "$profile"' EXIT
# look FOLDER VIEW: the page as it stands after its scripts and pictures, in ./page
look() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$profile" \
    --window-size=1200,800 --virtual-time-budget=3000 --dump-dom "file://$work/$1/index.html#${2:-}" >page 2>/dev/null
}
# cells CLASS: how many there are
cells() { grep -o "class=\"cell $1\"" page | wc -l; }
says() { is "$1" grep -qF -e "$2" page; }

# --- names of any letters
ok "a picture" world --sound rain --seconds 1 --out rain.wav
ok "another" mel --sound rain.wav --out rain.png
folder='names' bad='"<b>'\''&#%?'
mkdir -p "$folder/results" "$folder/page" sounds
cp rain.wav "sounds/a $bad.wav"; cp rain.wav "sounds/$(printf 'inv\377').wav"; echo none > sounds/bad.wav
for name in "a $bad" ü; do cp rain.png "$folder/results/$name.png"; done
cp rain.png "$folder/page/$(printf 'before\377').png"
cat > "$folder/results.jsonl" <<'E2'
{"line":2,"status":"done","source":"</script><b>seed 1","target":"so/a \"<b>'&#%?.wav","before":"page/before%FF.png","mel":"page/before%FF.png","listen":"../sounds/a%20%22%3Cb%3E%27%26%23%25%3F.wav","level":-6.0,"file":"results/a \"<b>'&#%?.png","cosine":0.5,"distance":2.5}
{"line":3,"status":"done","source":"<!-- <script>","target":"so/inv\\xff.wav","listen":"../sounds/inv%FF.wav","file":"results/ü.png","cosine":0.25,"distance":0.5}
{"line":4,"status":"failed","source":"</script><b>seed 1","target":"so/inv\\xff.wav","listen":"../sounds/bad.wav","reason":"no sound: <i>bad</i>"}
{"line":5,"status":"left","source":"<!-- <script>","target":"a text"}
E2
ok "the page is made of the table" batch --page "$folder"
look "$folder" line=2
is "all rows are drawn" test "$(cells done)$(cells failed)$(cells left)" = 211
is "each picture that the page names is there" test "$(grep -c 'class="missing"' page)" = 0 -a -n "$(grep -o 'data-first-picture="[0-9]' page)"
says "names are texts" ' → a "&lt;b&gt;'\''&amp;#%?.wav, -6 dB</h2>'
says "all of them" '<dd>&lt;/script&gt;&lt;b&gt;seed 1</dd>'
says "the sound is its file" 'src="../sounds/a%20%22%3Cb%3E%27%26%23%25%3F.wav"'
is "and is played" test "$(grep -c '>this browser cannot play' page)" = 0
says "cosine and distance are there" '<dd>0.5000</dd><dt class="">distance</dt><dd>2.500</dd>'
look "$folder" 'show=failed&line=4'
is "failures alone" test "$(cells done)$(cells failed)" = 01
says "with their reason" '<dd>no sound: &lt;i&gt;bad&lt;/i&gt;</dd>'
says "what cannot be played is said" '>this browser cannot play the sound'

# --- ten thousand
mkdir -p many/results many/page
cp rain.png many/results/one.png; cp rain.png many/page/before.png
awk 'BEGIN { for (i = 0; i < 10000; i++)
  if (i % 20 == 7) printf "{\"line\":%d,\"status\":\"failed\",\"source\":\"seed %d\",\"target\":\"sounds/%d.wav\",\"reason\":\"no sound\"}\n", i, i / 100, i % 100
  else printf "{\"line\":%d,\"status\":\"done\",\"source\":\"seed %d\",\"target\":\"sounds/%d.wav\",\"before\":\"page/before.png\",\"file\":\"results/one.png\",\"cosine\":%.4f,\"distance\":%.3f}\n", i, i / 100, i % 100, (i * 7919 % 10000) / 10000, i / 1000
}' > many/results.jsonl
ok "ten thousand results" batch --page many
is "are less than a megabyte" test "$(stat -c %s many/index.html)" -lt 1000000
look many
says "all are there" 'data-matches="10000"'
is "what is in view is drawn" test "$(cells done)" -gt 10
is "and nothing else" test "$(grep -o '<img' page | wc -l)" -lt 150
look many 'find=9.wav+seed&sort=cosine&view=list' # sounds 9, 19, ..., 99 of 100 sources
says "found by words" 'data-matches="1000"'
grep -o 'cos [0-9.]*' page > order
is "the highest cosine comes first" test "$(sort -r order)" = "$(cat order)" -a "$(wc -l < order)" -gt 10
bad "a folder that is none of a batch" 1 "nothing/results.jsonl: cannot be read" batch --page nothing
echo '{"line":' >> many/results.jsonl
bad "a table that is cut" 1 "many/results.jsonl, line 10001: expected a JSON object" batch --page many
bad "a page and a batch" 2 "--page stands alone" batch --page many --out many
finish
