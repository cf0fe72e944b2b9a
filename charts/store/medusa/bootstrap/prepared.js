// The database as the build of the image has made it with the same code: migrated and linked, without a shop in it. An empty database gets it at
// once, where the migrations would take half a minute.
const fs = require("node:fs")
const path = require("node:path")

const folder = path.join(process.cwd(), "prepared")

// fits says whether the image has such a database for its code. An image that was made from ours and has other code has other migrations, and a
// feature flag may add some.
function fits() {
  if (Object.keys(process.env).some((name) => name.startsWith("MEDUSA_FF_"))) return false
  try {
    return require(path.join(folder, "fingerprint.js")).fingerprint(process.cwd()) === fs.readFileSync(path.join(folder, "code"), "utf8").trim()
  } catch {
    return false
  }
}

async function isEmpty(client) {
  const { rows } = await client.query("select 1 from pg_class join pg_namespace on pg_namespace.oid = relnamespace where nspname = 'public' limit 1")
  return rows.length === 0
}

// restore fills an empty database and returns whether it did. All of it is one transaction with what `then` does: killed half-way,
// it leaves the database empty. A server that does not take it, for instance an older one, is left to the migrations.
async function restore(client, then) {
  if (!fits() || !(await isEmpty(client))) return false
  const text = fs.readFileSync(path.join(folder, "schema.sql"), "utf8")
  try {
    await client.query("begin")
    await client.query(text)
    await client.query("reset all")
    await then()
    await client.query("commit")
    return true
  } catch (error) {
    console.error(`bootstrap: the prepared tables do not fit this server, the migrations make them (${error.code ?? "no code"})`)
    await client.query("rollback")
    return false
  }
}

module.exports = { restore }
