// Gives the administrator of a running shop the password of the environment; run by `medusa exec`. It may be run again at any time.
const { ensureAdmin, setPassword } = require("./admin.js")
const { finished, setting } = require("./environment.js")

async function rotate({ container }) {
  const email = setting("STORE_ADMIN_EMAIL")
  await ensureAdmin(container, email)
  await setPassword(container, email)
  finished()
}

exports.default = rotate
