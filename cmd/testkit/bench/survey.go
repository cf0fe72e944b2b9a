package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// surveyed measures how long a worker takes to put the stores of a cluster on record, after a loss of Redis. The stores are namespaces like that of one
// which was made.
func (b *bench) surveyed(ctx context.Context) error {
	return b.onCluster(ctx, "0s", func(s *service, c *rig.Cluster) error {
		if err := s.submit(ctx, "model-", 1); err != nil {
			return err
		}
		model := stores.Request(stores.ID("model-", 0))
		if err := s.awaitSaved(ctx, c.Kube, model); err != nil {
			return err
		}
		s.stopWorkers()
		if err := multiply(ctx, c.Kube, model, b.survey); err != nil {
			return err
		}
		if err := s.redis.Lose(ctx); err != nil {
			return err
		}
		begun := time.Now()
		if err := s.startWorkers(1); err != nil {
			return err
		}
		if err := s.ready(ctx); err != nil {
			return err
		}
		took, u := time.Since(begun), s.used()["worker"]
		known, err := s.redis.Stores(ctx)
		if err != nil || len(known) != b.survey+1 {
			return errors.Join(fmt.Errorf("%d stores are on record, and the cluster has %d", len(known), b.survey+1), err)
		}
		b.note("%d stores in the cluster and none on record: requests are accepted %.1f s after the worker's start, which has used %.1f s of CPU and %.0f MB at most", b.survey, took.Seconds(), u.cpu, u.peak)
		return nil
	})
}

// namespace is as much of one as is copied.
type namespace struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// awaitSaved waits until the cluster knows that READY was delivered, which a worker writes down after that.
func (s *service) awaitSaved(ctx context.Context, k *kube.Client, r provision.Request) error {
	return s.until(ctx, func() (string, bool, error) {
		var ns namespace
		err := k.Get(ctx, "/api/v1/namespaces/"+r.Namespace, &ns)
		return "namespace " + r.Namespace + " does not say that READY was delivered", ns.Metadata.Annotations["orchestrator/delivered"] != "", err
	})
}

// multiply makes namespaces of stores like the model, without releases.
func multiply(ctx context.Context, k *kube.Client, r provision.Request, n int) error {
	var model namespace
	if err := k.Get(ctx, "/api/v1/namespaces/"+r.Namespace, &model); err != nil {
		return err
	}
	delete(model.Metadata.Labels, "kubernetes.io/metadata.name") // the API server sets it
	text, err := json.Marshal(model)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	for i := range n {
		group.Go(func() error {
			id := stores.ID("copy-", i)
			copied := strings.ReplaceAll(string(text), r.StoreID, id)
			copied = strings.ReplaceAll(copied, provision.StoreLabel(r.StoreID), provision.StoreLabel(id))
			return create(ctx, k, []byte(copied))
		})
	}
	return group.Wait()
}

func create(ctx context.Context, k *kube.Client, ns []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.Server()+"/api/v1/namespaces", bytes.NewReader(ns))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: k.Transport()}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("create a namespace: %s: %s", resp.Status, text)
	}
	return err
}
