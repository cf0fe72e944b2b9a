// The owner is told of a new order.
import { owner, page, send } from "../lib/mail"
import { describe, numberOf, orderOf } from "../lib/order"

export default async function orderOwner({ event, container }) {
  const order = await orderOf(container, event.data.id)
  await send(container, {
    to: owner(),
    replyTo: order.email,
    subject: `new order ${numberOf(order)}`,
    text: `${order.email} has placed order ${numberOf(order)}.\n\n${describe(order)}\n\n${page(`orders/${order.id}`)}\n`,
    about: { event: event.name, type: "order", id: order.id },
  })
}

export const config = { event: "order.placed", context: { subscriberId: "mail-order-owner" } }
