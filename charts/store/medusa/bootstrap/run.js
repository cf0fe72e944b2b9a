// run.js COMMAND [ARGUMENT...]: runs the command once PostgreSQL takes the shop's user and password and Valkey listens, in
// one pod at a time, and exits with its exit code. Its output is passed on without the store's secrets; where it fails,
// the last lines become the container's termination message, which the caller can read.
//
// The wait has no limit: the caller that waits for the pod decides how long a store may take, and a pod that keeps exiting
// would look like a program that crashes. Medusa itself would hang without the one and exit without the other.
const { spawn } = require("node:child_process")
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
    socket.once("connect", () => socket.end(resolve))
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
  const { code, last } = await run(process.argv.slice(2))
  try {
    if (code !== 0) fs.writeFileSync("/dev/termination-log", last.join("\n"))
  } catch {
    // Outside of a cluster there is no such file.
  }
  process.exitCode = code
  await held.end().catch(() => {})
}

main()
