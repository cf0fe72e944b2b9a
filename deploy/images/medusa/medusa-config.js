const { defineConfig } = require("@medusajs/framework/utils")

const { DATABASE_URL = "", REDIS_URL, MEDUSA_BACKEND_URL = "http://localhost:9000" } = process.env

// Without these Medusa would wait for ever, or end and say nothing. A build needs none of them.
const missing = ["DATABASE_URL", "REDIS_URL", "JWT_SECRET", "COOKIE_SECRET"].filter((name) => !process.env[name])
if (missing.length > 0 && !process.argv.includes("build")) {
  throw new Error(`the environment lacks ${missing.join(", ")}`)
}

// A database within the cluster speaks no TLS, and its URL says so.
const withoutTLS = /[?&]sslmode=disable\b/.test(DATABASE_URL)

// One Redis for all that Medusa keeps in memory otherwise, where a restart loses it and a second process does not see it.
const inRedis = [
  {
    resolve: "@medusajs/medusa/event-bus-redis",
    options: {
      redisUrl: REDIS_URL,
      jobOptions: {
        removeOnComplete: { age: 3600, count: 1000 },
        removeOnFail: { age: 86400, count: 1000 },
        // A subscriber that fails, such as a mail whose server is away, is called again after 10 s, 20 s and so on: for nearly an hour and a half.
        attempts: 10,
        backoff: { type: "exponential", delay: 10_000 },
      },
    },
  },
  { resolve: "@medusajs/medusa/workflow-engine-redis", options: { redis: { redisUrl: REDIS_URL } } },
  {
    resolve: "@medusajs/medusa/locking",
    options: { providers: [{ resolve: "@medusajs/medusa/locking-redis", id: "locking-redis", is_default: true, options: { redisUrl: REDIS_URL } }] },
  },
  {
    resolve: "@medusajs/medusa/caching",
    options: { providers: [{ resolve: "@medusajs/caching-redis", id: "caching-redis", is_default: true, options: { redisUrl: REDIS_URL } }] },
  },
]

const files = {
  resolve: "@medusajs/medusa/file",
  options: {
    providers: [
      {
        resolve: "@medusajs/medusa/file-local",
        id: "local",
        options: { upload_dir: "static", private_upload_dir: "static", backend_url: `${MEDUSA_BACKEND_URL.replace(/\/$/, "")}/static` },
      },
    ],
  },
}

// Mail goes by the server that the installation has. The feed is the dashboard's own, which this list would leave out otherwise.
const { MAIL_HOST, MAIL_PORT, MAIL_SECURITY, MAIL_USERNAME, MAIL_PASSWORD, MAIL_FROM, MAIL_OWNER } = process.env
const mail = MAIL_HOST && {
  resolve: "@medusajs/medusa/notification",
  options: {
    providers: [
      { resolve: "@medusajs/medusa/notification-local", id: "local", options: { name: "Local Notification Provider", channels: ["feed"] } },
      {
        resolve: "./src/modules/mail",
        id: "smtp",
        options: {
          channels: ["email"],
          host: MAIL_HOST,
          port: Number(MAIL_PORT),
          security: MAIL_SECURITY,
          username: MAIL_USERNAME,
          password: MAIL_PASSWORD,
          from: MAIL_FROM,
          owner: MAIL_OWNER,
        },
      },
    ],
  },
}

module.exports = defineConfig({
  projectConfig: {
    databaseUrl: DATABASE_URL,
    databaseDriverOptions: withoutTLS ? { ssl: false, sslmode: "disable" } : undefined,
    redisUrl: REDIS_URL,
    workerMode: process.env.MEDUSA_WORKER_MODE || "shared",
    // A browser drops a secure cookie that came over plain http, and the login would turn in a circle.
    cookieOptions: { secure: MEDUSA_BACKEND_URL.startsWith("https://"), sameSite: "lax" },
    http: {
      storeCors: process.env.STORE_CORS,
      adminCors: process.env.ADMIN_CORS,
      authCors: process.env.AUTH_CORS,
      jwtSecret: process.env.JWT_SECRET,
      cookieSecret: process.env.COOKIE_SECRET,
    },
  },
  admin: {
    disable: process.env.DISABLE_MEDUSA_ADMIN === "true",
    // The dashboard is built before the address of the shop is known: it asks where it came from.
    backendUrl: "/",
    // What the dashboard lets the owner choose; 1 MB without this. It is built in, and as much as the charts' common.maxBody lets through.
    maxUploadFileSize: 64 * 1024 * 1024,
  },
  modules: [...inRedis, files, ...(mail ? [mail] : [])],
})
