// The session of a shop on https has a cookie that is sent over TLS only, and Medusa gives it to a request alone of which X-Forwarded-Proto says that it came so.
// TLS ends before the pod in any case, and where it ends before the ingress controller, too, most controllers say http: the owner could not log in, and nothing
// would say why. So what counts is the shop's address. A browser sends and keeps such a cookie over https only, whatever is assumed here.
const channel = require("node:diagnostics_channel")

function assumeHttps(address) {
  if (!address.startsWith("https://")) return
  channel.subscribe("http.server.request.start", ({ request }) => {
    request.headers["x-forwarded-proto"] = "https"
  })
}

module.exports = { assumeHttps }
