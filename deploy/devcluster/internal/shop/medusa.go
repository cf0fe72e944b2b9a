package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

func (s *Shop) medusa(mux *http.ServeMux) {
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) })
	mux.HandleFunc("GET /app", adminApp)
	mux.HandleFunc("GET /app/", adminApp)
	mux.HandleFunc("POST /auth/user/emailpass", s.emailpass)
	mux.HandleFunc("GET /admin/api-keys", asAdmin(apiKeys))
	mux.HandleFunc("GET /store/products", asStorefront(func(*http.Request) any { return list("products", sampleProduct) }))
	mux.HandleFunc("GET /store/regions", asStorefront(func(*http.Request) any { return list("regions", sampleRegion) }))
}

var (
	sampleProduct = map[string]any{"id": "prod_SAMPLE", "title": "Sample T-Shirt", "handle": "t-shirt", "status": "published"}
	sampleRegion  = map[string]any{"id": "reg_SAMPLE", "name": "Default", "currency_code": "eur"}
)

func adminApp(w http.ResponseWriter, _ *http.Request) {
	writePage(w, http.StatusOK, "", "Medusa", `<div id="medusa"></div>`)
}

// emailpass exchanges e-mail and password for a token. Any pair is right, as long as both are there.
func (s *Shop) emailpass(w http.ResponseWriter, r *http.Request) {
	var body struct{ Email, Password string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&body)
	if err != nil || body.Email == "" || body.Password == "" {
		refuse(w, http.StatusBadRequest, "invalid_data", "Password and email are required")
		return
	}
	if s.refusesPassword(r) {
		refuse(w, http.StatusUnauthorized, "unauthorized", "Invalid email or password")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": bearerOf(r)})
}

// asAdmin lets only requests with the token of this host's shop through.
func asAdmin(answer func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bearerOf(r) {
			refuse(w, http.StatusUnauthorized, "unauthorized", "Unauthorized")
			return
		}
		writeJSON(w, http.StatusOK, answer(r))
	}
}

// asStorefront lets only requests with the publishable key of this host's shop through.
func asStorefront(answer func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("x-publishable-api-key") {
		case "":
			refuse(w, http.StatusBadRequest, "not_allowed", "Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard.")
		case publishableKeyOf(r):
			writeJSON(w, http.StatusOK, answer(r))
		default:
			refuse(w, http.StatusBadRequest, "not_allowed", "A valid publishable key is required to proceed with the request")
		}
	}
}

func apiKeys(r *http.Request) any {
	return list("api_keys", map[string]any{
		"id": "apk_SAMPLE", "title": "Default Publishable API Key", "type": "publishable", "token": publishableKeyOf(r), "revoked_at": nil,
	})
}

func list(name string, items ...map[string]any) any {
	return map[string]any{name: items, "count": len(items), "offset": 0, "limit": 50}
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]string{"type": kind, "message": message})
}

// Keys follow from the host: the shop remembers nothing, and one host's key does not open another's shop.
func bearerOf(r *http.Request) string         { return derived("bearer", hostOf(r)) }
func publishableKeyOf(r *http.Request) string { return "pk_" + derived("publishable", hostOf(r)) }

func derived(purpose, host string) string {
	sum := sha256.Sum256([]byte(purpose + "\x00" + host))
	return hex.EncodeToString(sum[:])
}
