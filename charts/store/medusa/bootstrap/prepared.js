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

// take fills the database and returns why it could not. All of it is one transaction with what `then` does: killed half-way, it leaves the
// database empty. A server that does not take it is, for instance, an older one.
async function take(client, then) {
  const text = fs.readFileSync(path.join(folder, "schema.sql"), "utf8")
  try {
    await client.query("begin")
    await client.query(text)
    await client.query("reset all")
    await then()
    await client.query("commit")
    return ""
  } catch (error) {
    await client.query("rollback")
    return `this server does not take those of the image (${error.code ?? "no code"})`
  }
}

// restore fills an empty database with `then`, and returns whether it did. The log says which way the tables come about.
async function restore(client, then) {
  if (!(await isEmpty(client))) return false
  const why = fits() ? await take(client, then) : "the shop's image has none for this code"
  console.log(why ? `bootstrap: tables made step by step: ${why}` : "bootstrap: tables restored from the shop's image")
  return why === ""
}

module.exports = { restore }
