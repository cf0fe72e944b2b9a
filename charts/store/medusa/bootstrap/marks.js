// What has run to its end for this very code and these settings is not run again: a restart keeps the shop closed no longer than it takes to see that, and
// other settings alone need no migrations. The marks are in the shop's database, so that they come back with a backup of it.
const crypto = require("node:crypto")
const fs = require("node:fs")
const path = require("node:path")

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
// administrator's password is for a new shop only. What the image has prepared follows from its code.
function inputs() {
  const variables = (prefix) => Object.entries(process.env).filter(([name]) => name.startsWith(prefix) && name !== "STORE_ADMIN_PASSWORD").sort()
  const code = [...files(".", ["node_modules", "static", "bootstrap", "prepared"]), ...packages("node_modules")].map((file) => [file, file])
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

// mark saves that steps have run to their end.
async function mark(client, done) {
  await client.query("create table if not exists orchestrator_bootstrap (step text primary key, inputs text not null)")
  for (const [step, value] of Object.entries(done)) {
    await client.query("insert into orchestrator_bootstrap values ($1, $2) on conflict (step) do update set inputs = excluded.inputs", [step, value])
  }
}

// tryToMark is mark, where one that cannot be saved only means that the next start does the step again.
async function tryToMark(client, done) {
  try {
    await mark(client, done)
  } catch (error) {
    console.error(`bootstrap: the next start will do all of it again (${error.code ?? "no code"})`)
  }
}

module.exports = { finished, inputs, mark, tryToMark }
