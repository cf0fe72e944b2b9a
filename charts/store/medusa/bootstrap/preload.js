// Medusa's code is read before the backends are there, since reading it is most of a start. The image says what a start loads, in
// which order, and has it compiled; without that, it is loaded as it is needed.
const fs = require("node:fs")
const nodes = require("node:module")
const path = require("node:path")

const folder = path.join(process.cwd(), "prepared")

function loaded() {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, "loaded.json"), "utf8"))
  } catch {
    return []
  }
}

const pause = 20 // files that are read in one go

// preload requires these files, and lets what waits for the backends go on in between. One that cannot be loaded now is loaded when it is needed, and
// fails there.
async function preload() {
  const compiled = path.join(folder, "compiled")
  if (fs.existsSync(compiled)) nodes.enableCompileCache?.(compiled)
  for (const [number, file] of loaded().entries()) {
    if (number % pause === 0) await new Promise(setImmediate)
    try {
      require(path.join(process.cwd(), file))
    } catch {}
  }
}

module.exports = { preload }
