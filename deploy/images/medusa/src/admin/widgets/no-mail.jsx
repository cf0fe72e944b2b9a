import { defineWidgetConfig } from "@medusajs/admin-sdk"
import { useEffect, useState } from "react"

// An owner who does not know would wait for mails about orders that are never sent.
const NoMail = () => {
  const [silent, setSilent] = useState(false)
  useEffect(() => {
    fetch("/admin/mail", { credentials: "include" })
      .then((response) => (response.ok ? response.json() : { sends: true }))
      .then(({ sends }) => setSilent(!sends), () => {})
  }, [])
  if (!silent) return null
  return (
    <div role="note" className="shadow-elevation-card-rest bg-ui-bg-base text-ui-fg-subtle txt-small w-full rounded-lg px-6 py-4">
      <strong className="text-ui-fg-base">This shop sends no e-mail.</strong> Neither you nor your customers are told of orders by mail: look for them here. Ask the
      company that hosts this shop for a mail server.
    </div>
  )
}

export const config = defineWidgetConfig({ zone: "order.list.before" })

export default NoMail
