#!/usr/bin/env python3
"""Are a page's figures those of its JSON?   eval_page.py DOM JSON PATH...

Every element with data-path holds one: data-value is the JSON's number at that path (empty: none), and the text is that number as a per
cent, a cosine or as it is. The paths named must be among them."""
import html
import json
import re
import sys


def at(data, path):
    for key in path.split("/"):
        if isinstance(data, list):
            data = data[int(key)]
        else:
            data = (data or {}).get(key)
    return data


page, source = (open(name, encoding="utf-8").read() for name in sys.argv[1:3])
data, seen, wrong = json.loads(source), {}, []
body = page[:page.index('<script type="application/json"')]
for path, value, text in re.findall(r'data-path="([^"]*)" data-value="([^"]*)"[^>]*>([^<]*)', body):
    path = html.unescape(path)
    x = at(data, path)
    if isinstance(x, list):  # a point of a plot
        same = [float(v) for v in value.split(",")] == x
    elif x is None:
        same = value == "" and text == "\u2013"
    else:
        shown = float(text.replace("%", ""))
        same = float(value) == x and (abs(shown - x) <= 0.000501 or abs(shown - 100 * x) <= 0.0501)
    seen[path] = True
    if not same:
        wrong.append(f"{path}: the page says {value!r}, {text!r}, the JSON {x!r}")
wrong += [f"{path} is not on the page" for path in sys.argv[3:] if path not in seen]
if not seen or wrong:
    sys.exit("\n".join(wrong[:10]) or "no figure on the page")
print(len(seen), "figures")
