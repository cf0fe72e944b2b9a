// A customer who has ordered is told so.
import { owner, send } from "../lib/mail"
import { describe, numberOf, orderOf } from "../lib/order"

export default async function orderCustomer({ event, container }) {
  const order = await orderOf(container, event.data.id)
  await send(container, {
    to: order.email,
    replyTo: owner(),
    subject: `your order ${numberOf(order)}`,
    text: `Thank you for your order ${numberOf(order)}.\n\n${describe(order)}\n`,
    about: { event: event.name, type: "order", id: order.id },
  })
}

export const config = { event: "order.placed", context: { subscriberId: "mail-order-customer" } }
