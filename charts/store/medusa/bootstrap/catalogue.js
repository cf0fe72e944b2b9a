// What an order needs besides a store: a stock location, a shipping option, and a product.
const { ContainerRegistrationKeys, Modules, ProductStatus } = require("@medusajs/framework/utils")
const flows = require("@medusajs/medusa/core-flows")

const location = "Main"
const sample = "sample-t-shirt"
const sampleTitle = "Sample T-Shirt"

// makeSellable makes shipping possible in the wanted country, in steps that an interrupted run may have begun.
async function makeSellable(container, store, { country, currency }) {
  const place = await ensureLocation(container, store, country)
  const zone = await ensureZone(container, place, country)
  await ensureShippingOption(container, zone, currency)
}

async function ensureLocation(container, store, country) {
  const [known] = await container.resolve(Modules.STOCK_LOCATION).listStockLocations({ name: location })
  if (known) return known
  const input = { locations: [{ name: location, address: { address_1: "", country_code: country } }] }
  const { result } = await flows.createStockLocationsWorkflow(container).run({ input })
  const link = { [Modules.STOCK_LOCATION]: { stock_location_id: result[0].id }, [Modules.FULFILLMENT]: { fulfillment_provider_id: "manual_manual" } }
  await container.resolve(ContainerRegistrationKeys.LINK).create(link)
  await flows.linkSalesChannelsToStockLocationWorkflow(container).run({ input: { id: result[0].id, add: [store.default_sales_channel_id] } })
  return result[0]
}

// ensureZone returns the service zone of the country; there is one per country.
async function ensureZone(container, place, country) {
  const fulfillment = container.resolve(Modules.FULFILLMENT)
  const name = country.toUpperCase()
  const [zone] = await fulfillment.listServiceZones({ name })
  if (zone) return zone
  const set = await fulfillment.createFulfillmentSets({
    name: `Shipping ${name}`,
    type: "shipping",
    service_zones: [{ name, geo_zones: [{ type: "country", country_code: country }] }],
  })
  const link = { [Modules.STOCK_LOCATION]: { stock_location_id: place.id }, [Modules.FULFILLMENT]: { fulfillment_set_id: set.id } }
  await container.resolve(ContainerRegistrationKeys.LINK).create(link)
  return set.service_zones[0]
}

async function defaultProfile(container) {
  const [known] = await container.resolve(Modules.FULFILLMENT).listShippingProfiles({ type: "default" })
  if (known) return known
  const input = { data: [{ name: "Default Shipping Profile", type: "default" }] }
  const { result } = await flows.createShippingProfilesWorkflow(container).run({ input })
  return result[0]
}

// ensureShippingOption offers free shipping within the zone. An option that exists may lack a price in a currency that the
// store has changed to; the owner has to set it, since only the owner knows it.
async function ensureShippingOption(container, zone, currency) {
  const [known] = await container.resolve(Modules.FULFILLMENT).listShippingOptions({ service_zone: { id: zone.id } })
  if (known) return
  const option = {
    name: "Standard Shipping",
    price_type: "flat",
    provider_id: "manual_manual",
    service_zone_id: zone.id,
    shipping_profile_id: (await defaultProfile(container)).id,
    type: { label: "Standard", description: "Standard shipping", code: "standard" },
    prices: [{ currency_code: currency, amount: 0 }],
    rules: [
      { attribute: "enabled_in_store", value: "true", operator: "eq" },
      { attribute: "is_return", value: "false", operator: "eq" },
    ],
  }
  await flows.createShippingOptionsWorkflow(container).run({ input: [option] })
}

async function ensureSampleProduct(container, store, { currency }) {
  if (await showSampleProduct(container, ProductStatus.PUBLISHED)) return
  const product = {
    title: sampleTitle,
    handle: sample,
    status: ProductStatus.PUBLISHED,
    shipping_profile_id: (await defaultProfile(container)).id,
    options: [{ title: "Size", values: ["One size"] }],
    variants: [
      { title: "One size", sku: "SAMPLE-1", manage_inventory: false, options: { Size: "One size" }, prices: [{ currency_code: currency, amount: 20 }] },
    ],
    sales_channels: [{ id: store.default_sales_channel_id }],
  }
  await flows.createProductsWorkflow(container).run({ input: { products: [product] } })
}

// withdrawSampleProduct takes it from the shop; it is not deleted, since it may have been ordered.
async function withdrawSampleProduct(container) {
  await showSampleProduct(container, ProductStatus.DRAFT)
}

// showSampleProduct returns whether the sample exists. One that the owner has turned into a product has another name, and
// stays as it is.
async function showSampleProduct(container, status) {
  const [known] = await container.resolve(Modules.PRODUCT).listProducts({ handle: sample })
  if (known && known.title === sampleTitle && known.status !== status) {
    await flows.updateProductsWorkflow(container).run({ input: { selector: { id: known.id }, update: { status } } })
  }
  return known !== undefined
}

module.exports = { makeSellable, ensureSampleProduct, withdrawSampleProduct }
