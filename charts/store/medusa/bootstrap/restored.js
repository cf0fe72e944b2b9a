// What Valkey holds belongs to the database of its time: jobs, workflows that are under way, sessions, what is cached. The job "restore" leaves a mark in the
// database that it has filled, and the first start on it empties Valkey before Medusa reads anything there.
const net = require("node:net")

const patience = 30_000 // milliseconds

const encoded = (words) => `*${words.length}\r\n` + words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")

// flushed sends the commands that empty the server, and returns once all are answered with +OK.
function flushed() {
  const { hostname, port, password } = new URL(process.env.REDIS_URL)
  const commands = [...(password ? [["AUTH", password]] : []), ["FLUSHALL"]]
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port: Number(port), timeout: patience })
    const end = (error) => {
      socket.destroy()
      if (error) reject(error)
      else resolve()
    }
    let answer = ""
    socket.once("connect", () => socket.write(commands.map(encoded).join("")))
    socket.on("data", (data) => {
      answer += data
      if (answer === "+OK\r\n".repeat(commands.length)) end()
      else if (answer.includes("-")) end(new Error(`Valkey was not emptied after the restore: ${answer.trim()}`))
    })
    socket.once("timeout", () => end(new Error("Valkey was not emptied after the restore: it does not answer")))
    socket.once("close", () => end(new Error("Valkey was not emptied after the restore: it closed the connection")))
    socket.once("error", end)
  })
}

// emptyValkey does so where the database was restored since it was done last; only one pod at a time may call it. Killed half-way, the next start does it again.
async function emptyValkey(client, marks) {
  if (marks.restored === undefined) return
  await flushed()
  await client.query("delete from orchestrator_bootstrap where step = 'restored'")
  console.log("bootstrap: the database was restored, and what Valkey held of before is gone")
}

module.exports = { emptyValkey }
