"""Charts as SVG. Bars: a bar a peer, its median, and a line from the least to the greatest round. Curves: panels one below
the other over one axis, each with its own scale from zero."""

import html
import math

WIDTH, LABELS, BAR, GAP, HEAD = 760, 170, 18, 8, 44
COLOURS = {"plain": "#9aa5b1", "nftables": "#7b8794", "haproxy": "#b8a07e", "nginx": "#a3b18a"}
OURS = "#3e6fa8"
CURVES = [OURS, "#b5653b", "#5d8a4f", "#8a5d8a"]
LEFT, RIGHT, PANEL, BETWEEN = 96, 36, 150, 40


def text(x, y, words, size=12, anchor="start", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">'
            f"{html.escape(words)}</text>")


def shown(value, unit):
    if unit == "lost":
        return f"{value * 100:.1f} %"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.2f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def begun(title, height):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif">', f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', text(12, 24, title, 15)]


def finished(parts, notes, height):
    for at, note in enumerate(notes):
        parts.append(text(12, height - 8 - 15 * (len(notes) - 1 - at), note, 10, colour="#666"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def bars(title, unit, less_is_better, rows, notes):
    """`rows`: [(name, median, least, greatest)]; `notes`: lines below. The whole SVG."""
    top = max((row[3] for row in rows), default=0) or 1
    height = HEAD + len(rows) * (BAR + GAP) + 16 + 15 * len(notes)
    room = WIDTH - LABELS - 130
    parts = begun(f"{title} ({'less' if less_is_better else 'more'} is better)", height)
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
    return finished(parts, notes, height)


def steps(top):
    """Some four round numbers from 0 to at least `top`."""
    size = 10 ** math.floor(math.log10(top / 4))
    size *= next(each for each in (1, 2, 2.5, 5, 10) if each * size * 4 >= top * 0.999)
    return [size * at for at in range(math.ceil(top / size * 0.999) + 1)]


def short(value):
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g} {letter}"
    return f"{value:g}"


def curves(title, axis, panels, notes, logarithmic=False):
    """`axis`: (its name, [(x, what is written there)]); `panels`: [(heading, {curve: [(x, y)]})], where a y may have its
    least and greatest behind it. The whole SVG."""
    name, marks = axis
    height = HEAD + len(panels) * (PANEL + BETWEEN) + 34 + 15 * len(notes)
    ends = [math.log10(x) if logarithmic else x for x in (marks[0][0], marks[-1][0])]

    def across(x):
        share = ((math.log10(x) if logarithmic else x) - ends[0]) / ((ends[1] - ends[0]) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    parts = begun(title, height)
    for number, (heading, drawn) in enumerate(panels):
        bottom = HEAD + 14 + number * (PANEL + BETWEEN) + PANEL
        levels = steps(max((max(point[1:]) for points in drawn.values() for point in points), default=0) or 1)

        def up(y):
            return bottom - y / levels[-1] * PANEL

        parts.append(text(LEFT, bottom - PANEL - 8, heading, 12))
        for level in levels:
            parts.append(f'<line x1="{LEFT}" y1="{up(level):.1f}" x2="{WIDTH - RIGHT}" y2="{up(level):.1f}" stroke="#ddd"/>')
            parts.append(text(LEFT - 8, up(level) + 4, short(level), 10, "end"))
        for x, mark in marks:
            parts.append(text(across(x), bottom + 14, mark, 10, "middle"))
        for at, (curve, points) in enumerate(drawn.items()):
            colour = CURVES[at % len(CURVES)]
            path = " ".join(f"{across(point[0]):.1f},{up(point[1]):.1f}" for point in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            if len(points) <= 20:
                parts += [f'<circle cx="{across(point[0]):.1f}" cy="{up(point[1]):.1f}" r="3" fill="{colour}"/>'
                          for point in points]
            parts += [f'<line x1="{across(x):.1f}" y1="{up(least):.1f}" x2="{across(x):.1f}" y2="{up(most):.1f}" '
                      f'stroke="{colour}"/>' for x, _, least, most in (point for point in points if len(point) == 4)]
            if len(drawn) > 1:
                parts.append(text(WIDTH - RIGHT - 150 * (len(drawn) - 1 - at), bottom - PANEL - 8, curve, 11, "end", colour))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEAD + 14 + len(panels) * (PANEL + BETWEEN) - 6, name, 11, "middle"))
    return finished(parts, notes, height)
