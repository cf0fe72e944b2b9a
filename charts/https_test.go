package charts

import (
	"os/exec"
	"strings"
	"testing"
)

// A shop on https takes every request for one that came so: express-session has no other source than this header.
func TestMedusaAssumesHTTPS(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip(err)
	}
	const program = `require("./store/medusa/bootstrap/https.js").assumeHttps(process.argv[1])
		const http = require("node:http")
		const server = http.createServer((request, response) => response.end(String(request.headers["x-forwarded-proto"])))
		server.listen(0, "127.0.0.1", async () => {
			const answer = await fetch("http://127.0.0.1:" + server.address().port, { headers: { "x-forwarded-proto": "http" } })
			console.log(await answer.text())
			process.exit()
		})`
	for address, want := range map[string]string{"https://shop.example.com": "https", "http://shop.example.com": "http"} {
		out, err := exec.CommandContext(t.Context(), "node", "-e", program, address).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("a request to %s, which the controller calls http, arrives as one by %q, want %s (%v)", address, got, want, err)
		}
	}
}
