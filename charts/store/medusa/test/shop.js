// Checks the shop as a storefront would use it: products and regions behind its publishable key, which the owner's login gives.
// It changes nothing.
const shop = process.env.SHOP

async function ask(what, path, options) {
  const answer = await fetch(shop + path, { signal: AbortSignal.timeout(30000), ...options })
  if (!answer.ok) throw new Error(`${what}: status ${answer.status}`)
  console.log(`test: ${what}: ok`)
  return answer.json()
}

async function publishableKey() {
  const body = JSON.stringify({ email: process.env.STORE_ADMIN_EMAIL, password: process.env.STORE_ADMIN_PASSWORD })
  const headers = { "Content-Type": "application/json" }
  const { token } = await ask("the owner's login", "/auth/user/emailpass", { method: "POST", headers, body })
  const list = await ask("the API keys", "/admin/api-keys?type=publishable", { headers: { Authorization: `Bearer ${token}` } })
  const key = list.api_keys.find((k) => !k.revoked_at)
  if (!key) throw new Error("the shop has no publishable key")
  return key.token
}

async function test() {
  const headers = { "x-publishable-api-key": await publishableKey() }
  await ask("the list of products", "/store/products?limit=1", { headers })
  const { regions } = await ask("the regions", "/store/regions", { headers })
  if (regions.length === 0) throw new Error("no order is possible: the shop has no region")
}

test().catch((error) => {
  console.error(`test: ${error.message}`)
  process.exitCode = 1
})
