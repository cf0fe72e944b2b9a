// Configures the migrated shop; run by `medusa exec`, which gives it Medusa's container. Loading Medusa has already made a
// store, a sales channel and a publishable key with defaults.
//
// What a shop needs to work is checked whenever code or settings have changed. The settings of the request are applied when they differ from
// those applied last, so that a restart does not undo what the owner has changed in the dashboard since.
const fs = require("node:fs")
const { ContainerRegistrationKeys, FeatureFlag, Modules } = require("@medusajs/framework/utils")
const flows = require("@medusajs/medusa/core-flows")
const { makeSellable, ensureSampleProduct, withdrawSampleProduct } = require("./catalogue.js")

// setting returns a variable; one that is missing is a mistake in the chart.
function setting(name) {
  const value = process.env[name]
  if (value === undefined) throw new Error(`the environment lacks ${name}`)
  return value
}

function wantedSettings() {
  return {
    title: setting("STORE_TITLE"),
    adminEmail: setting("STORE_ADMIN_EMAIL"),
    currency: setting("STORE_CURRENCY").toLowerCase(),
    country: setting("STORE_COUNTRY").toLowerCase(),
    sampleProduct: setting("STORE_SAMPLE_PRODUCT") === "yes",
  }
}

// moveAdmin gives the user of another request before the address that is wanted now, with the password that the owner has,
// in steps that an interrupted run may have begun. Where another user has the new address already, nothing changes.
async function moveAdmin(container, from, to) {
  if (!from || from === to || (await findUser(container, to))) return
  const user = await findUser(container, from)
  if (!user) return
  const auth = container.resolve(Modules.AUTH)
  const [identity] = await auth.listProviderIdentities({ entity_id: from, provider: "emailpass" })
  if (identity) await auth.updateProviderIdentities([{ id: identity.id, entity_id: to }])
  await container.resolve(Modules.USER).updateUsers({ id: user.id, email: to })
}

// ensureAdmin makes the user that the password belongs to, in steps that an interrupted run may have begun. An identity that
// exists keeps its password: the owner may have changed it.
async function ensureAdmin(container, email) {
  const auth = container.resolve(Modules.AUTH)
  const user = (await findUser(container, email)) ?? (await createUser(container, email))
  const [known] = await auth.listProviderIdentities({ entity_id: email, provider: "emailpass" }, { relations: ["auth_identity"] })
  const identity = known?.auth_identity ?? (await register(auth, email))
  if (identity.app_metadata?.user_id !== user.id) {
    await auth.updateAuthIdentities({ id: identity.id, app_metadata: { ...identity.app_metadata, user_id: user.id } })
  }
}

async function findUser(container, email) {
  const [user] = await container.resolve(Modules.USER).listUsers({ email })
  return user
}

async function createUser(container, email) {
  const roles = FeatureFlag.isFeatureEnabled("rbac") ? ["role_super_admin"] : []
  const { result } = await flows.createUsersWorkflow(container).run({ input: { users: [{ email, roles }] } })
  return result[0]
}

async function register(auth, email) {
  const { authIdentity, error } = await auth.register("emailpass", { body: { email, password: setting("STORE_ADMIN_PASSWORD") } })
  if (error) throw new Error(`the administrator could not be registered: ${error}`)
  return authIdentity
}

async function currentStore(container) {
  const query = container.resolve(ContainerRegistrationKeys.QUERY)
  const { data } = await query.graph({ entity: "store", fields: ["id", "default_sales_channel_id", "metadata", "supported_currencies.*"] })
  if (data.length === 0) throw new Error("Medusa has made no store")
  return data[0]
}

// applySettings writes what the request asks for. Other currencies that the owner has added stay.
async function applySettings(container, store, wanted, before) {
  const others = store.supported_currencies.map((c) => c.currency_code).filter((code) => code !== wanted.currency)
  const region = await ensureRegion(container, wanted)
  const update = {
    name: wanted.title,
    default_region_id: region.id,
    supported_currencies: [wanted.currency, ...others].map((code) => ({ currency_code: code, is_default: code === wanted.currency })),
  }
  await flows.updateStoresWorkflow(container).run({ input: { selector: { id: store.id }, update } })
  await makeSellable(container, store, wanted)
  if (wanted.sampleProduct) await ensureSampleProduct(container, store, wanted)
  else if (before.sampleProduct) await withdrawSampleProduct(container)
}

// ensureRegion returns the region of the wanted country, in the wanted currency. A country is in one region at most.
async function ensureRegion(container, { country, currency }) {
  const query = container.resolve(ContainerRegistrationKeys.QUERY)
  const { data: regions } = await query.graph({ entity: "region", fields: ["id", "currency_code", "countries.iso_2"] })
  const region = regions.find((r) => r.countries.some((c) => c.iso_2 === country))
  if (!region) return createRegion(container, country, currency)
  if (region.currency_code !== currency) {
    await flows.updateRegionsWorkflow(container).run({ input: { selector: { id: region.id }, update: { currency_code: currency } } })
  }
  return region
}

async function createRegion(container, country, currency) {
  const region = { name: country.toUpperCase(), currency_code: currency, countries: [country], payment_providers: ["pp_system_default"] }
  const { result } = await flows.createRegionsWorkflow(container).run({ input: { regions: [region] } })
  return result[0]
}

// remember saves in the store itself what was applied, beside the other metadata.
async function remember(container, store, applied) {
  const update = { metadata: { ...store.metadata, orchestrator_settings: applied } }
  await flows.updateStoresWorkflow(container).run({ input: { selector: { id: store.id }, update } })
}

async function bootstrap({ container }) {
  const wanted = wantedSettings()
  const store = await currentStore(container)
  const before = JSON.parse(store.metadata?.orchestrator_settings ?? "{}")
  await moveAdmin(container, before.adminEmail, wanted.adminEmail)
  await ensureAdmin(container, wanted.adminEmail)
  const applied = JSON.stringify(wanted)
  if (store.metadata?.orchestrator_settings !== applied) {
    await applySettings(container, store, wanted, before)
    await remember(container, store, applied)
    console.log("bootstrap: settings applied")
  }
  fs.writeFileSync(setting("STORE_BOOTSTRAP_DONE"), "")
}

exports.default = bootstrap
