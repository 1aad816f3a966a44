"""Bar charts as SVG: a bar a peer, its median, and a line from the least to the greatest round."""

import html

WIDTH, LABELS, BAR, GAP, HEAD = 760, 170, 18, 8, 44
COLOURS = {"plain": "#9aa5b1", "nftables": "#7b8794", "haproxy": "#b8a07e", "nginx": "#a3b18a"}
OURS = "#3e6fa8"


def text(x, y, words, size=12, anchor="start", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">'
            f"{html.escape(words)}</text>")


def shown(value, unit):
    if unit == "lost":
        return f"{value * 100:.1f} %"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.2f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def bars(title, unit, less_is_better, rows, notes):
    """`rows`: [(name, median, least, greatest)]; `notes`: lines below. The whole SVG."""
    top = max((row[3] for row in rows), default=0) or 1
    height = HEAD + len(rows) * (BAR + GAP) + 16 + 15 * len(notes)
    room = WIDTH - LABELS - 130
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
             f'font-family="sans-serif">', f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             text(12, 24, f"{title} ({'less' if less_is_better else 'more'} is better)", 15)]
    for at, (name, median, least, greatest) in enumerate(rows):
        y = HEAD + at * (BAR + GAP)
        middle = y + BAR / 2
        parts += [
            text(LABELS - 8, middle + 4, name, anchor="end"),
            f'<rect x="{LABELS}" y="{y}" width="{max(1, median / top * room):.1f}" height="{BAR}" '
            f'fill="{COLOURS.get(name, OURS)}"/>',
            f'<line x1="{LABELS + least / top * room:.1f}" y1="{middle}" x2="{LABELS + greatest / top * room:.1f}" '
            f'y2="{middle}" stroke="#222" stroke-width="1.5"/>',
            text(LABELS + greatest / top * room + 6, middle + 4, shown(median, unit)),
        ]
    for at, note in enumerate(notes):
        parts.append(text(12, height - 8 - 15 * (len(notes) - 1 - at), note, 10, colour="#666"))
    return "\n".join([*parts, "</svg>"]) + "\n"
