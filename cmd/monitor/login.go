package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"time"

	"orchestrator/provision"
)

// failedLoginEvery is the time between the answers to two wrong logins, however many connections try: a password cannot be
// found by trying. A right login is answered at once.
const failedLoginEvery = time.Second

// login passes on requests with the right user name and password, and logs each wrong login.
func login(user, password string, log *slog.Logger, next http.Handler) http.Handler {
	wantUser, wantPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	turn := make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, given := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(u)), sha256.Sum256([]byte(p))
		// Hashes have the same length and both are always compared, so that the time reveals nothing about either.
		if subtle.ConstantTimeCompare(gotUser[:], wantUser[:])&subtle.ConstantTimeCompare(gotPassword[:], wantPassword[:]) != 1 {
			if given { // a browser's first request has no login
				// The user's name may be a mistyped password.
				provision.AuditEvent{Action: "login", Target: "monitor", Status: http.StatusUnauthorized, Peer: peer(r)}.Log(r.Context(), log)
				delay(r, turn)
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="orchestrator monitor", charset="UTF-8"`)
			http.Error(w, "log in with ORCH_MONITOR_USER and ORCH_MONITOR_PASSWORD", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// delay waits for its turn and then for failedLoginEvery, unless the client goes away.
func delay(r *http.Request, turn chan struct{}) {
	select {
	case turn <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-turn }()
	select {
	case <-time.After(failedLoginEvery):
	case <-r.Context().Done():
	}
}

// peer is the address that a request came from, without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
