// An order as text, for the mails to its customer and to the shop's owner.
import { graph } from "./mail"

const fields = [
  "id", "display_id", "custom_display_id", "email", "currency_code", "created_at",
  "total", "item_total", "shipping_total", "discount_total", "tax_total",
  "items.*", "shipping_methods.*", "shipping_address.*",
]

// orderOf reads an order with all that the mails say of it.
export const orderOf = (container, id) => graph(container, "order", id, fields)

export const numberOf = (order) => order.custom_display_id || `#${order.display_id}`

// money writes an amount with as many decimals as its currency has.
function money(amount, currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "code" }).format(Number(amount ?? 0))
}

function addressOf(a) {
  if (!a) return []
  const town = [a.postal_code, a.city, a.province].filter(Boolean).join(" ")
  const name = [a.first_name, a.last_name].filter(Boolean).join(" ")
  return [name, a.company, a.address_1, a.address_2, town, a.country_code?.toUpperCase()].filter(Boolean)
}

// describe lists what was ordered, what it costs and where it goes.
export function describe(order) {
  const price = (amount) => money(amount, order.currency_code)
  const lines = order.items.map((item) => `${item.quantity} × ${[item.product_title ?? item.title, item.variant_title].filter(Boolean).join(", ")}: ${price(item.total)}`)
  const sums = [["Shipping", order.shipping_total], ["Discount", order.discount_total], ["Total", order.total], ["Tax in it", order.tax_total]]
  const shown = sums.filter(([name, amount]) => name === "Total" || Number(amount) > 0).map(([name, amount]) => `${name}: ${price(amount)}`)
  const goesTo = addressOf(order.shipping_address)
  return [...lines, "", ...shown, ...(goesTo.length > 0 ? ["", "Goes to:", ...goesTo] : [])].join("\n")
}
