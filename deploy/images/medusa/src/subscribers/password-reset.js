// A user of the dashboard who has forgotten the password gets a link that sets another one. Customers reset theirs at a storefront, whose address is not known
// here.
import { page, send } from "../lib/mail"

export default async function passwordReset({ event, container }) {
  const { actor_type: actor, entity_id: email, token } = event.data
  if (actor !== "user") return
  await send(container, {
    to: email,
    subject: "another password",
    text: `Open this page within 15 minutes to set another password for the dashboard:\n\n${page(`reset-password?token=${encodeURIComponent(token)}`)}\n\nIf you did not ask for it, do nothing: your password stays.\n`,
    about: { event: event.name, type: "user", id: email },
  })
}

export const config = { event: "auth.password_reset", context: { subscriberId: "mail-password-reset" } }
