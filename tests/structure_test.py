#!/usr/bin/env python3
"""The shape of the source tree: core includes only std and itself, no include climbs out of its layer, functions and
files keep their limits, and each test that docs/TRAPS.md names exists. Run by ctest; exits 1 and names each offence."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
STD = set("""algorithm any array atomic bit bitset charconv chrono compare concepts cstddef cstdint cstdio cstdlib
cstring deque exception expected functional initializer_list iterator limits list map memory numbers numeric
optional queue ranges ratio set span stdexcept string string_view tuple type_traits unordered_map unordered_set
utility variant vector version cmath cassert""".split())
# In core even parts of std are out of bounds: clocks, threads, streams, random numbers.
FORBIDDEN_IN_CORE = {"chrono", "atomic"}


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


def core_offences():
    for path in sorted((SRC / "core").glob("*.[ch]pp")):
        is_test = path.name.endswith("_test.cpp")
        for number, kind, name in includes(path):
            ok = name.startswith("core/") if kind == '"' else name in STD - FORBIDDEN_IN_CORE
            if is_test and name in ("gtest/gtest.h", "gmock/gmock.h"):
                ok = True
            if not ok:
                yield f"{path.relative_to(ROOT)}:{number}: core may not include {name}"


def climbing_offences():
    for path in sorted(SRC.rglob("*.[ch]pp")):
        for number, _, name in includes(path):
            if ".." in name:
                yield f"{path.relative_to(ROOT)}:{number}: include {name} goes around the layers"


def function_lengths(path):
    """Lines of each function body at namespace or class level, by indentation: our formatter puts the brace
    that ends a function where its first line began."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        opens = re.match(r"^( {0,2})[A-Za-z~\[].*\) ?(const|override|noexcept|mutable|-> [\w:<>*& ]+| )*\{$", line)
        continued = re.match(r"^ {4,}.*\) ?(const|override|noexcept| )*\{$", line)
        if start is None and opens:
            start = (number, opens.group(1))
        elif start is None and continued:
            back = number - 1
            while back > 0 and lines[back - 1].startswith("    "):
                back -= 1
            if back > 0 and re.match(r"^ {0,2}[A-Za-z~\[]", lines[back - 1]):
                start = (back, re.match(r"^ *", lines[back - 1]).group(0))
        elif start is not None and line == start[1] + "}":
            yield start[0], number - start[0] + 1
            start = None


def own_files():
    for folder in ("src", "sim", "tests", "bench", "fuzz", "lab", "tools"):
        for suffix in ("cpp", "hpp", "py", "sh", "mjs"):
            yield from (ROOT / folder).rglob("*." + suffix)


def size_offences():
    for path in sorted(own_files()):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > MAX_FILE_LINES:
            yield f"{path.relative_to(ROOT)}: {count} lines, limit {MAX_FILE_LINES}"
        if path.suffix not in (".cpp", ".hpp") or path.name.endswith("_test.cpp"):
            continue  # by its braces; tests are tables of cases
        for number, length in function_lengths(path):
            if length > MAX_FUNCTION_LINES:
                yield f"{path.relative_to(ROOT)}:{number}: function of {length} lines, limit {MAX_FUNCTION_LINES}"


# What must never be sent: letting clients go on that a frontend limit holds makes HAProxy abort, and a server without its
# checks gets work whatever becomes of it. Tests play somebody else's hand.
DANGEROUS = ("set maxconn", "disable health")


def dangerous_words():
    for path in sorted(SRC.rglob("*.[ch]pp")):
        if path.name.endswith("_test.cpp"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for words in DANGEROUS:
                if words in line:
                    yield f"{path.relative_to(ROOT)}:{number}: `{words}` must never be sent"


def names_test(path, text, name):
    """Whether the file has that test: by the macro of GoogleTest, as a function of Python, or, in programs that hold
    their cases in a table, as a string."""
    if path.endswith("_test.cpp"):
        suite, _, case = name.partition(".")
        return re.search(rf"\bTEST(_F|_P)?\(\s*{re.escape(suite)},\s*{re.escape(case)}\s*\)", text)
    if path.endswith(".py"):
        return re.search(rf"^ *def {re.escape(name)}\(", text, re.MULTILINE)
    return f'"{name}"' in text


def tests_named_in(row):
    for path, names in re.findall(r"`((?:src|tests)/[^\s`:]+): ([^`]+)`", row):
        # Only names of tables have commas within.
        for name in names.split(", ") if path.endswith(("_test.cpp", ".py")) else [names]:
            yield path, name


def trap_offences(counts):
    """Each row before the last section names a test at least, and each name is there; fills in how many rows."""
    tested = True
    for number, line in enumerate((ROOT / "docs/TRAPS.md").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            tested = line != "## Without a test"
        if not line.startswith("| ") or line.startswith("| trap |"):
            continue
        counts[tested] += 1
        named = list(tests_named_in(line))
        if tested and not named:
            yield f"docs/TRAPS.md:{number}: a trap that names no test"
        for path, name in named:
            text = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
            if not names_test(path, text, name):
                yield f"docs/TRAPS.md:{number}: there is no {name} in {path}"


def main():
    offences = list(core_offences()) + list(climbing_offences()) + list(size_offences()) + list(dangerous_words())
    traps = {True: 0, False: 0}
    offences += trap_offences(traps)
    for offence in offences:
        print(offence)
    files = len(list(SRC.rglob("*.[ch]pp")))
    print(f"{traps[True]} traps with a test, {traps[False]} without")
    print(f"{files} files looked at, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
