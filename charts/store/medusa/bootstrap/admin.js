// The administrator of the shop: a user, and the identity that has the password.
const { FeatureFlag, Modules } = require("@medusajs/framework/utils")
const flows = require("@medusajs/medusa/core-flows")
const { setting } = require("./environment.js")

// moveAdmin gives the user of another request before the address that is wanted now, with the password that the owner has,
// in steps that an interrupted run may have begun. Where another user has the new address already, nothing changes.
async function moveAdmin(container, from, to) {
  if (!from || from === to || (await findUser(container, to))) return
  const user = await findUser(container, from)
  if (!user) return
  const auth = container.resolve(Modules.AUTH)
  const [identity] = await auth.listProviderIdentities({ entity_id: from, provider: "emailpass" })
  if (identity) await auth.updateProviderIdentities([{ id: identity.id, entity_id: to }])
  await container.resolve(Modules.USER).updateUsers({ id: user.id, email: to })
}

// ensureAdmin makes the user that the password belongs to, in steps that an interrupted run may have begun. An identity that
// exists keeps its password: the owner may have changed it.
async function ensureAdmin(container, email) {
  const auth = container.resolve(Modules.AUTH)
  const user = (await findUser(container, email)) ?? (await createUser(container, email))
  const [known] = await auth.listProviderIdentities({ entity_id: email, provider: "emailpass" }, { relations: ["auth_identity"] })
  const identity = known?.auth_identity ?? (await register(auth, email))
  if (identity.app_metadata?.user_id !== user.id) {
    await auth.updateAuthIdentities({ id: identity.id, app_metadata: { ...identity.app_metadata, user_id: user.id } })
  }
}

async function findUser(container, email) {
  const [user] = await container.resolve(Modules.USER).listUsers({ email })
  return user
}

async function createUser(container, email) {
  const roles = FeatureFlag.isFeatureEnabled("rbac") ? ["role_super_admin"] : []
  const { result } = await flows.createUsersWorkflow(container).run({ input: { users: [{ email, roles }] } })
  return result[0]
}

async function register(auth, email) {
  const { authIdentity, error } = await auth.register("emailpass", { body: { email, password: setting("STORE_ADMIN_PASSWORD") } })
  if (error) throw new Error(`the administrator could not be registered: ${error}`)
  return authIdentity
}

// setPassword gives the identity of an administrator that exists another password.
async function setPassword(container, email) {
  const { success, error } = await container.resolve(Modules.AUTH).updateProvider("emailpass", { entity_id: email, password: setting("STORE_ADMIN_PASSWORD") })
  if (!success) throw new Error(`the administrator's password could not be set: ${error}`)
}

module.exports = { ensureAdmin, moveAdmin, setPassword }
