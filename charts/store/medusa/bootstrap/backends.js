// The shop's backends: waiting for them, and the lock that lets one pod at a time change the shop.
const net = require("node:net")
const path = require("node:path")

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

const pause = 150 // milliseconds between two questions: what a new shop waits too long for at most
const silence = 100 // questions between two lines about a backend that does not answer

async function waitFor(name, ask) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      // The code only: a text may quote what was sent.
      if (attempt % silence === 0) console.error(`bootstrap: ${name} does not take us yet (${error.code ?? "no code"})`)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

// backends returns a connection to PostgreSQL that holds the lock, once Valkey listens and PostgreSQL takes the shop's user and password.
//
// The wait has no limit: the caller that waits for the pod decides how long a store may take, and a pod that keeps exiting
// would look like a program that crashes. Medusa itself would hang without the one and exit without the other.
async function backends() {
  await waitFor("Valkey", askValkey)
  return await waitFor("PostgreSQL", lock)
}

module.exports = { backends }
