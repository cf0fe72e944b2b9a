// Who was invited to the dashboard gets the link that the owner could also copy there.
import { graph, page, send } from "../lib/mail"

export default async function invite({ event, container }) {
  const invited = await graph(container, "invite", event.data.id, ["id", "email", "token"])
  await send(container, {
    to: invited.email,
    subject: "an invitation",
    text: `You were invited to work at this shop. Open this page to choose a password:\n\n${page(`invite?token=${encodeURIComponent(invited.token)}`)}\n`,
    about: { event: event.name, type: "invite", id: invited.id },
  })
}

export const config = { event: ["invite.created", "invite.resent"], context: { subscriberId: "mail-invite" } }
