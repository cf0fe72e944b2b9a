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
    options: { redisUrl: REDIS_URL, jobOptions: { removeOnComplete: { age: 3600, count: 1000 }, removeOnFail: { age: 86400, count: 1000 } } },
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
  modules: [...inRedis, files],
})
