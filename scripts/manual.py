#!/usr/bin/env python3
"""Write the manual pages of fairlead and its subcommands.

usage: scripts/manual.py --binary BINARY --texts DIRECTORY --output DIRECTORY

Commands and options are what the binary says of itself (--experimental-dump-help), so a page cannot name an option that
is not there. What else a reader needs comes from TEXTS/PAGE.mdoc, where there is one: mdoc(7), of which the part before
the first section belongs to the description. In it, a line `@output WORDS` is replaced by what the binary prints.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess

SECTION = 8
BEHIND_REFERENCES = (".Sh STANDARDS", ".Sh HISTORY", ".Sh CAVEATS", ".Sh BUGS", ".Sh SECURITY CONSIDERATIONS")


def roff(text):
    """Plain text as roff: nothing in it is markup, except that `code` becomes bold."""
    lines = []
    for line in text.split("\n"):
        line = line.replace("\\", "\\e").replace("-", "\\-")
        line = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in line)
        line = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", line)
        lines.append("\\&" + line if line[:1] in (".", "'") else line)
    return "\n".join(lines)


def is_help(argument):
    return argument.get("valueName") == "help"


def shown(items):
    return [item for item in items if item.get("shouldDisplay", True)]


def flag(name):
    """One name of an option, as mdoc's Fl: it puts the first dash."""
    return ("Fl " if name["kind"] == "short" else "Fl \\-") + name["name"]


def option_words(argument):
    """What stands in a list of options: every name, and the value."""
    if argument["kind"] == "positional":
        return f"Ar {argument['valueName']}"
    words = " , ".join(flag(name) for name in argument["names"])
    return words if argument["kind"] == "flag" else f"{words} Ar {argument['valueName']}"


def synopsis(command, words):
    lines = [f".Nm \"{' '.join(words)}\""]
    subcommands = shown(command.get("subcommands", []))
    for argument in shown(command.get("arguments", [])):
        if is_help(argument):
            continue
        if argument["kind"] == "positional":
            text = f"Ar {argument['valueName']}"
        else:
            text = flag(argument["preferredName"])
            if argument["kind"] == "option":
                text += f" Ar {argument['valueName']}"
        if argument["isOptional"]:
            text = "Op " + text
        lines.append(f".{text}" + (" ..." if argument["isRepeating"] else ""))
    if subcommands:
        lines += [".Ar subcommand", ".Op ..."]
    return lines


def sentence(text):
    text = text.strip()
    return text if not text or text[-1] in ".:!?" else text + "."


def options(command):
    lines = []
    for argument in shown(command.get("arguments", [])):
        if is_help(argument):
            continue
        lines.append(f".It {option_words(argument)}")
        about = [sentence(argument.get("abstract") or "")]
        if argument.get("discussion"):
            about.append(sentence(argument["discussion"]))
        if argument.get("allValues"):
            about.append("One of " + ", ".join(argument["allValues"]) + ".")
        if argument.get("defaultValue"):
            about.append(f"Default: {argument['defaultValue']}.")
        if argument["isRepeating"] and argument["kind"] == "option" and not re.search("several|each", about[0]):
            about.append("May be given several times.")
        lines += [roff(part) for part in about if part]
    if lines:
        lines = [".Bl -tag -width Ds"] + lines + [".El"]
    return lines


def literal(text):
    return [".Bd -literal", roff(text.strip("\n").replace("`", "'")), ".Ed"]


class Texts:
    """The parts that people wrote."""

    def __init__(self, directory, binary):
        self.directory = pathlib.Path(directory)
        self.binary = binary

    def read(self, page):
        """The description's part and the sections' part of a page; empty where nobody wrote any."""
        path = self.directory / f"{page}.mdoc"
        if not path.exists():
            return [], []
        lines = []
        for line in path.read_text(encoding="utf-8").splitlines():
            lines += self.output(line) if line.startswith("@output ") else [line]
        first = next((at for at, line in enumerate(lines) if line.startswith(".Sh ")), len(lines))
        return lines[:first], lines[first:]

    def output(self, line):
        words = line.split()[1:]
        return literal(subprocess.run([self.binary, *words], check=True, capture_output=True, text=True).stdout)


def nested(command, words):
    """Subcommands of a subcommand: subsections of its page."""
    lines = []
    for inner in shown(command.get("subcommands", [])):
        name = words + [inner["commandName"]]
        lines += [f".Ss {' '.join(name)}", roff(sentence(inner.get("abstract") or "")), ".Pp"]
        lines += [".Bd -ragged -offset indent", *synopsis(inner, name), ".Ed", ".Pp"]
        lines += options(inner) + nested(inner, name)
    return lines


def page(command, words, date, texts, others):
    name = "-".join(words)
    about, sections = texts.read(name)
    abstract = (command.get("abstract") or "").strip().rstrip(".")
    lines = [
        ".\\\" Written by scripts/manual.py; change the program's help, or packaging/manual.",
        f".Dd {date:%B} {date.day}, {date.year}",
        f".Dt {name.upper()} {SECTION}",
        ".Os Fairlead",
        ".Sh NAME",
        f".Nm {name}",
        f".Nd {roff(abstract[:1].lower() + abstract[1:])}",
        ".Sh SYNOPSIS",
        *synopsis(command, words),
        ".Sh DESCRIPTION",
    ]
    if command.get("discussion") and not about:
        text = command["discussion"]
        about = literal(text) if "\n" in text.strip() else [roff(text)]
    described = about + options(command)
    if len(words) == 1:
        described += [".Pp", "Subcommands:", ".Bl -tag -width Ds"]
        for inner in shown(command.get("subcommands", [])):
            described += [f".It Ic {inner['commandName']}", roff(sentence(inner.get("abstract") or ""))]
            if inner["commandName"] != "help":
                described.append(f"See\n.Xr {name}-{inner['commandName']} {SECTION} .")
        described += [".El"]
    else:
        described += nested(command, words)
    lines += described or [roff(sentence(command.get("abstract") or ""))]
    return "\n".join(lines + with_references(sections, others)) + "\n"


def with_references(sections, others):
    """The written sections with SEE ALSO at its place: before those that mdoc(7) puts behind it."""
    at = next((i for i, line in enumerate(sections) if line.startswith(BEHIND_REFERENCES)), len(sections))
    references = [".Sh SEE ALSO"]
    references += [f".Xr {other} {SECTION} ," for other in others[:-1]] + [f".Xr {others[-1]} {SECTION}"]
    return sections[:at] + references + sections[at:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--output", required=True)
    options_given = parser.parse_args()
    # The day of the binary: the same binary gives the same pages.
    stamp = int(os.environ.get("SOURCE_DATE_EPOCH", os.stat(options_given.binary).st_mtime))
    date = datetime.datetime.fromtimestamp(stamp, datetime.timezone.utc)
    dump = subprocess.run(
        [options_given.binary, "--experimental-dump-help"], check=True, capture_output=True, text=True).stdout
    root = json.loads(dump)["command"]
    texts = Texts(options_given.texts, options_given.binary)
    output = pathlib.Path(options_given.output)
    output.mkdir(parents=True, exist_ok=True)
    pages = [(root, [root["commandName"]])]
    for inner in shown(root.get("subcommands", [])):
        if inner["commandName"] != "help":
            pages.append((inner, [root["commandName"], inner["commandName"]]))
    names = ["-".join(words) for _, words in pages]
    for command, words in pages:
        name = "-".join(words)
        others = sorted(other for other in names if other != name)
        if name != names[0]:
            others = [names[0]] + (["fairlead-ipvsadm"] if name != "fairlead-ipvsadm" else [])
        (output / f"{name}.{SECTION}").write_text(page(command, words, date, texts, others), encoding="ascii")


if __name__ == "__main__":
    main()
