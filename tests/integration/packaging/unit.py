"""What a unit file of ours says, and which system calls its filter lets through: as systemd.exec(5) puts it."""

import collections
import functools
import re
import subprocess


@functools.lru_cache(None)
def groups():
    """Group name -> its members, as this machine's systemd knows them."""
    text = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    found, name = {}, None
    for line in text.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            found[name] = set()
        elif word and not word.startswith("#") and name and line.startswith(" "):
            found[name].add(word)
    return found


def expand(word):
    if not word.startswith("@"):
        return {word}
    return set().union(*(expand(member) for member in groups()[word]))


class Unit:
    def __init__(self, path):
        self.path = path
        self.values = collections.defaultdict(list)
        with open(path, encoding="utf-8") as file:
            for line in file:
                match = re.match(r"([A-Za-z]+)=(.*)", line.strip())
                if match:
                    self.values[match[1]].append(match[2].strip())

    def last(self, name, otherwise=""):
        return self.values[name][-1] if self.values[name] else otherwise

    def words(self, name):
        return [word for line in self.values[name] for word in line.split()]

    def calls(self):
        """The names of all system calls that are allowed."""
        allowed = expand("@default")
        for line in self.values["SystemCallFilter"]:
            named = set().union(*(expand(word) for word in line.lstrip("~").split()))
            allowed = allowed - named if line.startswith("~") else allowed | named
        return allowed
