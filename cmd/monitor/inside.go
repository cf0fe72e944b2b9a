package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

var (
	outsideFonts = regexp.MustCompile(`<link[^>]+fonts\.googleapis\.com[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// inside keeps the UI from asking anybody but this server: the fonts it links to are taken out of its page, and a policy
// tells the browser to load nothing else from outside.
func inside(ui http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			ui.ServeHTTP(w, r)
			return
		}
		held := &heldAnswer{header: w.Header(), status: http.StatusOK}
		ui.ServeHTTP(held, r)
		body := dress(held, r.URL.Path)
		w.WriteHeader(held.status)
		_, _ = w.Write(body) // an error means that the browser has gone
	})
}

// dress gives a file of the UI the headers that belong to it, and returns it as it may be sent.
func dress(held *heldAnswer, path string) []byte {
	body := held.body.Bytes()
	if held.header.Get("Content-Type") == "" {
		held.header.Set("Content-Type", http.DetectContentType(body))
	}
	switch {
	case strings.HasPrefix(held.header.Get("Content-Type"), "text/html"):
		body = outsideFonts.ReplaceAll(body, nil)
		held.header.Set("Content-Security-Policy", pagePolicy(body))
	case strings.HasPrefix(path, "/static/"): // named by content
		held.header.Set("Cache-Control", "private, max-age=31536000, immutable")
		if strings.HasSuffix(path, ".svg") {
			held.header.Set("Content-Type", "image/svg+xml") // sniffed as text, which nosniff keeps from being an image
		}
	}
	return body
}

// pagePolicy allows what the UI needs: its own files, the scripts that are in the page, and styles made by scripts.
func pagePolicy(page []byte) string {
	scripts := "'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'self'; script-src " + scripts + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// heldAnswer is an answer that waits until it is complete.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }
