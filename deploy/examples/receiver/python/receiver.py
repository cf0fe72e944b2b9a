"""Takes the status callbacks of the orchestrator, as a backend in Python would. See ../README.md."""

import os
import re
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from standardwebhooks import Webhook, WebhookVerificationError

PATH = re.compile(r"/api/stores/([^/]+)/status")
WEBHOOK_ID = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.(.+)")  # generation.sequence.store_id

SCHEMA = """CREATE TABLE IF NOT EXISTS stores (
    store_id TEXT PRIMARY KEY, generation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    status TEXT NOT NULL, url TEXT, error TEXT, password TEXT  -- encrypt it, as other secrets of your customers
)"""
# One statement decides and commits, so that two deliveries at once do no harm. PostgreSQL takes it as it is.
TAKE = """INSERT INTO stores (store_id, generation, sequence, status, url, error, password) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (store_id) DO UPDATE SET generation = excluded.generation, sequence = excluded.sequence, status = excluded.status,
    url = excluded.url, error = excluded.error, password = excluded.password
WHERE (excluded.generation, excluded.sequence) > (stores.generation, stores.sequence)"""
LAST = "SELECT generation, sequence FROM stores WHERE store_id = ?"


def take(data, store_id, generation, sequence, body):
    """Commits a callback, unless it or a later one of the store was committed before."""
    db = sqlite3.connect(data, timeout=10)
    try:
        with db:
            row = (store_id, generation, sequence, body["status"], body.get("url"), body.get("error"), body.get("password"))
            if db.execute(TAKE, row).rowcount == 1:
                return "taken"
            last = db.execute(LAST, (store_id,)).fetchone()
        return "repeated" if last == (generation, sequence) else "older"
    finally:
        db.close()


class Receiver(BaseHTTPRequestHandler):
    webhook = None
    data = None

    def do_POST(self):
        path = PATH.fullmatch(self.path)
        length = int(self.headers.get("Content-Length", "0"))
        if not path or length > 64 << 10:
            return self.answer(404 if not path else 413)
        raw = self.rfile.read(length)
        # The signature is of these bytes: verify before anything else parses them. What is no base64 or no UTF-8 is a ValueError.
        try:
            body = self.webhook.verify(raw, dict(self.headers.items()))
        except (WebhookVerificationError, ValueError) as error:
            return self.answer(401, str(error))
        # It covers the id and the body, and neither the path nor the other headers.
        webhook_id = self.headers["webhook-id"]
        parts = WEBHOOK_ID.fullmatch(webhook_id)
        if not parts or parts[3] != unquote(path[1]) or not isinstance(body, dict) or not body.get("status"):
            return self.answer(400, "not a status of this store")
        try:
            what = take(self.data, parts[3], int(parts[1]), int(parts[2]), body)
        except sqlite3.Error as error:
            self.log_error("%s", error)
            return self.answer(503, "the status cannot be stored now")  # it is sent again
        print(what, webhook_id, body["status"], flush=True)
        self.answer(204)

    def answer(self, status, text=""):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if status != 204:
            self.wfile.write(text.encode())

    def log_request(self, code="-", size="-"):
        pass  # a line for each request is your server's business


def main():
    secret, data = os.environ.get("ORCH_WEBHOOK_SECRET"), os.environ["DATA"]
    if not secret:
        sys.exit("ORCH_WEBHOOK_SECRET must be the workers' secret, whsec_ and base64")
    Receiver.webhook, Receiver.data = Webhook(secret), data
    db = sqlite3.connect(data)
    with db:
        db.execute(SCHEMA)
    db.close()
    host, _, port = os.environ["ADDR"].rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Receiver)
    print("listening on", "%s:%d" % server.server_address, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
