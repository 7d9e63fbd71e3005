"""Runs two proofs, durability and failover, on every server under a folder and writes a table by version: matrix.py FOREBAY SERVERS OUT [ARGS].

Each report stays in OUT/<server>/. Ends with 1 where a claim was refuted or a run gave no report, with 4 where a control was
not refuted, else with 0.
"""

import json
import pathlib
import subprocess
import sys

LIMIT_SECONDS = 3 * 3600


def run(forebay, program, out, args):
    """The report of a server; none where there is none."""
    command = [forebay, "prove", "--only", "durability,failover", "--server-bin", str(program), "--out", str(out), "--quiet", *args]
    print("matrix:", " ".join(command), flush=True)
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=LIMIT_SECONDS)
    file = out / "report.json"
    print(f"matrix: exit code {ended.returncode}", flush=True)
    return ended.returncode, json.loads(file.read_text()) if file.exists() else None


def shown(claim):
    """A claim in a table's field: what was measured where it was, and what came of it."""
    verdict = claim["verdict"]
    if claim["measured"] is None:
        return verdict
    control = claim.get("control")
    doubt = "" if control is None or control["outcome"] != "not_refuted" else ", CONTROL NOT REFUTED"
    unit = {"events": "", "count": "", "milliseconds": " ms"}.get(claim["unit"], f" {claim['unit']}")
    small = abs(claim["measured"]) < 10
    # Plus nothing: a figure just under nothing is not -0.
    value = round(claim["measured"], 1 if small else 0) + 0.0
    figure = f"{value:,.1f}".removesuffix(".0")
    return f"{figure}{unit}, {verdict}{doubt}"


def main():
    forebay, servers, out, *args = sys.argv[1:]
    out = pathlib.Path(out)
    programs = sorted(pathlib.Path(servers).glob("*-*/*-server"))
    if not programs:
        sys.exit(f"matrix: no server in {servers}: make servers fetches them")
    out.mkdir(parents=True, exist_ok=True)
    reports, codes = {}, []
    for program in programs:
        name = program.parent.name
        code, report = run(forebay, program, out / name, args)
        codes.append(code)
        if report is not None:
            reports[name] = report
    ids = list(dict.fromkeys(claim["id"] for report in reports.values() for claim in report["claims"]))
    lines = ["| claim | " + " | ".join(reports) + " |", "|---" * (len(reports) + 1) + "|"]
    for id in ids:
        claims = [next((claim for claim in report["claims"] if claim["id"] == id), None) for report in reports.values()]
        lines.append(f"| `{id}` | " + " | ".join("–" if claim is None else shown(claim) for claim in claims) + " |")
    table = "\n".join(lines) + "\n"
    (out / "table.md").write_text(table)
    print(table)
    missing = [program.parent.name for program in programs if program.parent.name not in reports]
    for name in missing:
        print(f"matrix: {name} gave no report", file=sys.stderr)
    sys.exit(max(codes, default=1) if not missing else 1)


main()
