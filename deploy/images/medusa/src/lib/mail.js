// What the shop's mails have in common. They go through Medusa's notification module, which keeps that one was sent and to whom, but not its text: that may
// hold a link with a password's token.
import { ContainerRegistrationKeys, Modules } from "@medusajs/framework/utils"

// sends says whether the installation has a mail server.
export const sends = () => Boolean(process.env.MAIL_HOST)

// owner is where the shop is told of orders.
export const owner = () => process.env.MAIL_OWNER

// page is the address of a page of the dashboard.
export const page = (path) => `${process.env.MEDUSA_BACKEND_URL.replace(/\/$/, "")}/app/${path}`

// graph is one object of Medusa's, with these fields.
export async function graph(container, entity, id, fields) {
  const { data } = await container.resolve(ContainerRegistrationKeys.QUERY).graph({ entity, fields, filters: id && { id } })
  return data[0]
}

// send sends one mail. An error makes the event bus call the subscriber again, so that a subscriber sends to one address only. Addresses that end in .invalid
// are placeholders of shops whose owner has named none.
export async function send(container, { to, replyTo, subject, text, about }) {
  if (!sends() || !to || /[@.]invalid$/.test(to)) return
  const store = await graph(container, "store", undefined, ["name"])
  await container.resolve(Modules.NOTIFICATION).createNotifications({
    to,
    channel: "email",
    content: { subject: `${store.name}: ${subject}`, text },
    provider_data: { sender: store.name, replyTo },
    trigger_type: about.event,
    resource_type: about.type,
    resource_id: about.id,
  })
}
