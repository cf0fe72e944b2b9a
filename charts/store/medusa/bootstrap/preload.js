// Medusa's code is read before the backends are there, since reading it is most of a start. The image says what a start loads, in
// which order, and has it compiled; without that, it is loaded as it is needed.
const fs = require("node:fs")
const module_ = require("node:module")
const path = require("node:path")

const folder = path.join(process.cwd(), "prepared")

function loaded() {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, "loaded.json"), "utf8"))
  } catch {
    return []
  }
}

// preload requires these files. One that cannot be loaded now is loaded when it is needed, and fails there.
function preload() {
  const compiled = path.join(folder, "compiled")
  if (fs.existsSync(compiled)) module_.enableCompileCache?.(compiled)
  for (const file of loaded()) {
    try {
      require(path.join(process.cwd(), file))
    } catch {}
  }
}

module.exports = { preload }
