// GET /admin/mail tells the dashboard whether the shop sends mail.
import { sends } from "../../../lib/mail"

export const GET = (_request, response) => response.json({ sends: sends() })
