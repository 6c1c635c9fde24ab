#!/bin/sh
# Makes the three fonts of the window from their originals.
#
# Needs fonttools (pip install fonttools), the Debian packages fonts-inter and
# fonts-jetbrains-mono, and lucide.ttf of the npm package lucide-static as the argument:
#   assets/fonts/subset.sh path/to/lucide-static/font/lucide.ttf
set -eu
lucide=${1:?the path of lucide.ttf}
here=$(cd "$(dirname "$0")" && pwd)
inter=/usr/share/fonts/opentype/inter
mono=/usr/share/fonts/truetype/jetbrains-mono

# Latin-1, dashes and quotes, superscripts, arrows, mathematical signs, box drawing, shapes, marks.
text=U+20-7E,U+A0-FF,U+2013,U+2014,U+2018-201A,U+201C-201E,U+2020-2022,U+2026,U+2070,U+2074-2079,U+20AC
signs=U+2190-2195,U+2196-2199,U+21A9,U+21AA,U+21B3,U+21B5,U+21BA,U+21BB,U+21D2,U+21D4,U+21E5,U+21E7
math=U+2205,U+2212,U+221A,U+221E,U+2227,U+2228,U+2248,U+2260,U+2264,U+2265
shapes=U+2318,U+2325,U+2500-2573,U+2580-259F,U+25A0,U+25A1,U+25AA,U+25AB,U+25B2,U+25B4,U+25B6,U+25B8
shapes=$shapes,U+25BA,U+25BC,U+25BE,U+25C0,U+25C2,U+25C4,U+25C6,U+25CB,U+25CF,U+25D4,U+2605,U+2606
shapes=$shapes,U+2713,U+2715,U+2717,U+26A0

# Ligatures and contextual alternates would join characters of addresses: they are left out.
subset() {
  pyftsubset "$1" --output-file="$2" --unicodes="$text,$signs,$math,$shapes" \
    --layout-features="$3" --no-hinting --desubroutinize --name-IDs=0,1,2,3,4,5,6,13,14 \
    --notdef-outline --drop-tables+=DSIG
}

subset "$inter/Inter-Regular.otf" "$here/Inter-Regular.otf" kern,tnum
subset "$inter/Inter-SemiBold.otf" "$here/Inter-SemiBold.otf" kern,tnum
subset "$mono/JetBrainsMono-Regular.ttf" "$here/JetBrainsMono-Regular.ttf" ''
subset "$mono/JetBrainsMono-Bold.ttf" "$here/JetBrainsMono-Bold.ttf" ''

python3 - "$here" "$lucide" <<'PYTHON'
import sys
from fontTools.ttLib import TTFont
from fontTools import subset

here, lucide = sys.argv[1:]

# Figures of equal width become the default ones.
for weight in ("Regular", "SemiBold"):
    path = f"{here}/Inter-{weight}.otf"
    font = TTFont(path)
    gsub = font["GSUB"].table
    tabular = {}
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in gsub.LookupList.Lookup[index].SubTable:
                    tabular.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for code, name in list(table.cmap.items()):
            if chr(code).isdigit() and code < 128:
                table.cmap[code] = tabular.get(name, name)  # tables may share a mapping
    del font["GSUB"]
    font.save(path)

# Icons at the Unicode characters that they draw; Inter and JetBrains Mono lack these.
icons = {
    "\u2298": 57425,  # ban: circled slash
    "\u23ee": 57695,  # skip-back
    "\u23ed": 57696,  # skip-forward
    "\u23f4": 58345,  # step-back
    "\u23f5": 58346,  # step-forward
    "\u25f7": 57936,  # clock-3
    "\u23f8": 57646,  # pause
    "\u2600": 57720,  # sun
    "\u263e": 57630,  # moon
    "\U0001f512": 57611,  # lock
}
font = TTFont(lucide)
options = subset.Options(name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14], layout_features=[], notdef_outline=True)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=icons.values())
subsetter.subset(font)
for table in font["cmap"].tables:
    table.cmap = {
        ord(sign): table.cmap[code]
        for sign, code in icons.items()
        if code in table.cmap and (table.format == 12 or ord(sign) < 0x10000)
    }
font.save(f"{here}/Lucide.ttf")
PYTHON
