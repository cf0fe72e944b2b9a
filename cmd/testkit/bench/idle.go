package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// idleStores are made one after the other.
const idleStores = 20

// mostIdle is the longest pause between them; its length is random, so that no poll is met at the same time of its round.
const mostIdle = 400 * time.Millisecond

// idle measures how long one customer waits while the service has nothing else to do, and pods are ready at once.
func (b *bench) idle(ctx context.Context) error {
	b.note("%d stores, one after the other, pods ready at once\n", idleStores)
	return b.onCluster(ctx, "0s", func(s *service, _ *rig.Cluster) error {
		if err := s.submit(ctx, "warm-", 2); err != nil {
			return err
		}
		var pickup, ready []float64
		for i := range idleStores {
			rig.Sleep(ctx, rand.N(mostIdle))
			picked, took, err := s.makeOne(ctx, stores.ID("s-", i))
			if err != nil {
				return err
			}
			pickup, ready = append(pickup, picked.Seconds()*1000), append(ready, took.Seconds())
		}
		b.note("POST to the first step: p50 %.0f ms, p95 %.0f ms", figures.Percentile(pickup, 50), figures.Percentile(pickup, 95))
		b.note("POST to READY: p50 %.2f s, p95 %.2f s", figures.Percentile(ready, 50), figures.Percentile(ready, 95))
		b.bounds = append(b.bounds,
			figures.Bound{Name: "idle: POST to the first step, ms, p50", Value: figures.Percentile(pickup, 50), Limit: wantedPickup},
			figures.Bound{Name: "idle: POST to READY, s, p50", Value: figures.Percentile(ready, 50), Limit: wantedIdle, Digits: 2})
		return nil
	})
}

// makeOne makes a store and returns when its first step began and when READY was delivered, from POST on.
func (s *service) makeOne(ctx context.Context, id string) (pickup, ready time.Duration, err error) {
	body, err := json.Marshal(stores.Request(id))
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := s.ask(ctx, http.DefaultClient, http.MethodPost, "", string(body)); err != nil {
		return 0, 0, err
	}
	if err := s.await(ctx, provision.StatusReady, id, 1); err != nil {
		return 0, 0, err
	}
	delivered, err := s.backend.delivered(provision.StatusReady, id)
	if err != nil {
		return 0, 0, err
	}
	text, err := get(ctx, s.api+"/stores/"+id)
	if err != nil {
		return 0, 0, err
	}
	var state provision.State
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return 0, 0, err
	}
	if len(state.Steps) == 0 {
		return 0, 0, errors.New("store " + id + " is READY and has no steps")
	}
	return state.Steps[0].At.Sub(begun), delivered[id].Sub(begun), nil
}
