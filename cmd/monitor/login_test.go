package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWrongLoginsAreLoggedAndAnsweredOneASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		handler := login("op", "correct horse", slog.New(slog.NewTextHandler(log, nil)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ask := func(ctx context.Context, password string) (int, time.Duration) {
			start := time.Now()
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			if password != "" {
				r.SetBasicAuth("op", password)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code, time.Since(start)
		}
		start := time.Now()
		var guesses sync.WaitGroup
		for range 10 {
			guesses.Go(func() {
				if code, _ := ask(t.Context(), "a guess"); code != http.StatusUnauthorized {
					t.Errorf("a guess is answered with %d", code)
				}
			})
		}
		synctest.Wait()
		if code, took := ask(t.Context(), "correct horse"); code != http.StatusOK || took != 0 {
			t.Errorf("the right login: %d after %s", code, took)
		}
		if code, took := ask(t.Context(), ""); code != http.StatusUnauthorized || took != 0 {
			t.Errorf("no login: %d after %s", code, took)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, took := ask(gone, "a guess"); took != time.Millisecond {
			t.Errorf("a client that is gone is waited for %s", took)
		}
		guesses.Wait()
		if took := time.Since(start); took != 10*failedLoginEvery {
			t.Errorf("ten guesses took %s", took)
		}
		if n := strings.Count(log.String(), "action=login target=monitor result=refused"); n != 11 || strings.Contains(log.String(), "guess") || strings.Contains(log.String(), "op\"") {
			t.Errorf("%d lines: %s", n, log)
		}
	})
}
