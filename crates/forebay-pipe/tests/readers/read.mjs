// Reads a tree of Parquet files with the package hyparquet, as a page in a browser would, and prints what it makes of them as
// read.py does. Lane and date are taken from the paths.
//
// node read.mjs PACKAGES FOLDER: the packages are in PACKAGES/node_modules.

import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [packages, folder] = process.argv.slice(2);
const { asyncBufferFromFile, parquetReadObjects } = await import(`${packages}/node_modules/hyparquet/src/node.js`);
const { compressors } = await import(`${packages}/node_modules/hyparquet-compressors/src/index.js`);

const COLUMNS = ["block", "index", "time", "did", "cursor", "created", "text", "langs", "record", "raw"];
const TYPED = ["block", "index", "time", "did", "langs", "record", "lane", "date"];

// Its own times are in milliseconds.
const parsers = { timestampFromMicroseconds: (micros) => micros };

const rows = [];
const files = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".parquet"));
for (const path of files.sort()) {
    const file = await asyncBufferFromFile(join(folder, path));
    const named = Object.fromEntries(path.split("/").slice(0, -1).map((part) => part.split("=")));
    for (const row of await parquetReadObjects({ file, compressors, parsers })) {
        rows.push({ ...row, ...named });
    }
}
rows.sort((a, b) => Number(a.block - b.block) || a.index - b.index);

const json = (value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value ?? null));
const counts = {};
const hash = createHash("sha256");
for (const row of rows) {
    const place = `${row.lane} ${row.date}`;
    counts[place] = (counts[place] ?? 0) + 1;
    hash.update(`[${COLUMNS.map((name) => json(row[name])).join(",")}]\n`);
}
const typed = (name) => rows.map((row) => row[name]).find((value) => value != null);
const types = Object.fromEntries(TYPED.map((name) => [name, typeof typed(name)]));
console.log(JSON.stringify({ types, rows: counts, hash: hash.digest("hex") }));
