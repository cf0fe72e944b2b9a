package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// streaming answers with these lines.
func streaming(t *testing.T, status int, answer func(r *http.Request) string) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, answer(r))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "t")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEventsAreRead(t *testing.T) {
	c := streaming(t, 200, func(r *http.Request) string {
		if r.URL.Path != "/stores/s-1/events" || r.Header.Get("Last-Event-ID") != "3-1" || r.Header.Get("X-Orchestrator-Token") != "t" {
			t.Errorf("asked for %s after %s", r.URL.Path, r.Header.Get("Last-Event-ID"))
		}
		return "retry: 5000\n\nid: 4-0\nevent: accepted\ndata: {\"id\":\"4-0\",\"kind\":\"accepted\",\"generation\":7}\n\n: nothing has happened\n\n" +
			"id: 5-0\nevent: step\ndata: {\"id\":\"5-0\",\"kind\":\"step\",\"step\":{\"name\":\"ready\",\"state\":\"done\"}}\n\n"
	})
	var got []provision.Event
	for e, err := range c.Events(t.Context(), "s-1", "3-1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != 2 || got[0].Kind != provision.EventAccepted || got[0].Generation != 7 || got[1].ID != "5-0" || got[1].Step.Name != "ready" {
		t.Errorf("read %+v", got)
	}
}

func TestEventsEndWithTheReader(t *testing.T) {
	c := streaming(t, 200, func(*http.Request) string { return "data: {\"id\":\"1-0\"}\n\ndata: {\"id\":\"2-0\"}\n\n" })
	for e := range c.Events(t.Context(), "s-1", "") {
		if e.ID != "1-0" {
			t.Errorf("read %s", e.ID)
		}
		break
	}
}

func TestEventsThatCannotBeReadAreAnError(t *testing.T) {
	problem := streaming(t, 404, func(*http.Request) string {
		return `{"type":"urn:orchestrator:problem:no-store","title":"The store does not exist","status":404}`
	})
	for _, err := range problem.Events(t.Context(), "s-1", "") {
		if !client.IsNotFound(err) {
			t.Error(err)
		}
	}
	broken := streaming(t, 200, func(*http.Request) string { return "data: {\n\n" })
	for _, err := range broken.Events(t.Context(), "s-1", "") {
		if err == nil {
			t.Error("half an event is one")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range broken.Events(ctx, "s-1", "") {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
