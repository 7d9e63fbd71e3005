// Reads events of /subscribe with the package @skyware/jetstream, and writes each as it was parsed, one a line.
//
// node subscribe.mjs PACKAGES ENDPOINT COUNT CURSOR: the packages are in PACKAGES/node_modules.

const [packages, endpoint, count, cursor] = process.argv.slice(2);
const { Jetstream } = await import(`${packages}/node_modules/@skyware/jetstream/dist/index.js`);
const { default: ws } = await import(`${packages}/node_modules/ws/wrapper.mjs`);

const jetstream = new Jetstream({ endpoint, ws, cursor: Number(cursor) });
const lines = [];
const take = (event) => {
    if (lines.length === Number(count)) return;
    lines.push(JSON.stringify(event));
    if (lines.length === Number(count)) {
        jetstream.close();
        process.stdout.write(lines.join("\n") + "\n", () => process.exit(0));
    }
};
for (const kind of ["commit", "account", "identity"]) jetstream.on(kind, take);
jetstream.on("error", (error) => {
    console.error(error);
    process.exit(1);
});
// A client that waits for ever would be a test that waits for ever.
setTimeout(() => process.exit(2), 60_000);
jetstream.start();
