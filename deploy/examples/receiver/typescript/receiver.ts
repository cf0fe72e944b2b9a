// Takes the status callbacks of the orchestrator, as a backend in TypeScript would. See ../README.md.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

interface Body {
  status: string;
  url?: string;
  error?: string;
  password?: string; // encrypt it, as other secrets of your customers
}

// What the backend knows of a store: its latest callback.
interface Store extends Body {
  store_id: string;
  generation: number;
  sequence: number;
}

const secret = process.env.ORCH_WEBHOOK_SECRET;
const data = process.env.DATA;
const [, host, port] = /^(.*):(\d+)$/.exec(process.env.ADDR ?? "") ?? [];
if (!secret || !data || !port) {
  throw new Error("ORCH_WEBHOOK_SECRET must be the workers' secret, DATA a file, ADDR a host and a port");
}
const webhook = new Webhook(secret);

// The file and the map stand for your database.
const stores = new Map<string, Store>();
for (const line of existsSync(data) ? readFileSync(data, "utf8").split("\n") : []) {
  if (line) {
    const store = JSON.parse(line) as Store;
    stores.set(store.store_id, store);
  }
}
const file = openSync(data, "a", 0o600);
process.on("exit", () => closeSync(file));

// Commits a callback, unless it or a later one of the store was committed before. Nothing else runs between its lines; with a database
// this is one transaction.
function take(store: Store): "taken" | "repeated" | "older" {
  const last = stores.get(store.store_id);
  if (last && store.generation === last.generation && store.sequence === last.sequence) {
    return "repeated";
  }
  if (last && (store.generation < last.generation || (store.generation === last.generation && store.sequence < last.sequence))) {
    return "older";
  }
  writeSync(file, JSON.stringify(store) + "\n");
  fsyncSync(file);
  stores.set(store.store_id, store);
  return "taken";
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > 64 << 10) {
      throw new RangeError("the body is too long");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function status(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = (code: number, text?: string) => void response.writeHead(code).end(text);
  const path = /^\/api\/stores\/([^/]+)\/status$/.exec(request.url ?? "");
  if (request.method !== "POST" || !path?.[1]) {
    return answer(404);
  }
  const raw = await read(request);
  const header = (name: string) => String(request.headers[name] ?? "");
  const id = header("webhook-id");
  let body: Body;
  try {
    // The signature is of these bytes: verify before anything else parses them.
    body = webhook.verify(raw, {
      "webhook-id": id,
      "webhook-timestamp": header("webhook-timestamp"),
      "webhook-signature": header("webhook-signature"),
    }) as Body;
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return answer(401, error.message);
    }
    return answer(400, "the body is no JSON");
  }
  // It covers the id and the body, and neither the path nor the other headers. The id is generation.sequence.store_id.
  const [, generation, sequence, store_id] = /^(\d{1,15})\.(\d{1,15})\.(.+)$/.exec(id) ?? [];
  if (!store_id || store_id !== decodeURIComponent(path[1]) || typeof body?.status !== "string") {
    return answer(400, "not a status of this store");
  }
  const what = take({ ...body, store_id, generation: Number(generation), sequence: Number(sequence) });
  console.log(what, id, body.status);
  answer(204);
}

const server = createServer((request, response) => {
  status(request, response).catch((error: unknown) => {
    if (error instanceof RangeError) {
      return void response.writeHead(413).end(error.message);
    }
    console.error(error);
    response.writeHead(503).end("the status cannot be stored now"); // it is sent again
  });
});
server.listen(Number(port), host, () => {
  const at = server.address() as AddressInfo;
  console.log("listening on", `${at.address}:${at.port}`);
});
