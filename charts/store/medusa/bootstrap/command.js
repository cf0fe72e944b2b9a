// What a step of the bootstrap says: its output without the store's secrets, and why it failed, where the caller can read it.
const { spawn } = require("node:child_process")
const fs = require("node:fs")
const readline = require("node:readline")

// secrets are the values of the environment that must not appear in a log.
function secrets() {
  const named = Object.entries(process.env).filter(([name]) => /PASSWORD|SECRET|SALT|_KEY$/.test(name))
  return named.map(([, value]) => value).filter((value) => value.length >= 8)
}

const hidden = secrets()

function withoutSecrets(text) {
  return hidden.reduce((shown, secret) => shown.replaceAll(secret, "***"), text)
}

// pass hands a stream on line by line and returns its last lines, which are complete when it has ended.
function pass(from, to) {
  const last = []
  readline.createInterface({ input: from }).on("line", (raw) => {
    const line = withoutSecrets(raw)
    to.write(line + "\n")
    if (line.trim() !== "") last.push(line)
    if (last.length > 3) last.shift()
  })
  return last
}

function spawned([command, ...args]) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  const out = pass(child.stdout, process.stdout)
  const err = pass(child.stderr, process.stderr)
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => resolve({ code: code ?? 1, last: err.length > 0 ? err : out }))
  })
}

// run runs a command and returns its exit code; where it fails, its last lines become the container's termination message.
async function run(command) {
  const { code, last } = await spawned(command)
  if (code !== 0) explain(last.join("\n"))
  return code
}

// explain saves why this container ends.
function explain(text) {
  try {
    fs.writeFileSync("/dev/termination-log", withoutSecrets(text))
  } catch {
    // Outside of a cluster there is no such file.
  }
}

// stopAtOnce makes a signal end this process, which as the first of its container is ended by none that it does not listen to: the pod would keep
// its volume until it is killed. What is left of a command ends with the container; the next start goes on. The function
// that it returns takes that back.
function stopAtOnce() {
  const stop = () => {
    console.error("bootstrap: stopped; the next start goes on")
    process.exit(143)
  }
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, stop)
  return () => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.off(signal, stop)
  }
}

module.exports = { explain, run, stopAtOnce, withoutSecrets }
