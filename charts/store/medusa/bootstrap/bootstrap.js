// Configures the migrated shop with Medusa's container; start.js runs it before the shop listens. Loading Medusa has already made a
// store, a sales channel and a publishable key with defaults.
//
// What a shop needs to work is checked whenever code or settings have changed. The settings of the request are applied when they differ from
// those applied last, so that a restart does not undo what the owner has changed in the dashboard since.
const { ContainerRegistrationKeys } = require("@medusajs/framework/utils")
const flows = require("@medusajs/medusa/core-flows")
const { ensureAdmin, moveAdmin } = require("./admin.js")
const { makeSellable, ensureSampleProduct, withdrawSampleProduct } = require("./catalogue.js")
const { setting } = require("./environment.js")

function wantedSettings() {
  return {
    title: setting("STORE_TITLE"),
    adminEmail: setting("STORE_ADMIN_EMAIL"),
    currency: setting("STORE_CURRENCY").toLowerCase(),
    country: setting("STORE_COUNTRY").toLowerCase(),
    sampleProduct: setting("STORE_SAMPLE_PRODUCT") === "yes",
  }
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
  const name = new Intl.DisplayNames(["en"], { type: "region" }).of(country.toUpperCase())
  const region = { name, currency_code: currency, countries: [country], payment_providers: ["pp_system_default"] }
  const { result } = await flows.createRegionsWorkflow(container).run({ input: { regions: [region] } })
  return result[0]
}

// remember saves in the store itself what was applied, beside the other metadata.
async function remember(container, store, applied) {
  const update = { metadata: { ...store.metadata, orchestrator_settings: applied } }
  await flows.updateStoresWorkflow(container).run({ input: { selector: { id: store.id }, update } })
}

async function bootstrap(container) {
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
}

module.exports = { bootstrap }
