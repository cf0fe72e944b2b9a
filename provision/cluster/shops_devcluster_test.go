//go:build devcluster

package cluster

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/provision"
)

func TestShopsOpenForwardsThroughTheAPIServer(t *testing.T) { // not in parallel: it counts goroutines
	c := watching(t, devCluster(t))
	s := prepared(t, c)
	apply(t, c, s, nil)
	if err := c.Readiness.Wait(t.Context(), s, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	shop, closeShop, err := c.Shops.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		res, err := shop.HTTP.Get("https://" + s.Host + "/")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || len(text) == 0 {
			t.Errorf("status %d, %d bytes, error %v", res.StatusCode, len(text), err)
		}
	}
	if password, err := shop.Credential(t.Context(), provision.AdminPassword); err != nil || len(password) != 24 {
		t.Errorf("%d characters, error %v", len(password), err)
	}
	if _, err := shop.Credential(t.Context(), "nothing"); !errors.Is(err, provision.ErrNoCredentials) {
		t.Errorf("error %v", err)
	}
	closeShop()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestShopsOpenNeedsAReadyPod(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	_, _, err := c.Shops.Open(t.Context(), s)
	wantCode(t, err, provision.CodeUnavailable)
	apply(t, c, s, map[string]any{"podAnnotations": map[string]any{"devcluster/outcome": "never"}})
	_, _, err = c.Shops.Open(t.Context(), s)
	wantCode(t, err, provision.CodeUnavailable)
	if !strings.Contains(provision.Public(err), "no ready pod") {
		t.Errorf("%q", provision.Public(err))
	}
}

func TestShopsOpenChecksTheFence(t *testing.T) {
	t.Parallel()
	c := watching(t, devCluster(t))
	s := prepared(t, c)
	apply(t, c, s, nil)
	if err := c.Readiness.Wait(t.Context(), s, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	held := &lease{}
	held.lost.Store(true)
	_, _, err := c.Shops.Open(provision.WithFence(t.Context(), held), s)
	wantCode(t, err, provision.CodeUnavailable)
}
