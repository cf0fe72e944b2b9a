package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// login passes on requests with the right user name and password.
func login(user, password string, next http.Handler) http.Handler {
	wantUser, wantPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(u)), sha256.Sum256([]byte(p))
		// Hashes have the same length and both are always compared, so that the time reveals nothing about either.
		if subtle.ConstantTimeCompare(gotUser[:], wantUser[:])&subtle.ConstantTimeCompare(gotPassword[:], wantPassword[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="orchestrator monitor", charset="UTF-8"`)
			http.Error(w, "log in with ORCH_MONITOR_USER and ORCH_MONITOR_PASSWORD", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
