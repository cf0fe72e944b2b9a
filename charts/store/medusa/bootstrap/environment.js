// What the scripts read, and how one that `medusa exec` runs tells the shell that started it that it came to its end.
const fs = require("node:fs")

// setting returns a variable; one that is missing is a mistake in the chart.
function setting(name) {
  const value = process.env[name]
  if (value === undefined) throw new Error(`the environment lacks ${name}`)
  return value
}

// finished says that the script came to its end: medusa ends with 0 even where its configuration is wrong.
function finished() {
  fs.writeFileSync(setting("STORE_SCRIPT_DONE"), "")
}

module.exports = { finished, setting }
