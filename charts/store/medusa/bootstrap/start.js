// start.js: the shop's process, or a worker's. It loads Medusa once, which takes most of a start: it reads the code while the backends come up and get
// their tables; then it makes a configured shop of what exists (an empty database, a half-finished set-up, a shop that only needs looking
// at), in one pod at a time, and only then listens. So a pod that is ready is a shop that has its administrator and its settings.
//
// A failure ends the process with an exit code, and the reason is the container's termination message, which the caller can read.
const path = require("node:path")
const { backends } = require("./backends.js")
const { explain, run, stopAtOnce, withoutSecrets } = require("./command.js")
const { assumeHttps } = require("./https.js")
const { preload } = require("./preload.js")
const { finished, inputs, mark, tryToMark } = require("./marks.js")
const { restore } = require("./prepared.js")
const { emptyValkey } = require("./restored.js")

const cli = "node_modules/@medusajs/cli/cli.js"
const patience = 180_000 // milliseconds for a start of Medusa, which without a backend would wait for ever

const fromMedusa = (name) => require(require.resolve(name, { paths: [process.cwd()] }))

let phase = "starting"
const reached = [] // what the log says of the seconds of a start

function reach(what) {
  reached.push(`${what} ${process.uptime().toFixed(1)}`)
}

function fail(why) {
  console.error(`bootstrap: ${withoutSecrets(why)}`)
  explain(why)
  process.exit(1)
}

// migrate brings the tables to this code.
async function migrate(held, migrations) {
  if (await restore(held, () => mark(held, { migrations }))) return
  // Without the flag it asks about links that were removed or changed, and no terminal is there to answer. What is safe is done; tables
  // of links that are gone stay.
  const code = await run([process.execPath, cli, "db:migrate", "--execute-safe-links"])
  if (code !== 0) process.exit(code)
  await tryToMark(held, { migrations })
}

// prepare brings the tables to this code, and returns what is left to be done within Medusa before it listens.
async function prepare() {
  const held = await backends()
  reach("backends")
  const [wanted, before] = [inputs(), await finished(held)]
  await emptyValkey(held, before)
  const close = () => held.end().catch(() => {})
  if (before.settings === wanted.settings) {
    console.log("bootstrap: nothing has changed")
    await close()
    return async () => {}
  }
  if (before.migrations !== wanted.migrations) await migrate(held, wanted.migrations)
  return async (container) => {
    await require("./bootstrap.js").bootstrap(container)
    await tryToMark(held, wanted)
    await close()
    console.log("bootstrap: done")
  }
}

// between makes Medusa's start do something between the end of its loading and its listening.
function between(something) {
  const loaders = fromMedusa("@medusajs/medusa/loaders/index")
  const load = loaders.default
  loaders.default = async (options) => {
    try {
      const app = await load(options)
      await something(app.container)
      return app
    } catch (error) {
      fail(`while ${phase}: ${error.stack ?? error}`)
    }
  }
}

// Medusa's own command line goes on after these, and so does a shop that serves.
function logStrayErrors() {
  for (const event of ["unhandledRejection", "uncaughtException"]) process.on(event, (error) => console.error(error))
}

async function main() {
  const handSignalsOver = stopAtOnce()
  // Medusa ends with 0 where its configuration is wrong.
  process.on("exit", (code) => {
    if (phase !== "listening" && code === 0) process.exitCode = 1
  })
  logStrayErrors()
  assumeHttps(process.env.MEDUSA_BACKEND_URL ?? "")
  const [bootstrap] = await Promise.all([prepare().finally(() => reach("tables")), preload().finally(() => reach("code"))])
  const tooLate = setTimeout(() => fail(`Medusa was still ${phase} after ${patience / 1000} seconds`), patience)
  phase = "loading"
  between(async (container) => {
    phase = "setting the shop up"
    reach("loaded")
    await bootstrap(container)
    phase = "listening"
    reach("set up")
    console.log(`bootstrap: seconds since the start: ${reached.join(", ")}`)
    clearTimeout(tooLate)
    handSignalsOver()
  })
  await fromMedusa("@medusajs/medusa/commands/start").default({ directory: process.cwd(), port: process.env.PORT })
  if (phase !== "listening") fail("this version of Medusa starts in another way, and the shop was not set up")
}

main().catch((error) => fail(error.stack ?? String(error)))
