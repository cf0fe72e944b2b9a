// What stands for Medusa's code in a folder: its own files, and the versions of the packages. The prepared tables are for one such value; an image that
// is made from this one and has other code has another, and its shops are migrated step by step.
const crypto = require("node:crypto")
const fs = require("node:fs")
const path = require("node:path")

const OTHER = new Set(["node_modules", "static", "bootstrap", "prepared"])

function files(folder, without) {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const at = path.join(folder, entry.name)
    if (entry.isDirectory()) return without.has(entry.name) ? [] : files(at, new Set())
    return entry.isFile() ? [at] : []
  })
}

function packages(folder) {
  const inside = (of) => fs.readdirSync(path.join(folder, of)).sort().map((name) => path.join(of, name))
  const all = inside("").flatMap((name) => (name.startsWith("@") ? inside(name) : [name]))
  return all.map((name) => path.join(folder, name, "package.json")).filter((file) => fs.existsSync(file))
}

function fingerprint(folder) {
  const all = crypto.createHash("sha256")
  for (const file of [...files(folder, OTHER), ...packages(path.join(folder, "node_modules"))]) {
    all.update(`\0${path.relative(folder, file)}\0`).update(fs.readFileSync(file))
  }
  return all.digest("hex")
}

module.exports = { fingerprint }
