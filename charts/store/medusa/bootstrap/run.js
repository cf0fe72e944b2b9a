// run.js [--always] COMMAND [ARGUMENT...]: runs the command once PostgreSQL takes the shop's user and password and Valkey listens, in
// one pod at a time, and exits with its exit code. Its output is passed on without the store's secrets; where it fails,
// the last lines become the container's termination message, which the caller can read.
//
// What has run to its end for this very code and these settings is not run again: a restart keeps the shop closed no longer than it takes to see that, and
// other settings alone need no migrations (STORE_MIGRATED=yes). The marks are in the shop's database, so that they come back with a backup of it.
// With --always it is run whatever they say, and leaves them as they are.
//
// The wait has no limit: the caller that waits for the pod decides how long a store may take, and a pod that keeps exiting
// would look like a program that crashes. Medusa itself would hang without the one and exit without the other.
const { spawn } = require("node:child_process")
const crypto = require("node:crypto")
const fs = require("node:fs")
const net = require("node:net")
const path = require("node:path")
const readline = require("node:readline")

// Resolved from Medusa's folder, whose dependency it is.
const { Client } = require(require.resolve("pg", { paths: [path.join(process.cwd(), "node_modules/@medusajs/medusa"), process.cwd()] }))

const lockNumber = 7077 // any number that nothing else in this database locks

// lock returns a connection that holds the lock; the lock goes with it, so it cannot outlive this process.
async function lock() {
  const client = new Client({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 5000, keepAlive: true })
  client.on("error", () => {})
  try {
    await client.connect()
    const { rows } = await client.query("select pg_try_advisory_lock($1) as got", [lockNumber])
    if (!rows[0].got) throw Object.assign(new Error("locked"), { code: "another pod is at it" })
    return client
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

function askValkey() {
  const { hostname, port } = new URL(process.env.REDIS_URL)
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port: Number(port), timeout: 5000 })
    socket.once("connect", () => {
      socket.destroy() // it would keep this process alive until the other end closes it too
      resolve()
    })
    socket.once("timeout", () => socket.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })))
    socket.once("error", reject)
  })
}

async function waitFor(name, ask) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      // The code only: a text may quote what was sent.
      if (attempt % 10 === 0) console.error(`bootstrap: ${name} does not take us yet (${error.code ?? "no code"})`)
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}

// secrets are the values of the environment that must not appear in a log.
function secrets() {
  const named = Object.entries(process.env).filter(([name]) => /PASSWORD|SECRET|SALT|_KEY$/.test(name))
  return named.map(([, value]) => value).filter((value) => value.length >= 8)
}

// pass hands a stream on line by line and returns its last lines, which are complete when it has ended.
function pass(from, to, hidden) {
  const last = []
  readline.createInterface({ input: from }).on("line", (line) => {
    for (const secret of hidden) line = line.replaceAll(secret, "***")
    to.write(line + "\n")
    if (line.trim() !== "") last.push(line)
    if (last.length > 3) last.shift()
  })
  return last
}

function run([command, ...args]) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  const hidden = secrets()
  const out = pass(child.stdout, process.stdout, hidden)
  const err = pass(child.stderr, process.stderr, hidden)
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => resolve({ code: code ?? 1, last: err.length > 0 ? err : out }))
  })
}

// files lists the files below a folder, in order, without the folders that are named.
function files(folder, without) {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const at = path.join(folder, entry.name)
    if (entry.isDirectory()) return without.includes(entry.name) ? [] : files(at, without)
    return entry.isFile() ? [at] : []
  })
}

// packages lists the package.json of every installed package, whose version stands for its migrations.
function packages(folder) {
  if (!fs.existsSync(folder)) return []
  const inside = (of) => fs.readdirSync(path.join(folder, of)).sort().map((name) => path.join(of, name))
  const all = inside("").flatMap((name) => (name.startsWith("@") ? inside(name) : [name]))
  return all.map((name) => path.join(folder, name, "package.json")).filter((file) => fs.existsSync(file))
}

function hash(variables, contents) {
  const all = crypto.createHash("sha256").update(JSON.stringify(variables))
  for (const [name, file] of contents) all.update(`\0${name}\0`).update(fs.readFileSync(file))
  return all.digest("hex")
}

// inputs returns what the results of the two steps depend on, as hashes: the code and Medusa's feature flags; these and the settings. The
// administrator's password is for a new shop only.
function inputs() {
  const variables = (prefix) => Object.entries(process.env).filter(([name]) => name.startsWith(prefix) && name !== "STORE_ADMIN_PASSWORD").sort()
  const code = [...files(".", ["node_modules", "static", "bootstrap"]), ...packages("node_modules")].map((file) => [file, file])
  const migrations = hash(variables("MEDUSA_FF_"), code)
  // A mounted folder has another path in each pod.
  const scripts = files(__dirname, []).map((file) => [path.basename(file), file])
  return { migrations, settings: hash([migrations, variables("STORE_")], scripts) }
}

// finished returns the marks of an earlier start; a database without their table has none.
async function finished(client) {
  try {
    const { rows } = await client.query("select step, inputs from orchestrator_bootstrap")
    return Object.fromEntries(rows.map(({ step, inputs }) => [step, inputs]))
  } catch {
    return {}
  }
}

// mark saves that both steps have run to their end. A mark that cannot be saved means that the next start does them again.
async function mark(client, done) {
  try {
    await client.query("create table if not exists orchestrator_bootstrap (step text primary key, inputs text not null)")
    for (const [step, value] of Object.entries(done)) {
      await client.query("insert into orchestrator_bootstrap values ($1, $2) on conflict (step) do update set inputs = excluded.inputs", [step, value])
    }
  } catch (error) {
    console.error(`bootstrap: the next start will do all of it again (${error.code ?? "no code"})`)
  }
}

// bootstrap runs the command where something is to do, and returns its exit code.
async function bootstrap(client, command) {
  if (command[0] === "--always") return attempt(command.slice(1))
  const wanted = inputs()
  const before = await finished(client)
  if (before.settings === wanted.settings) {
    console.log("bootstrap: nothing has changed")
    return 0
  }
  process.env.STORE_MIGRATED = before.migrations === wanted.migrations ? "yes" : "no"
  const code = await attempt(command)
  if (code === 0) await mark(client, wanted)
  return code
}

// attempt runs the command and returns its exit code; where it fails, the caller can read why.
async function attempt(command) {
  const { code, last } = await run(command)
  if (code === 0) return 0
  try {
    fs.writeFileSync("/dev/termination-log", last.join("\n"))
  } catch {
    // Outside of a cluster there is no such file.
  }
  return code
}

// The first process of a container is ended by no signal that it does not listen to, and the pod would keep its volume until it
// is killed. What is left of the command ends with the container; the next start goes on.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    console.error("bootstrap: stopped; the next start goes on")
    process.exit(143)
  })
}

async function main() {
  await waitFor("Valkey", askValkey)
  const held = await waitFor("PostgreSQL", lock)
  process.exitCode = await bootstrap(held, process.argv.slice(2))
  await held.end().catch(() => {})
}

main()
