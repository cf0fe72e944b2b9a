// run.js COMMAND [ARGUMENT...]: runs the command once PostgreSQL takes the shop's user and password and Valkey listens, in one pod at a time, and exits
// with its exit code. Its output is passed on without the store's secrets; where it fails, the last lines become the container's termination
// message, which the caller can read.
const { backends } = require("./backends.js")
const { run, stopAtOnce } = require("./command.js")

async function main() {
  stopAtOnce()
  const held = await backends()
  process.exitCode = await run(process.argv.slice(2))
  await held.end().catch(() => {})
}

main()
