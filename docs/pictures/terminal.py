"""Draws what a terminal shows as an SVG: `remotemedia run … --table 2>&1 | python3 docs/pictures/terminal.py TITLE > FILE.svg`."""

import html
import sys

CHARACTER_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 16
#: Browsers draw several spaces as one.
NO_BREAK = "\N{NO-BREAK SPACE}"


def main() -> None:
    lines = [line.rstrip("\n") for line in sys.stdin]
    title = " ".join(sys.argv[1:])
    width = round(max(map(len, [title, *lines])) * CHARACTER_WIDTH) + 2 * MARGIN
    height = (len(lines) + 1) * LINE_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>')
    print('<g font-family="ui-monospace, monospace" font-size="14" fill="#d7dae0">')
    for number, line in enumerate([title, *lines], start=1):
        colour = ' fill="#7fb4ff"' if number == 1 else ""
        text = html.escape(line).replace(" ", NO_BREAK)
        y = MARGIN + number * LINE_HEIGHT - 5
        print(f'<text x="{MARGIN}" y="{y}" textLength="{len(line) * CHARACTER_WIDTH:.0f}"{colour}>{text}</text>')
    print("</g>\n</svg>")


main()
