"""A program with one planted mistake: mutants/NAME.patch on copies of the sources, compiled and linked as the build does.

Nothing else is built: the object with the mistake stands before the libraries, so that theirs is not taken."""

import json
import os
import shlex
import shutil
import subprocess

from cutting import BUILD, SOURCE

HERE = os.path.dirname(os.path.abspath(__file__))


def _run(argv, cwd):
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(argv)[:300]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _patched(name, folder):
    """{path in the tree: path of the copy with the mistake}. A patch that does not apply is a failure."""
    patch = os.path.join(HERE, "mutants", name + ".patch")
    with open(patch) as file:
        sources = [line.split()[1][2:] for line in file if line.startswith("--- a/")]
    for source in sources:
        os.makedirs(os.path.join(folder, os.path.dirname(source)), exist_ok=True)
        shutil.copy(os.path.join(SOURCE, source), os.path.join(folder, source))
    _run(["patch", "-p1", "--no-backup-if-mismatch", "-i", patch], folder)
    return {source: os.path.join(folder, source) for source in sources}


def _compile(source, copy):
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
    objects = dict(_compile(source, copy) for source, copy in _patched(name, folder).items())
    relative = os.path.relpath(program, BUILD)
    command = _run(["ninja", "-t", "commands", relative], BUILD).strip().splitlines()[-1]
    words = shlex.split(command.replace(": &&", "").replace("&& :", ""))
    words = [word for word in words if word != "ccache"]
    out = os.path.join(folder, os.path.basename(program))
    words[words.index("-o") + 1] = out
    first = next(i for i, word in enumerate(words) if word.endswith(".o"))
    words = words[:first] + list(objects.values()) + [word for word in words[first:] if word not in objects]
    _run(words, BUILD)
    return out
