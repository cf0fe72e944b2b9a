package queues

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

var (
	externalFonts = regexp.MustCompile(`<link[^>]+fonts\.googleapis\.com[^>]*>`)
	inlineScript  = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// csp keeps the UI from loading anything from other servers: it removes the links to external fonts from the page and sets a
// Content-Security-Policy.
func csp(ui http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		if strings.HasPrefix(r.URL.Path, Root+"/api/") {
			ui.ServeHTTP(w, r)
			return
		}
		buffered := &bufferedResponse{header: w.Header(), status: http.StatusOK}
		ui.ServeHTTP(buffered, r)
		body := setHeaders(buffered, r.URL.Path)
		w.WriteHeader(buffered.status)
		_, _ = w.Write(body) // fails only if the browser has gone
	})
}

// setHeaders sets the headers of a file of the UI, and returns the file without links to external fonts.
func setHeaders(buffered *bufferedResponse, path string) []byte {
	body := buffered.body.Bytes()
	if buffered.header.Get("Content-Type") == "" {
		buffered.header.Set("Content-Type", http.DetectContentType(body))
	}
	switch {
	case strings.HasPrefix(buffered.header.Get("Content-Type"), "text/html"):
		body = externalFonts.ReplaceAll(body, nil)
		buffered.header.Set("Content-Security-Policy", pagePolicy(body))
	case strings.HasPrefix(path, Root+"/static/"): // these names contain a hash of the content
		buffered.header.Set("Cache-Control", "private, max-age=31536000, immutable")
		if strings.HasSuffix(path, ".svg") {
			buffered.header.Set("Content-Type", "image/svg+xml") // it is sniffed as text, which nosniff forbids for an image
		}
	}
	return body
}

// pagePolicy allows what the UI needs: its own files, the inline scripts of the page, and styles created by scripts.
func pagePolicy(page []byte) string {
	scripts := "'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'self'; script-src " + scripts + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// bufferedResponse holds a response until it is complete.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *bufferedResponse) Header() http.Header         { return a.header }
func (a *bufferedResponse) WriteHeader(status int)      { a.status = status }
func (a *bufferedResponse) Write(b []byte) (int, error) { return a.body.Write(b) }
