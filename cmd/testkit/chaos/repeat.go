package main

import (
	"context"
	"net/http"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// repeat sends the last request again. Where nothing but that can be the newest on record, the record is asked for it some of the time.
func (c *client) repeat(ctx context.Context) {
	generation, certain := c.certain()
	if !certain || c.dice.IntN(2) == 0 {
		c.submit(ctx, c.want)
		return
	}
	c.change("/retry", generation, `{"force":["apply"]}`, &c.retried)
}

// rotate has the shop given another password.
func (c *client) rotate() {
	if generation, certain := c.certain(); certain {
		c.changeAs(model.Request{Rotates: true}, http.MethodPost, "/rotate", generation, "", &c.rotated)
	}
}

// suspend has the shop stopped, and some time later, whatever became of that, started again.
func (c *client) suspend(ctx context.Context) {
	generation, certain := c.certain()
	if !certain {
		return
	}
	c.change("/suspend", generation, `{"reason":"unpaid"}`, &c.suspended)
	c.resume(ctx)
}

// deleteLater has the store deleted in a minute, and kept before that is over.
func (c *client) deleteLater(ctx context.Context) {
	if generation, certain := c.certain(); certain {
		c.changeAs(model.Request{}, http.MethodDelete, "?grace=1m", generation, "", &c.later)
		c.resume(ctx)
	}
}

// resume starts the shop again some time later, whatever became of what stopped it.
func (c *client) resume(ctx context.Context) {
	rig.Sleep(ctx, c.upTo(5*time.Second))
	var resumed int
	for c.change("/resume", 0, "", &resumed) == model.Uncertain {
		rig.Sleep(context.WithoutCancel(ctx), time.Second)
	}
}

// change sends a request that is the last one once more on other terms, if the generation is the newest where it is not 0, and counts it where it was accepted.
func (c *client) change(verb string, generation int64, text string, count *int) model.Answer {
	return c.changeAs(model.Request{}, http.MethodPost, verb, generation, text, count)
}

func (c *client) changeAs(what model.Request, method, verb string, generation int64, text string, count *int) model.Answer {
	began := time.Now()
	status, body, err := c.call(method, "/stores/"+c.id+verb, generation, []byte(text))
	if err == nil && status == http.StatusPreconditionFailed { // the service has run it again by itself
		return model.Refused
	}
	sent := answered(c.want, began, status, body, err)
	sent.Rotates = what.Rotates
	if sent.Answer == model.Accepted {
		c.count(count)
	}
	c.note(sent)
	return sent.Answer
}

// cancel gives the last request up, and sends it again: whatever became of the cancel, the store is to be as it says in the end.
func (c *client) cancel(ctx context.Context) {
	generation, certain := c.certain()
	if !certain {
		return
	}
	rig.Sleep(ctx, c.upTo(500*time.Millisecond))
	if status, _, err := c.call(http.MethodPost, "/stores/"+c.id+"/cancel", generation, nil); err == nil && status == http.StatusOK {
		c.count(&c.cancelled)
	}
	c.insist(context.WithoutCancel(ctx), c.want)
}

// certain reports whether the last request is the newest one on record, and its generation: it was accepted, and no earlier one can still arrive.
func (c *client) certain() (generation int64, certain bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.Answer == model.Uncertain && time.Since(r.Sent) < 2*model.Reordered {
			return 0, false
		}
	}
	if len(c.requests) == 0 || c.wiped > 0 || c.rig.Lose.Ambiguous(c.id) {
		return 0, false
	}
	last := c.requests[len(c.requests)-1]
	return last.Generation, last.Answer == model.Accepted && last.Request == c.want
}

func (c *client) note(r model.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	c.retains = c.retains && r.RetainData
}

func (c *client) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}
