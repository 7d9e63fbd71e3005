"""A table of what cargo-mutants found by file, and what no test found: mutants.py OUTCOMES.json...

Ends with 1 where less than nine of ten of those that compile were found.
"""

import collections
import json
import sys

FOUND_MIN = 0.9

counts = collections.defaultdict(collections.Counter)
missed = []
outcomes = [outcome for file in sys.argv[1:] for outcome in json.load(open(file))["outcomes"]]
for outcome in outcomes:
    scenario = outcome["scenario"]
    if scenario == "Baseline":
        continue
    mutant = scenario["Mutant"]
    # A mutant on which the tests never end is found too: somebody would look.
    word = {"CaughtMutant": "found", "Timeout": "found", "MissedMutant": "missed"}.get(outcome["summary"], "unviable")
    counts[mutant["file"]][word] += 1
    if word == "missed":
        missed.append(mutant["name"])

print("| file | mutants | found | not found | found of all |\n|---|---|---|---|---|")
total = collections.Counter()
for file, of in sorted(counts.items()):
    total.update(of)
rows = sorted(counts.items()) + [("all", total)]
for file, of in rows:
    tried = of["found"] + of["missed"]
    share = f"{of['found'] * 100 / tried:.1f} %" if tried else "–"
    print(f"| {file} | {tried} | {of['found']} | {of['missed']} | {share} |")
print(f"\n{total['unviable']} more did not compile.")
if missed:
    print("\nNot found:")
    for name in missed:
        print(f"- {name}")
tried = total["found"] + total["missed"]
sys.exit(0 if tried and total["found"] / tried >= FOUND_MIN else 1)
