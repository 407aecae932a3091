"""A program with one planted mistake: mutants/NAME.patch on a copy of one source, compiled and linked as the build does.

Nothing else is built: the object with the mistake stands before the libraries, so that theirs is not taken."""

import json
import os
import shlex
import subprocess

from cutting import BUILD, SOURCE

HERE = os.path.dirname(os.path.abspath(__file__))


def _run(argv, cwd):
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(argv)[:300]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _patched(name, folder):
    """(path of the source in the tree, path of the copy with the mistake). A patch that does not apply is a failure."""
    patch = os.path.join(HERE, "mutants", name + ".patch")
    with open(patch) as file:
        source = next(line.split()[1][2:] for line in file if line.startswith("--- a/"))
    copy = os.path.join(folder, os.path.basename(source))
    _run(["patch", "--no-backup-if-mismatch", "-o", copy, os.path.join(SOURCE, source), patch], folder)
    return source, copy


def _compile(source, copy, folder):
    """(object of the build, object with the mistake)."""
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        entry = next(e for e in json.load(file) if e["file"] == os.path.join(SOURCE, source))
    argv = shlex.split(entry["command"])
    target = copy + ".o"
    at = argv.index("-o")
    built, argv[at + 1] = argv[at + 1], target
    argv = [copy if a == entry["file"] else a for a in argv if a not in ("-Werror", "ccache") and not a.endswith("/ccache")]
    for flag in ("-MF", "-MT"):
        if flag in argv:
            argv[argv.index(flag) + 1] = target + ".d"
    _run(argv, entry["directory"])
    return built, target


def build(name, program, folder):
    """`program`: path of the right one in the build. Returns the path of the one with the mistake."""
    source, copy = _patched(name, folder)
    built, target = _compile(source, copy, folder)
    relative = os.path.relpath(program, BUILD)
    command = _run(["ninja", "-t", "commands", relative], BUILD).strip().splitlines()[-1]
    words = shlex.split(command.replace(": &&", "").replace("&& :", ""))
    words = [word for word in words if word != "ccache"]
    out = os.path.join(folder, os.path.basename(program))
    words[words.index("-o") + 1] = out
    if built in words:
        words[words.index(built)] = target
    else:
        words.insert(next(i for i, word in enumerate(words) if word.endswith(".o")), target)
    _run(words, BUILD)
    return out
