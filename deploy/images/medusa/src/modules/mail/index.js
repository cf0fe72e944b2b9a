// The notification provider of the channel "email": an SMTP server, which medusa-config.js names by the container's environment.
import { AbstractNotificationProviderService, ModuleProvider, Modules } from "@medusajs/framework/utils"
import { createTransport } from "nodemailer"

const patience = 10_000 // milliseconds for a server that does not answer

class Smtp extends AbstractNotificationProviderService {
  static identifier = "smtp"

  constructor(_container, { host, port, security, username, password, from, owner }) {
    super()
    this.from = from || owner
    this.owner = owner
    this.server = createTransport({
      host,
      port,
      secure: security === "tls",
      requireTLS: security === "starttls",
      ignoreTLS: security === "none",
      auth: username ? { user: username, pass: password } : undefined,
      connectionTimeout: patience,
      greetingTimeout: patience,
      socketTimeout: patience,
    })
  }

  // send takes what lib/mail.js makes. Answers go to the shop's own address where the server wants another sender.
  async send({ to, content, provider_data: data }) {
    const { messageId } = await this.server.sendMail({
      from: { name: data?.sender ?? "", address: this.from },
      replyTo: data?.replyTo ?? (this.from === this.owner ? undefined : this.owner),
      to,
      subject: content.subject,
      text: content.text,
      html: content.html,
    })
    return { id: messageId }
  }
}

export default ModuleProvider(Modules.NOTIFICATION, { services: [Smtp] })
