// Takes out of node_modules what a running shop never loads: development's packages, what only the dashboard is made of,
// which is built by now, and files that no program reads. Run beside the package-lock.json that was installed.
const fs = require("node:fs")
const path = require("node:path")

const BROWSER = new Set([
  "@ariakit/react",
  "@hookform/resolvers",
  "@medusajs/admin-vite-plugin",
  "@medusajs/dashboard",
  "@medusajs/icons",
  "@medusajs/ui",
  "@tanstack/react-query",
  "@uiw/react-json-view",
  "@vitejs/plugin-react",
  "date-fns",
  "match-sorter",
  "radix-ui",
  "react",
  "react-dom",
  "react-hook-form",
  "react-router-dom",
  "vite",
])
const UNREAD_FILE = /\.(map|flow|md|markdown|tsx?|[cm]ts)$/i
const UNREAD_FOLDER = new Set(["__tests__", "__mocks__", ".github"])

const { packages } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"))

// resolve finds the package that `name` means to the package at `from`, as Node does: its own folder first, then upwards.
function resolve(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const candidate = at ? `${at}/node_modules/${name}` : `node_modules/${name}`
    if (packages[candidate]) return candidate
    if (!at) return undefined
  }
}

function reachable() {
  const reached = new Set()
  const visit = (from, names) => {
    for (const name of names) {
      const found = BROWSER.has(name) ? undefined : resolve(from, name)
      if (!found || reached.has(found)) continue
      reached.add(found)
      const { dependencies, optionalDependencies, peerDependencies } = packages[found]
      visit(found, Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    }
  }
  visit("", Object.keys(packages[""].dependencies))
  return reached
}

// sweep removes unread files, links to what is gone, and the folders that are empty then.
function sweep(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name)
    if (entry.isDirectory() && !UNREAD_FOLDER.has(entry.name)) sweep(at)
    else if (entry.isDirectory() || UNREAD_FILE.test(entry.name) || !fs.existsSync(at)) fs.rmSync(at, { recursive: true })
  }
  if (fs.readdirSync(folder).length === 0) fs.rmdirSync(folder)
}

const kept = reachable()
for (const name of Object.keys(packages)) {
  if (name && !kept.has(name)) fs.rmSync(name, { recursive: true, force: true })
}
sweep("node_modules")
console.log(`${kept.size} of ${Object.keys(packages).length - 1} packages kept`)
