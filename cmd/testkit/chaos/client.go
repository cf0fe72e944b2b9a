package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// creators is how many creators own all stores together.
const creators = 3

// client sends the requests of one store, one after the other, and records the responses.
type client struct {
	id    string
	rig   *rig.Rig
	dice  *rand.Rand // this client's own, from the seed
	pause time.Duration
	often bool          // another password is asked for in half of the requests
	nudge chan struct{} // makes it send the next request now

	mu                                            sync.Mutex
	requests                                      []model.Request
	wiped                                         int
	retains                                       bool // the last request retains the data: an operator does not delete the namespace meanwhile
	retried, cancelled, suspended, rotated, later int  // how often that was accepted
	heal                                          bool // the namespace was deleted by hand: the next request repeats the last one

	want provision.Request // the last request
}

func newClient(r *rig.Rig, seed uint64, n int, prefix string, pause time.Duration) *client {
	c := &client{id: fmt.Sprintf("%s%03d", prefix, n), rig: r, dice: rand.New(rand.NewPCG(seed, uint64(n))), pause: pause, nudge: make(chan struct{}, 1)}
	names := engine.Names()
	c.want = provision.Request{StoreID: c.id, Name: c.id, Engine: names[n%len(names)], Namespace: "store-" + c.id, CreatorID: fmt.Sprint("creator-", n%creators), Action: provision.OpDelete}
	return c
}

// live sends requests until ctx ends.
func (c *client) live(ctx context.Context) {
	rig.Sleep(ctx, c.upTo(c.pause))
	for ctx.Err() == nil {
		c.act(ctx)
		if c.dice.IntN(3) > 0 && !c.awaitOutcome(ctx) {
			continue
		}
		if c.dice.IntN(4) > 0 {
			c.rest(ctx, c.upTo(2*c.pause))
		}
	}
}

// rest waits. It reports false when it was cut short, by a nudge or by ctx.
func (c *client) rest(ctx context.Context, d time.Duration) (rested bool) {
	select {
	case <-c.nudge:
		return false
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *client) upTo(d time.Duration) time.Duration {
	return time.Duration(c.dice.Int64N(int64(d) + 1))
}

// act sends the next request, or a delete and a provision right after each other.
func (c *client) act(ctx context.Context) {
	if c.dice.IntN(30) == 0 {
		c.rollOut()
	}
	switch dice := c.dice.IntN(100); {
	case c.want.Action == provision.OpDelete && c.retaining() && dice < 30: // the data too
		c.delete(ctx)
	case c.want.Action == provision.OpDelete:
		c.provision(ctx)
	case c.healing():
		c.submit(ctx, c.want)
	case c.often && dice%2 == 0:
		c.rotate()
	case dice < 25:
		c.repeat(ctx)
	case dice < 50:
		c.want.Settings.Title = fmt.Sprintf("Shop \"%d\"", c.dice.IntN(1e6))
		c.submit(ctx, c.want)
		if c.dice.IntN(3) == 0 {
			c.cancel(ctx)
		}
	case dice < 55:
		c.suspend(ctx)
	case dice < 58:
		c.rotate()
	case dice < 61 && c.mayRetain():
		c.deleteLater(ctx)
	case dice < 65:
		c.move()
		c.submit(ctx, c.want)
	case dice < 75 && c.mayRetain():
		c.submit(ctx, provision.Request{StoreID: c.id, Action: provision.OpDelete, RetainData: true})
		c.want.Action = provision.OpDelete
	case dice < 80:
		c.delete(ctx)
	default:
		c.delete(ctx)
		c.provision(ctx)
	}
}

// rollOut begins a rollout of the store's engine, unless one is under way. It must not show in what is told.
func (c *client) rollOut() {
	_, _, _ = c.call(http.MethodPost, "/rollout", 0, fmt.Appendf(nil, `{"engine":%q,"waves":["1","50%%"],"soak_seconds":1,"max_failures":100000}`, c.want.Engine))
}

func (c *client) provision(ctx context.Context) {
	c.want.Action = provision.OpProvision
	c.want.Settings = provision.Settings{Title: fmt.Sprintf("Shop %d", c.dice.IntN(1e6)), Currency: "EUR", Country: "DE"}
	c.move()
	c.submit(ctx, c.want)
}

// move gives the store another of its three hosts.
func (c *client) move() {
	c.want.Host = fmt.Sprintf("%s-%d.shops.test", c.id, c.dice.IntN(3))
	c.want.StoreURL = "https://" + c.want.Host
}

func (c *client) delete(ctx context.Context) {
	c.want.Action = provision.OpDelete
	c.submit(ctx, provision.Request{StoreID: c.id, Action: provision.OpDelete})
}

// mayRetain reports whether a delete that retains the data cannot come too late: the store is READY, and no other delete is or may be
// in progress.
func (c *client) mayRetain() bool {
	newest, ready := c.newest(), false
	for _, d := range c.rig.Backend.Deliveries(c.id) {
		ready = ready || d.Generation == newest && d.Status == provision.StatusReady
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.Answer == model.Uncertain && time.Since(r.Sent) < 2*model.Reordered {
			return false
		}
	}
	c.retains = ready && c.wiped == 0 && newest == c.requests[len(c.requests)-1].Generation
	return c.retains
}

func (c *client) retaining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retains
}

// submit sends a request, and retries while it is uncertain whether it was accepted. Some of the time it gives up early.
func (c *client) submit(ctx context.Context, r provision.Request) {
	for c.send(r) == model.Uncertain && c.dice.IntN(4) > 0 {
		if !rig.Sleep(ctx, c.upTo(2*time.Second)) {
			return
		}
	}
}

// insist sends a request until it is accepted.
func (c *client) insist(ctx context.Context, r provision.Request) {
	for c.send(r) == model.Uncertain && rig.Sleep(ctx, time.Second) {
	}
}

// send sends a request once.
func (c *client) send(r provision.Request) model.Answer {
	began := time.Now()
	status, body, err := c.post(r)
	sent := answered(r, began, status, body, err)
	c.note(sent)
	return sent.Answer
}

// answered is a request with what is known of it by its answer.
func answered(r provision.Request, began time.Time, status int, body []byte, err error) model.Request {
	sent := model.Request{Request: r, Sent: began, Answer: model.Uncertain}
	var answer struct{ Generation int64 }
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
	case status == http.StatusAccepted && json.Unmarshal(body, &answer) == nil && answer.Generation > 0:
		sent.Answer, sent.Generation = model.Accepted, answer.Generation
	default:
		sent.Answer, sent.Response = model.Refused, fmt.Sprintf("%d %.300s", status, body)
	}
	return sent
}

func (c *client) post(r provision.Request) (int, []byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return 0, nil, err
	}
	return c.call(http.MethodPost, "/", 0, text)
}

// call sends a request to ingest, if the generation is the newest where it is not 0. It has a context of its own: a request that was begun is not broken off
// when the traffic ends.
func (c *client) call(method, path string, generation int64, text []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.rig.API+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Orchestrator-Token", rig.Token)
	req.Header.Set("Content-Type", "application/json")
	if generation != 0 {
		req.Header.Set("If-Match", fmt.Sprintf(`"%d"`, generation))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// awaitOutcome waits up to 30 seconds for a callback with the outcome of the newest accepted request. The next request is
// then sent while that callback may still wait for its response. It reports false when it was cut short.
func (c *client) awaitOutcome(ctx context.Context) bool {
	for range 300 {
		if c.told() {
			return true
		}
		if !c.rest(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return true
}

// told reports whether the outcome of the newest accepted request has arrived.
func (c *client) told() bool {
	newest := c.newest()
	return slices.ContainsFunc(c.rig.Backend.Deliveries(c.id), func(d model.Delivery) bool { return d.Generation >= newest && d.Status.Final() })
}

func (c *client) newest() (generation int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		generation = max(generation, r.Generation)
	}
	return generation
}

// wipe records that the namespace is being deleted by hand. It reports false for a store that should not exist now.
func (c *client) wipe() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.requests); n == 0 || c.retains || c.requests[n-1].Action == provision.OpDelete {
		return false
	}
	c.wiped, c.heal = c.wiped+1, true
	return true
}

func (c *client) healing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	heal := c.heal
	c.heal = false
	return heal
}

// conclude ends the traffic of the store. A store whose namespace was deleted by hand is requested again: the service does
// not notice the deletion by itself. It waits for the outcome before, since the equal request would join a run that may be past the
// namespace.
func (c *client) conclude(ctx context.Context) {
	if c.healing() || c.wiped > 0 && c.want.Action == provision.OpProvision {
		r := c.want
		if r.Action == provision.OpDelete {
			r = provision.Request{StoreID: c.id, Action: provision.OpDelete}
		}
		for !c.told() && rig.Sleep(ctx, 100*time.Millisecond) {
		}
		c.insist(ctx, r)
	}
}

// history is the store as its client and its backend saw it.
func (c *client) history() model.Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	return model.Store{ID: c.id, Requests: append([]model.Request(nil), c.requests...), Deliveries: c.rig.Backend.Deliveries(c.id),
		Wiped: c.wiped, Ambiguous: c.rig.Lose.Ambiguous(c.id), Losses: c.rig.Backend.Losses()}
}
