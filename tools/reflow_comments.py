#!/usr/bin/env python3
"""Breaks C comments that hold a line of more than 100 columns anew, and touches nothing else.

    tools/reflow_comments.py FILE...

Within such a comment, lines that are indented, hold columns of text or begin with a dash stay as they
are, and so do line ends that somebody meant: after a full stop, where the next word would have fitted.
A comment behind code that is too long goes above it. Tables that a program has written are left alone.
"""
import re
import sys
import textwrap

WIDTH = 100
ORPHAN = 20  # a last line shorter than this is given more to hold


def fill(text, width, tail):
    """Lines of `text`, the last of which must have room for `tail` more columns."""
    best = None
    for narrower in range(width, width - 40, -1):
        lines = textwrap.wrap(text, width=narrower, break_long_words=False, break_on_hyphens=False)
        best = best or lines
        if len(lines) > max(len(best), 2):
            break
        if len(lines[-1]) + tail <= width and (len(lines) == 1 or len(lines[-1]) >= ORPHAN):
            return lines
    if len(best[-1]) + tail > width:
        head, last = best[-1].rsplit(" ", 1)
        best[-1:] = [head, last]
    return best


def paragraphs(lines):
    longest = max(len(line) for line in lines)
    found = [[lines[0]]]
    for before, line in zip(lines, lines[1:]):
        would_fit = len(before) + 1 + len(line.split(" ")[0]) <= longest
        if (would_fit and before[-1] in ".:;?!") or line.startswith("- "):
            found.append([line])
        else:
            found[-1].append(line)
    return found


def stays(line):
    return line == "" or line[0] in " |" or re.search(r"\S {3,}\S", line) or re.match("[-=]{4}", line)


def ruler(line):
    title = re.sub(r"^ */\* -+ (.*?) -+ \*/$", r"\1", line)
    start = "/* ---- " + title + " "
    return [start + "-" * (WIDTH - 3 - len(start)) + " */"]


def inside(lines, indent):
    """The text of a comment's lines, without stars."""
    first = lines[0][indent + 2:]
    rest = [re.sub(r"^\*(?!/) ?", "", line[indent:].lstrip() if not line[indent:].startswith(" *")
                   else line[indent + 1:]) for line in lines[1:]]
    text = [line.rstrip() for line in [first[1:] if first.startswith(" ") else first] + rest]
    text[-1] = re.sub(r" *\*/$", "", text[-1])
    return text


def comment(lines, indent):
    """A comment of its own lines, broken anew."""
    if lines[0].lstrip().startswith("/* ----"):
        return ruler(lines[0])
    pad = " " * indent
    room = WIDTH - indent - 3
    text = inside(lines, indent)
    alone = lines[-1].strip() == "*/"
    if alone:
        text.pop()
    out, run = [], []

    def flush(tail=0):
        if run and max([len(line) for line in run] + [len(run[-1]) + tail]) <= room:
            out.extend(run)
        elif run:
            parts = paragraphs(run)
            for part in parts:
                out.extend(fill(" ".join(part), room, tail if part is parts[-1] else 0))
        run.clear()

    for line in text:
        if stays(line):
            flush()
            out.append(line)
        else:
            run.append(line)
    flush(0 if alone else 3)
    made = [(pad + ("/* " if i == 0 else " * ") + line).rstrip() for i, line in enumerate(out)]
    if alone:
        return made + [pad + " */"]
    made[-1] += " */"
    return made


def behind(lines, at):
    """Code with a comment behind it: the comment above the code."""
    code = lines[0][:at].rstrip()
    indent = len(code) - len(code.lstrip())
    text = " ".join([lines[0][at + 2:].strip()] +
                    [re.sub(r"^\*(?!/) ?", "", line.strip()) for line in lines[1:]])
    text = re.sub(r"\s*\*/$", "", text)
    return comment([" " * indent + "/* " + text + " */"], indent) + [code]


def reflow(source):
    out, i = [], 0
    while i < len(source):
        line = source[i]
        at = line.find("/*")
        own = at >= 0 and line[:at].strip() == ""
        if at < 0 or '"' in line[:at] or line.rstrip().endswith("\\") or line.lstrip().startswith("#"):
            out.append(line)
            i += 1
            continue
        end = i
        while "*/" not in source[end]:
            end += 1
        lines = source[i:end + 1]
        wide = any(len(text) > WIDTH for text in lines) and lines[-1].rstrip().endswith("*/")
        if not wide or line.count("/*") > 1:
            out += lines
        else:
            out += comment(lines, at) if own else behind(lines, at)
        i = end + 1
    return out


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            before = file.read().split("\n")
        if any("Made by tools/" in line for line in before[:6]):
            continue
        after = reflow(before)
        if after != before:
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(after))
        for number, line in enumerate(after, 1):
            if len(line) > WIDTH:
                print(f"{path}:{number}: still {len(line)} columns")


main()
