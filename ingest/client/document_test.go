package client_test

import (
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// omitted are the operations that the client has no method for, and why.
var omitted = map[string]string{
	"root":        "for load balancers",
	"health":      "for load balancers",
	"healthz":     "for the kubelet",
	"readyz":      "for the kubelet",
	"orchestrate": "the same as submit",
	"openapi":     "for people, and for programs that make clients",
	"openapiJSON": "the same",
	"docs":        "for people",
	"events":      "a stream: TestEventsAreRead",
}

// A call uses a method of the client for one operation, with every option that it has.
type call struct {
	method string
	do     func(context.Context, *client.Client) (any, error)
}

// as drops the type of an answer.
func as[T any](answer T, err error) (any, error) { return answer, err }

func change[T any](verb client.Verb, options any) call {
	return call{"Change", func(ctx context.Context, c *client.Client) (any, error) {
		var answer T
		err := c.Change(ctx, "s-1", 7, verb, options, &answer)
		return answer, err
	}}
}

// protect has no generation.
func protect(verb client.Verb) call {
	return call{"Change", func(ctx context.Context, c *client.Client) (any, error) {
		var answer client.Protected
		err := c.Change(ctx, "s-1", 0, verb, nil, &answer)
		return answer, err
	}}
}

func rollout(change provision.RolloutChange) call {
	return call{"ChangeRollout", func(ctx context.Context, c *client.Client) (any, error) {
		return as(c.Fleet().ChangeRollout(ctx, change))
	}}
}

func setLost(lost bool) call {
	return call{"SetLost", func(ctx context.Context, c *client.Client) (any, error) {
		return as(c.Fleet().SetLost(ctx, "eu", lost))
	}}
}

// request is a provision with all its fields.
const request = `{"store_id":"s-1","action":"provision","name":"s-1","engine":"medusa","namespace":"store-s-1","host":"s.example.com","store_url":"https://s.example.com",
	"base_url":"https://api.example.com","creator_id":"42","cluster":"eu","settings":{"title":"Käse","admin_email":"a@example.com","currency":"EUR","country":"DE",
	"locale":"de_DE","sample_product":true}}`

// operations are the calls by the ids of their operations.
func operations() map[string]call {
	return map[string]call{
		"submit": {"Submit", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Submit(ctx, 7, []byte(request))) }},
		"delete": {"Delete", func(ctx context.Context, c *client.Client) (any, error) {
			return as(c.Delete(ctx, "s-1", 7, client.Deletion{RetainData: true, Erase: true, Grace: 168 * 3600e9}))
		}},
		"show": {"Store", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Store(ctx, "s-1")) }},
		"list": {"Stores", func(ctx context.Context, c *client.Client) (any, error) {
			return as(c.Stores(ctx, provision.StoreFilter{Status: provision.StatusFailed, Code: "image", Engine: "medusa", Cluster: "eu", Creator: "42", Query: "s"}, "x", 200))
		}},
		"retry":     change[client.Accepted](client.Retry, map[string]any{"force": provision.Forces}),
		"suspend":   change[client.Accepted](client.Suspend, map[string]any{"reason": "unpaid"}),
		"resume":    change[client.Accepted](client.Resume, nil),
		"rotate":    change[client.Accepted](client.Rotate, nil),
		"restore":   change[client.Accepted](client.Restore, provision.RestoreRequest{Backup: "r-1", NewPassword: true}),
		"backup":    change[client.BackupRequested](client.Backup, nil),
		"cancel":    change[client.Cancelled](client.Cancel, nil),
		"protect":   protect(client.Protect),
		"unprotect": protect(client.Unprotect),
		"orphans":   {"Orphans", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Orphans(ctx, "failed", "x", 1)) }},
		"letters":   {"DeadLetters", func(ctx context.Context, c *client.Client) (any, error) { return as(c.DeadLetters(ctx, "x", 50)) }},
		"replay":    {"Replay", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Replay(ctx, "7.1.s-1")) }},
		"summary":   {"Summary", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().Summary(ctx)) }},
		"findings": {"Findings", func(ctx context.Context, c *client.Client) (any, error) {
			return as(c.Fleet().Findings(ctx, "drifted", "x", 50))
		}},
		"clusters":      {"Clusters", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().Clusters(ctx)) }},
		"lose":          setLost(true),
		"find":          setLost(false),
		"quota":         {"Quota", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().Quota(ctx, "42")) }},
		"setQuota":      {"SetQuota", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().SetQuota(ctx, "42", 7)) }},
		"rollout":       {"Rollout", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().Rollout(ctx)) }},
		"pauseRollout":  rollout("pause"),
		"resumeRollout": rollout("resume"),
		"abortRollout":  rollout("abort"),
		"startRollout": {"StartRollout", func(ctx context.Context, c *client.Client) (any, error) {
			return as(c.Fleet().StartRollout(ctx, map[string]any{"engine": "medusa", "waves": []string{"1", "10%"}, "parallel": 7}))
		}},
		"holds": {"Holds", func(ctx context.Context, c *client.Client) (any, error) { return as(c.Fleet().Holds(ctx)) }},
		"releaseHold": {"ReleaseHold", func(ctx context.Context, c *client.Client) (any, error) {
			return as(c.Fleet().ReleaseHold(ctx, "eu", "medusa"))
		}},
	}
}

// Every request is one that the document describes, and all of the answer that it describes is parsed.
func TestClientKeepsToTheDocument(t *testing.T) {
	for id, call := range operations() {
		t.Run(id, func(t *testing.T) {
			server := &described{t: t, document: read(t)}
			ingest := httptest.NewServer(server)
			defer ingest.Close()
			c, err := client.New(ingest.URL, "t")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := call.do(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if server.asked != id {
				t.Errorf("%s calls the operation %s", call.method, server.asked)
			}
			missing(t, id, server.answer, again(t, answer))
		})
	}
}

// Every operation of the document has a method, or a reason for having none; every method is for an operation.
func TestClientHasEveryOperation(t *testing.T) {
	known := slices.Collect(maps.Keys(omitted))
	called := map[string]bool{"URL": true, "Fleet": true, "Events": true}
	for id, call := range operations() {
		known, called[call.method] = append(known, id), true
	}
	var in []string
	for _, operation := range read(t).operations() {
		in = append(in, operation.id)
	}
	slices.Sort(known)
	slices.Sort(in)
	if diff := cmp.Diff(in, known); diff != "" {
		t.Errorf("the document and the client differ: %s", diff)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[*client.Client](), reflect.TypeFor[client.Fleet]()} {
		for i := range of.NumMethod() {
			if name := of.Method(i).Name; !called[name] {
				t.Errorf("%s is not held to the document", name)
			}
		}
	}
}

// The kinds of problems are those of the service.
func TestKindsAreThoseOfTheService(t *testing.T) {
	find := func(file, pattern string) (names []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	served, here := find("../problem.go", `= kind\{http\.\w+, "([a-z-]+)"`), find("problem.go", `Kind\w+ +Kind = "([a-z-]+)"`)
	if len(served) == 0 || fmt.Sprint(served) != fmt.Sprint(here) {
		t.Errorf("served %s, known to the client %s", strings.Join(served, " "), strings.Join(here, " "))
	}
}
