"""Breaks judges, controls, the ledger and what is promised, a place at a time, and counts what the tests find.

mutants.py CARGO_MUTANTS FOLDER [--shard K/N]

cargo-mutants lists what can be broken. One test program holds all of its mutants, each an arm of the function that it is
in, chosen by FOREBAY_MUTANT: 1,100 of them cost one build. What has no place there (a function that is const, or gives an
`impl`), and what does not compile for a reason that could be this program's, is tried by cargo-mutants itself. Prints a
table by file, and what was not found. Ends with 1 where less than nine of ten are found.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

# Arguments of the test program, and how long it may take: a mutant on which it never ends is found too, since somebody would
# look.
Tests = collections.namedtuple("Tests", ["args", "wait_s"])
FOUND_MIN = 0.9
PROOF = "crates/forebay-proof/src"
FILES = ["**/*judge*.rs", "**/negative_controls.rs", "**/negative_controls/*.rs", "**/*guard*.rs", "ledger.rs", "findings.rs", "claim.rs", "claim/*.rs"]
FILES += ["**/*guarantee*.rs", "tune/effects.rs"]
# Controls that are judged by a run on a server, by the tests of theirs that take one.
RUNS = {
    f"{PROOF}/{proof}/negative_controls.rs": Tests(["--include-ignored", f"{proof}::negative_controls"], 600)
    for proof in ("baseline", "throughput", "tune")
}
# Tests of statistics take a minute without optimization, and judge nothing of this.
UNIT_TESTS = Tests(["--skip", "tune::interval", "--skip", "tune::experiment"], 60)
# What the tests of one may take: a mutant can ask for all there is.
BYTES_MAX = 6 << 30
CONFIG = ["--config=profile.dev.package.forebay-proof.opt-level=0", "--config=profile.dev.debug=0"]
CHOOSER = """
/// Which mutant this process is: 0 is none.
pub fn mutant() -> u32 {
    static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| std::env::var("FOREBAY_MUTANT").map_or(0, |number| number.parse().unwrap()))
}
"""


def listed(program, more):
    """What cargo-mutants would break."""
    of = [f"--file={PROOF}/{file}" for file in FILES] + [f"--exclude={PROOF}/**/tests.rs"]
    said = subprocess.run([program, "mutants", "--list", "--json", *of, *more], check=True, capture_output=True)
    return json.loads(said.stdout)


class Text:
    """A file's text, by cargo-mutants' lines and columns, which count from one."""

    def __init__(self, text):
        self.text = text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def range(self, span):
        at = [self.starts[span[end]["line"] - 1] + span[end]["column"] - 1 for end in ("start", "end")]
        return at[0], at[1]


def outermost(mutants, text):
    """Mutants by the function that they are in, as ranges of text; of functions in functions, the outer one."""
    ranges = sorted({text.range(mutant["function"]["span"]) for mutant in mutants}, key=lambda at: (at[0], -at[1]))
    outer = []
    for at in ranges:
        if not outer or at[0] >= outer[-1][1]:
            outer.append(at)
    by = collections.defaultdict(list)
    for mutant in mutants:
        start, end = text.range(mutant["function"]["span"])
        by[next(at for at in outer if at[0] <= start and end <= at[1])].append(mutant)
    return sorted(by.items(), reverse=True)


def has_arms(head):
    """Whether a function with this head can choose among bodies."""
    return not re.search(r"\bconst\s+fn\b", head) and not re.search(r"->\s*impl\b", head)


def with_arms(source, mutants, homeless):
    """The text of a file with an arm for each mutant; those that have no place are added to `homeless`."""
    text = Text(source)
    for (start, end), within in outermost(mutants, text):
        open_at = source.index("{", source.index("fn ", start))
        if not has_arms(source[start:open_at]):
            homeless.extend(within)
            continue
        body = source[open_at:end]
        arms = []
        for mutant in within:
            of = text.range(mutant["span"])
            changed = body[: of[0] - open_at] + mutant["replacement"] + body[of[1] - open_at :]
            arms.append(f"/*<{mutant['number']}>*/ {mutant['number']} => {changed} /*</{mutant['number']}>*/\n")
        source = source[:open_at] + "{ match crate::mutant() {\n" + "".join(arms) + f"_ => {body} }} }}" + source[end:]
    return source


def arm_at(source, line):
    """The number of the mutant whose arm is on this line of a file with arms, or None."""
    upto = "".join(source.splitlines(keepends=True)[:line])
    opened = re.findall(r"/\*<(/?\d+)>\*/", upto)
    if opened and not opened[-1].startswith("/"):
        return int(opened[-1])
    # An arm of one line ends where it began.
    on = re.findall(r"/\*<(\d+)>\*/", source.splitlines()[line - 1])
    return int(on[0]) if on else None


class Tree:
    """A copy of the project that is broken in all places at once."""

    def __init__(self, folder, mutants):
        self.folder = folder / "tree"
        self.target = folder / "target"
        self.originals = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        files = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
        for file in filter(None, files.split("\0")):
            if pathlib.Path(file).is_file():
                (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, self.folder / file)
        for file in {mutant["file"] for mutant in mutants}:
            self.originals[file] = (self.folder / file).read_text()
        with (self.folder / PROOF / "lib.rs").open("a") as lib:
            lib.write(CHOOSER)

    def write(self, mutants):
        """Gives those that have no place."""
        homeless = []
        for file, source in self.originals.items():
            within = [mutant for mutant in mutants if mutant["file"] == file]
            (self.folder / file).write_text(with_arms(source, within, homeless))
        return homeless

    def build(self):
        """The test program, and errors by the number of the mutant at which they stand."""
        command = ["cargo", "test", "--locked", "-p", "forebay-proof", "--lib", "--no-run", "--message-format=json"]
        env = os.environ | {"CARGO_TARGET_DIR": str(self.target), "RUSTFLAGS": "--cap-lints=allow"}
        said = subprocess.run([*command, *CONFIG], cwd=self.folder, env=env, stdout=subprocess.PIPE, text=True)
        messages = [json.loads(line) for line in said.stdout.splitlines()]
        programs = [of["executable"] for of in messages if of.get("executable") and of["target"]["name"] == "forebay_proof"]
        if said.returncode == 0:
            return programs[-1], {}
        errors = {}
        for message in (of["message"] for of in messages if of["reason"] == "compiler-message"):
            if message["level"] != "error":
                continue
            spans = sorted(message["spans"], key=lambda span: not span["is_primary"])
            at = [arm_at((self.folder / span["file_name"]).read_text(), span["line_start"]) for span in spans]
            numbers = [number for number in at if number is not None]
            if numbers:
                code = (message["code"] or {}).get("code")
                errors.setdefault(numbers[0], []).append((code, message["message"]))
            elif spans:
                sys.exit(f"mutants: an error in no arm: {message['rendered']}")
        if not errors:
            sys.exit("mutants: cargo says that the build failed, and names no place")
        return None, errors


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (BYTES_MAX, BYTES_MAX))


def outcome(program, cwd, number, tests):
    """Whether tests find this mutant, and what they print: 0, which is none, must be missed."""
    env = os.environ | {"FOREBAY_MUTANT": str(number), "RUST_TEST_THREADS": "2"}
    command = [program, *tests.args]
    child = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limit_memory, start_new_session=True
    )
    try:
        said, _ = child.communicate(timeout=tests.wait_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.wait()
        return "never ended", ""
    return ("missed" if child.returncode == 0 else "found"), said.decode(errors="replace")


def run_all(mutants, program, cwd, words, folder):
    """Runs the unit tests on each mutant, and those that take a server on what they are for and nothing else has found."""

    def tried(mutants, tests_of):
        found = pool.map(lambda mutant: outcome(program, cwd, mutant["number"], tests_of(mutant))[0], mutants)
        for mutant, word in zip(mutants, found):
            words[mutant["name"]] = word
            (folder / "words.json").write_text(json.dumps(words, indent=1))
        print(f"mutants: {len(mutants)} tried", flush=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tried(mutants, lambda _: UNIT_TESTS)
        left = [mutant for mutant in mutants if words[mutant["name"]] == "missed" and mutant["file"] in RUNS]
        tried(left, lambda mutant: RUNS[mutant["file"]])


def by_cargo_mutants(program, mutants, folder):
    """What has no arm: name to word."""
    if not mutants:
        return {}
    names = [f"--re=^{re.escape(mutant['name'])}$" for mutant in mutants]
    shutil.rmtree(folder / "single", ignore_errors=True)
    command = [program, "mutants", "--output", str(folder / "single"), "--copy-target=true", "--cargo-arg=" + CONFIG[0], *names]
    subprocess.run([*command, "--", "--lib", "--", *UNIT_TESTS.args])
    outcomes = json.load(open(folder / "single/mutants.out/outcomes.json"))["outcomes"]
    words = {"CaughtMutant": "found", "Timeout": "never ended", "MissedMutant": "missed"}
    of = {each["scenario"]["Mutant"]["name"]: each["summary"] for each in outcomes if each["scenario"] != "Baseline"}
    return {name: words.get(summary, "unviable") for name, summary in of.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shard", help="a part of them: 0/10 is the first tenth")
    args = parser.parse_args()
    folder = args.folder.resolve()
    mutants = listed(args.program, [f"--shard={args.shard}"] if args.shard else [])
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
    tree = Tree(folder, mutants)
    # A constant is in no function.
    with_place = [mutant for mutant in mutants if mutant["function"]]
    single, words = [mutant for mutant in mutants if not mutant["function"]], {}
    while True:
        homeless = tree.write(with_place)
        single += homeless
        with_place = [mutant for mutant in with_place if mutant not in homeless]
        program, errors = tree.build()
        if program:
            break
        print(f"mutants: {len(errors)} do not compile", flush=True)
        for mutant in with_place:
            # A type without a default is none in any build; all else could be for the arms.
            if all(code == "E0277" and "Default" in message for code, message in errors.get(mutant["number"], [("", "")])):
                words[mutant["name"]] = "unviable"
            elif mutant["number"] in errors:
                single.append(mutant)
        with_place = [mutant for mutant in with_place if mutant["number"] not in errors]
    cwd = tree.folder / "crates/forebay-proof"
    for tests in (UNIT_TESTS, *RUNS.values()):
        began = time.monotonic()
        word, said = outcome(program, cwd, 0, tests)
        if word != "missed":
            sys.exit(f"mutants: the tests fail without any:\n{said}")
        print(f"mutants: without any, {' '.join(tests.args)} takes {time.monotonic() - began:.1f} s", flush=True)
    print(f"mutants: {len(with_place)} in one program, {len(single)} by cargo-mutants", flush=True)
    run_all(with_place, program, cwd, words, folder)
    words |= by_cargo_mutants(args.program, single, folder)
    (folder / "words.json").write_text(json.dumps(words, indent=1))
    sys.exit(table(mutants, words))


def table(mutants, words):
    counts = collections.defaultdict(collections.Counter)
    for mutant in mutants:
        counts[mutant["file"].removeprefix(PROOF + "/")][words.get(mutant["name"], "not run")] += 1
    rows = sorted(counts.items())
    rows.append(("all", sum(counts.values(), collections.Counter())))
    print("| file | mutants | found | tests never ended | not found | found of all |\n|---|---|---|---|---|---|")
    for file, of in rows:
        found, tried = found_of(of)
        share = f"{found * 100 / tried:.1f} %" if tried else "–"
        print(f"| {file} | {tried} | {of['found']} | {of['never ended']} | {of['missed']} | {share} |")
    total = rows[-1][1]
    print(f"\n{total['unviable']} more did not compile, {total['not run']} were not run.")
    missed = [mutant["name"] for mutant in mutants if words.get(mutant["name"]) == "missed"]
    if missed:
        print("\nNot found:")
        for name in missed:
            print(f"- {name}")
    found, tried = found_of(total)
    return 0 if tried and found / tried >= FOUND_MIN else 1


def found_of(counts):
    found = counts["found"] + counts["never ended"]
    return found, found + counts["missed"]


if __name__ == "__main__":
    main()
