//go:build devcluster

package cluster

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"orchestrator/provision"
)

func TestReadinessWaitsForTheLatestRollout(t *testing.T) {
	t.Parallel()
	c := watching(t, devCluster(t))
	s := prepared(t, c)
	for _, message := range []string{"one", "two", "two", "three"} {
		at := apply(t, c, s, map[string]any{"message": message})
		if err := c.Readiness.Wait(t.Context(), s, at.Add(time.Minute)); err != nil {
			t.Fatalf("%s: %v", message, err)
		}
		d, err := c.api.Clientset.AppsV1().Deployments(s.Namespace).Get(t.Context(), s.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if now := d.Status; now.ObservedGeneration < d.Generation || now.UpdatedReplicas != 1 || now.Replicas != 1 || now.AvailableReplicas != 1 {
			t.Errorf("%s: called ready with generation %d and %+v", message, d.Generation, now)
		}
	}
	// A run that starts after the deadline still finds the store ready.
	if err := c.Readiness.Wait(t.Context(), s, time.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
}

// fastClock runs that many times as fast as the machine's, so that what lasts for minutes is seen in seconds.
type fastClock struct {
	clock.RealClock
	start time.Time
	times time.Duration
}

func (c fastClock) Now() time.Time                         { return c.start.Add(c.times * time.Since(c.start)) }
func (c fastClock) Since(t time.Time) time.Duration        { return c.Now().Sub(t) }
func (c fastClock) NewTimer(d time.Duration) clock.Timer   { return c.RealClock.NewTimer(d / c.times) }
func (c fastClock) After(d time.Duration) <-chan time.Time { return c.RealClock.After(d / c.times) }

func TestReadinessNamesTheProblem(t *testing.T) {
	t.Parallel()
	cfg := devConfig(t)
	fast := fastClock{start: time.Now(), times: 10}
	cfg.Clock = fast
	connected, err := Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := watching(t, connected)
	outcome := func(word string) map[string]any {
		return map[string]any{"setup": true, "podAnnotations": map[string]any{"devcluster/outcome": word}}
	}
	noPods := func(t *testing.T, s provision.Store) {
		forbid(t, c, s, "pods")
	}
	nothing := func(*testing.T, provision.Store) {}
	cases := []struct {
		name   string
		before func(*testing.T, provision.Store)
		values map[string]any
		budget time.Duration
		code   provision.Code
		says   string
		from   time.Duration // the earliest time to report it
	}{
		{"image", nothing, outcome("image"), 20 * time.Minute, provision.CodeImage, `image "registry.example/tiny:1" not found`, 60 * time.Second},
		{"image of an init container", nothing, outcome("init-image"), 20 * time.Minute, provision.CodeImage, `not found`, 60 * time.Second},
		{"crash", nothing, outcome("crash"), 20 * time.Minute, provision.CodeCrash, "container web ended", 0},
		{"crash of an init container", nothing, outcome("init-crash"), 20 * time.Minute, provision.CodeCrash, "container setup ended", 0},
		{"quota", noPods, nil, 20 * time.Minute, provision.CodeQuota, "exceeded quota: none", 29 * time.Second},
		{"no node", nothing, map[string]any{"nodeSelector": map[string]any{"no": "where"}}, 2 * time.Minute, provision.CodeUnschedulable, "no node can run it", 2 * time.Minute},
		{"no volume", nothing, map[string]any{"storageClass": "missing"}, 2 * time.Minute, provision.CodeVolume, `volume claim data-shop-db-0: is not bound: storageclass.storage.k8s.io "missing" not found`, 2 * time.Minute},
		{"slow", nothing, outcome("never"), 2 * time.Minute, provision.CodeTimeout, "deployment shop: 0 of 1 pods available; pod shop-", 2 * time.Minute},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := prepared(t, c)
			tc.before(t, s)
			apply(t, c, s, tc.values)
			start := fast.Now()
			err := c.Readiness.Wait(t.Context(), s, start.Add(tc.budget))
			took := fast.Since(start)
			wantCode(t, err, tc.code)
			t.Logf("%s: %s", took.Round(time.Second), provision.Public(err))
			if !strings.Contains(provision.Public(err), tc.says) {
				t.Errorf("%q does not say %q", provision.Public(err), tc.says)
			}
			latest := tc.budget // a final problem does not wait for the deadline
			if tc.from >= tc.budget {
				latest = 2 * tc.budget
			}
			if took < tc.from || took > latest {
				t.Errorf("it was reported after %s, want %s to %s", took, tc.from, latest)
			}
		})
	}
}

func TestReadinessIgnoresPodsOfAnOlderRevision(t *testing.T) {
	t.Parallel()
	c := watching(t, devCluster(t))
	s := prepared(t, c)
	apply(t, c, s, map[string]any{"podAnnotations": map[string]any{"devcluster/outcome": "crash"}})
	wantCode(t, c.Readiness.Wait(t.Context(), s, time.Now().Add(time.Minute)), provision.CodeCrash)
	apply(t, c, s, nil)
	if err := c.Readiness.Wait(t.Context(), s, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}
