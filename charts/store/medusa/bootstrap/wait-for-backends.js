// Waits until PostgreSQL takes the shop's user and password and Valkey listens. It never gives up: how long a store may
// take is decided by whoever waits for the pod, and a pod that keeps ending would look like a program that crashes.
// Medusa itself would hang without the one and end without the other.
const net = require("node:net")
const path = require("node:path")

// Resolved from Medusa's folder, whose dependency it is.
const { Client } = require(require.resolve("pg", { paths: [path.join(process.cwd(), "node_modules/@medusajs/medusa"), process.cwd()] }))

async function askPostgres() {
  const client = new Client({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 5000 })
  client.on("error", () => {})
  try {
    await client.connect()
    await client.query("select 1")
  } finally {
    await client.end().catch(() => {})
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

waitFor("PostgreSQL", askPostgres).then(() => waitFor("Valkey", askValkey))
