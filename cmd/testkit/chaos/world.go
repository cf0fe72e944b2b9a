package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// object holds the fields of a Kubernetes object that are compared.
type object struct {
	Metadata struct {
		Name, Namespace   string
		Labels            map[string]string
		Annotations       map[string]string
		DeletionTimestamp string
	}
	Spec struct {
		VolumeName string
		ClaimRef   struct{ Namespace string }
		Rules      []struct{ Host string }
	}
	Data map[string]string
}

// world is the state of the cluster and of Redis at one time.
type world struct {
	stores map[string]*model.Found
	queues map[string]int64 // number of live tasks, by list
}

// observe reads the state of all stores from the API server and Redis, not through the proxies.
func observe(ctx context.Context, r *rig.Rig, ids []string) (world, error) {
	w := world{stores: map[string]*model.Found{}, queues: map[string]int64{}}
	for _, id := range ids {
		w.stores[id] = &model.Found{}
	}
	for _, kind := range []struct {
		path string
		note func(*model.Found, object)
	}{
		{"/api/v1/namespaces", noteNamespace},
		{"/api/v1/secrets?fieldSelector=type%3Dhelm.sh/release.v1", noteRevision},
		{"/api/v1/secrets?fieldSelector=metadata.name%3D" + provision.CredentialsSecret, notePassword},
		{"/api/v1/configmaps?labelSelector=" + provision.LabelStore, noteSettings},
		{"/apis/networking.k8s.io/v1/ingresses", noteIngress},
		{"/api/v1/persistentvolumeclaims", noteClaim},
		{"/api/v1/persistentvolumes", noteVolume},
	} {
		for _, c := range r.Clusters {
			var list struct{ Items []object }
			if err := c.Kube.Get(ctx, kind.path, &list); err != nil {
				return w, err
			}
			for _, o := range list.Items {
				if found := w.stores[ownerOf(o)]; found != nil {
					kind.note(found, o)
				}
			}
		}
	}
	return w, w.observeRedis(ctx, r, ids)
}

// ownerOf is the store whose namespace the object is, is in, or names.
func ownerOf(o object) string {
	for _, namespace := range []string{o.Metadata.Namespace, o.Spec.ClaimRef.Namespace, o.Metadata.Name} {
		if id, found := strings.CutPrefix(namespace, "store-"); found {
			return id
		}
	}
	return ""
}

func noteNamespace(f *model.Found, o object) {
	f.Namespace = &model.Namespace{Label: o.Metadata.Labels[provision.LabelStore], StoreID: o.Metadata.Annotations["orchestrator/store-id"],
		Generation: whole(o.Metadata.Annotations["orchestrator/generation"]), Op: provision.Op(o.Metadata.Annotations["orchestrator/op"]),
		Delivered: o.Metadata.Annotations["orchestrator/delivered"], Terminating: o.Metadata.DeletionTimestamp != ""}
}

func noteRevision(f *model.Found, o object) {
	f.Revisions = append(f.Revisions, o.Metadata.Labels["status"])
}

func notePassword(f *model.Found, o object) {
	password, _ := base64.StdEncoding.DecodeString(o.Data[provision.AdminPassword])
	f.Password, f.Rotated = string(password), whole(o.Metadata.Annotations["orchestrator/rotated"])
	_, f.Rotating = o.Data[provision.AdminPassword+provision.NextSuffix]
}

func noteSettings(f *model.Found, o object) {
	if strings.HasSuffix(o.Metadata.Name, "-settings") {
		f.Title, f.URL = o.Data["STORE_TITLE"], o.Data["STORE_URL"]
	}
}

func noteIngress(f *model.Found, o object) {
	for _, rule := range o.Spec.Rules {
		f.Hosts = append(f.Hosts, rule.Host)
	}
}

func noteClaim(f *model.Found, o object) {
	f.Claims++
	if o.Spec.VolumeName == "" {
		f.Unbound++
	}
}

func noteVolume(f *model.Found, _ object) { f.Volumes++ }

// observeRedis reads records and indexes by the keys that docs/redis.md lists, without the code that writes them.
func (w world) observeRedis(ctx context.Context, r *rig.Rig, ids []string) error {
	c := r.Redis.Client
	for _, id := range ids {
		f, err := c.HGetAll(ctx, "{orch}:store:"+id).Result()
		if err != nil {
			return err
		}
		record := &w.stores[id].Record
		*record = model.Record{Generation: whole(f["generation"]), Op: provision.Op(f["op"]), Digest: f["digest"], Status: provision.Status(f["status"]),
			Decided: f["generation"] != "" && f["outcome_generation"] == f["generation"], Deleting: whole(f["open_delete"]) > 0}
		record.PendingCallbacks = int(c.HLen(ctx, "{orch}:callbacks:"+id).Val())
		record.Lease = c.Exists(ctx, "{orch}:run-lease:"+id).Val() > 0
		record.Claim = c.Exists(ctx, "{orch}:callback-lease:"+id).Val() > 0
		record.Outstanding = c.ZScore(ctx, "{orch}:outstanding", id).Err() == nil
	}
	for host, id := range c.HGetAll(ctx, "{orch}:hosts").Val() {
		if found := w.stores[id]; found != nil { // else it is another installation's, and its record is found to be one too many
			found.OwnedHosts = append(found.OwnedHosts, host)
		}
	}
	for namespace, id := range c.HGetAll(ctx, "{orch}:namespaces").Val() {
		if found := w.stores[id]; found != nil {
			found.OwnedNamespaces = append(found.OwnedNamespaces, namespace)
		}
	}
	for letter := range c.HGetAll(ctx, "{orch}:dead-letters").Val() {
		if found := w.stores[letter[strings.LastIndex(letter, ".")+1:]]; found != nil {
			found.DeadLetters++
		}
	}
	for _, found := range w.stores {
		slices.Sort(found.OwnedHosts)
	}
	return w.observeQueues(ctx, r)
}

func (w world) observeQueues(ctx context.Context, r *rig.Rig) error {
	for _, queue := range r.Clusters.Queues() {
		base := "asynq:{" + queue + "}:"
		for _, list := range []string{"pending", "active"} {
			w.queues[base+list] = r.Redis.Client.LLen(ctx, base+list).Val()
		}
		for _, set := range []string{"scheduled", "retry"} {
			w.queues[base+set] = r.Redis.Client.ZCard(ctx, base+set).Val()
		}
	}
	return r.Redis.Client.Ping(ctx).Err()
}

func whole(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// compareAll compares every installation with what was requested of it, and with what it must not touch.
func compareAll(ctx context.Context, installations []installation) ([]model.Finding, error) {
	var all []model.Finding
	for _, one := range installations {
		found, err := compare(ctx, one.rig, one.clients)
		if err != nil {
			return nil, err
		}
		crossed, err := crossings(ctx, one)
		if err != nil {
			return nil, err
		}
		all = append(append(all, found...), crossed...)
	}
	return all, nil
}

// crossings are what an installation has touched of another one.
func crossings(ctx context.Context, one installation) ([]model.Finding, error) {
	touched := model.Installation{Name: one.rig.Name, Stores: map[string]bool{}, Told: one.rig.Backend.Stores(), Written: one.rig.Watch.Written()}
	for _, c := range one.clients {
		touched.Stores[c.id] = true
	}
	var err error
	touched.Records, err = one.rig.Redis.Stores(ctx)
	return touched.Crossed(), err
}

// compare compares the state of all stores with what was requested of them.
func compare(ctx context.Context, r *rig.Rig, clients []*client) ([]model.Finding, error) {
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.id)
	}
	w, err := observe(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	var all []model.Finding
	for _, c := range clients {
		history := c.history()
		history.Found = *w.stores[c.id]
		all = append(all, model.Compare(history)...)
	}
	for list, n := range w.queues {
		if n > 0 {
			all = append(all, model.Finding{Kind: model.Stuck, Store: "-", Expected: "no task is left in a queue", Found: fmt.Sprintf("%d tasks in %s", n, list)})
		}
	}
	return all, nil
}

// violations are what the proxies observed.
func violations(r *rig.Rig) []model.Finding {
	var all []model.Finding
	seen, _ := r.Watch.Found()
	for _, text := range seen {
		all = append(all, model.Finding{Kind: model.Wrong, Store: "-", Expected: "a store has one run at a time, and a run does not write after another has begun", Found: text})
	}
	return all
}
