#!/bin/sh
# Makes the faces for Chinese: exactly the characters that the screen, lessons, glossary, scenarios and
# presets use.
# To be run again after a change of their texts (a test says when).
#
# Needs fonttools (pip install fonttools) and the Debian package fonts-noto-cjk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
noto=/usr/share/fonts/opentype/noto

# Ideographs, their punctuation, full-width forms.
texts=$(mktemp)
trap 'rm -f "$texts"' EXIT
python3 - >"$texts" <<'PYTHON'
import glob

used = set()
patterns = ("assets/strings/zh/*.json", "lessons/*.json", "assets/glossary.json", "assets/presets/*.json",
            "assets/scenarios/*.json", "src/language.rs")
for pattern in patterns:
    for path in glob.glob(pattern):
        with open(path, encoding="utf-8") as file:
            used.update(file.read())
wide = lambda c: "\u2e80" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or "\uff00" <= c <= "\uffef"
print("".join(sorted(filter(wide, used))), end="")
PYTHON

# Face 2 of a collection is the one for Simplified Chinese.
subset() {
  pyftsubset "$noto/$1" --font-number=2 --output-file="$here/$2" --text-file="$texts" \
    --layout-features='' --no-hinting --desubroutinize --name-IDs=0,1,2,3,4,5,6,13,14 \
    --notdef-outline --drop-tables+=DSIG,VORG,vhea,vmtx
}
subset NotoSansCJK-Regular.ttc NotoSansSC-Lessons.otf
subset NotoSansCJK-Bold.ttc NotoSansSC-Lessons-Bold.otf
