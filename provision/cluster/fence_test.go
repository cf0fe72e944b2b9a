package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// lease is a fence that the test closes.
type lease struct {
	lost      atomic.Bool
	confirmed atomic.Int32
	refuse    error
}

func (l *lease) Check() error {
	if l.lost.Load() {
		return errors.New("the lease ran out")
	}
	return nil
}

func (l *lease) Confirm(context.Context) error {
	l.confirmed.Add(1)
	return l.refuse
}

// provisionSteps makes all writes of a provision, one after the other until one fails.
func provisionSteps(ctx context.Context, c *Cluster, s provision.Store) error {
	if _, err := c.Namespaces.Ensure(ctx, s); err != nil {
		return err
	}
	if err := c.Credentials.Ensure(ctx, s, tinyRelease(s, nil).Credentials); err != nil {
		return err
	}
	_, err := c.Releases.Apply(ctx, s, tinyRelease(s, nil))
	return err
}

func TestFenceBlocksEveryWriteAfterTheLeaseIsLost(t *testing.T) {
	s := testStore(1)
	all, c := newFakeAPI(t)
	if err := provisionSteps(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	// Namespace, secret, release record, four objects, record again, namespace again.
	if len(all.writes) != 9 {
		t.Fatalf("a provision makes the writes %q, want 9", all.writes)
	}
	for after := range len(all.writes) {
		api, c := newFakeAPI(t)
		held := &lease{}
		held.lost.Store(after == 0)
		api.before = func(method, _ string, writes int) int {
			if mutates(method) && writes == after {
				held.lost.Store(true)
			}
			return 0
		}
		err := provisionSteps(provision.WithFence(t.Context(), held), c, s)
		wantCode(t, err, provision.CodeUnavailable)
		if !strings.Contains(err.Error(), "lease") {
			t.Errorf("lost after %d writes: error %q does not say why", after, err)
		}
		if !slices.Equal(api.writes, all.writes[:after]) {
			t.Errorf("lost after %d writes, but there were %q", after, api.writes)
		}
		ctx := provision.WithFence(t.Context(), held)
		if _, err := c.api.Clientset.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); err != nil {
			t.Errorf("a read is refused, too: %v", err)
		}
		// The next run, which has the lease, continues from wherever this one was stopped.
		api.before = nil
		if err := provisionSteps(provision.WithFence(t.Context(), &lease{}), c, s); err != nil {
			t.Errorf("the run after a loss after %d writes: %v", after, err)
		}
		if last := lastRecord(t, c, s); last == nil || last.Info.Status != release.StatusDeployed {
			t.Errorf("the release is not deployed after a loss after %d writes", after)
		}
	}
}

func TestFenceBlocksARemoval(t *testing.T) {
	s := testStore(1)
	api, c := newFakeAPI(t)
	if err := provisionSteps(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	held := &lease{}
	held.lost.Store(true)
	ctx, before := provision.WithFence(t.Context(), held), len(api.writes)
	wantCode(t, c.Releases.Remove(ctx, s), provision.CodeUnavailable)
	wantCode(t, c.Namespaces.Remove(ctx, s), provision.CodeUnavailable)
	_, err := c.Namespaces.MarkDeleting(ctx, provision.OpDelete, s)
	wantCode(t, err, provision.CodeUnavailable)
	if len(api.writes) != before {
		t.Errorf("the removal wrote %q", api.writes[before:])
	}
}

func TestNamespacesEnsureConfirmsWithTheRecordBeforeCreate(t *testing.T) {
	s := testStore(1)
	api, c := newFakeAPI(t)
	refusing := &lease{refuse: provision.Errorf(provision.CodeSuperseded, "a newer request")}
	_, err := c.Namespaces.Ensure(provision.WithFence(t.Context(), refusing), s)
	wantCode(t, err, provision.CodeSuperseded)
	unreachable := &lease{refuse: errors.New("redis: connection refused")}
	_, err = c.Namespaces.Ensure(provision.WithFence(t.Context(), unreachable), s)
	wantCode(t, err, provision.CodeUnavailable)
	if len(api.writes) != 0 {
		t.Fatalf("writes %q", api.writes)
	}
	agreeing := &lease{}
	for range 2 {
		if _, err := c.Namespaces.Ensure(provision.WithFence(t.Context(), agreeing), s); err != nil {
			t.Fatal(err)
		}
	}
	if asked := agreeing.confirmed.Load(); asked != 1 {
		t.Errorf("the record was asked %d times, want once: before the create", asked)
	}
}

func TestReleasesApplyFinishesTheHelmCallAfterCancellation(t *testing.T) {
	s := testStore(1)
	api, c := newFakeAPI(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the process stops")
	api.before = func(method, path string, _ int) int {
		if method == http.MethodPost && strings.HasSuffix(path, "/configmaps") {
			cancel(stopped)
		}
		return 0
	}
	err := provisionSteps(ctx, c, s)
	if !errors.Is(err, stopped) {
		t.Errorf("error %v, want the context's cause", err)
	}
	if last := lastRecord(t, c, s); last == nil || last.Info.Status != release.StatusDeployed {
		t.Error("the running install was interrupted")
	}
}

func TestReleasesApplyFailsIfTheRecordIsNotWritten(t *testing.T) {
	s := testStore(1)
	api, c := newFakeAPI(t)
	api.before = func(method, path string, _ int) int {
		if method == http.MethodPut && strings.Contains(path, "sh.helm.release") {
			return http.StatusServiceUnavailable // Helm logs this and reports a success
		}
		return 0
	}
	wantCode(t, provisionSteps(t.Context(), c, s), provision.CodeUnavailable)
	api.before = nil
	if err := provisionSteps(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	if last := lastRecord(t, c, s); last.Info.Status != release.StatusDeployed || last.Version != 2 {
		t.Errorf("revision %d is %s, want 2 deployed", last.Version, last.Info.Status)
	}
}

func TestClusterStepsAreUnavailableWithoutAPIServer(t *testing.T) {
	s := testStore(1)
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		api, c := newFakeAPI(t)
		if err := provisionSteps(t.Context(), c, s); err != nil {
			t.Fatal(err)
		}
		start(t, c)
		api.answer(func(string, string, int) int { return status })
		_, ensured := c.Namespaces.Ensure(t.Context(), s)
		_, marked := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s)
		_, applied := c.Releases.Apply(t.Context(), s, tinyRelease(s, nil))
		_, password := c.Credentials.Password(t.Context(), s)
		_, _, opened := c.Shops.Open(t.Context(), s)
		for name, err := range map[string]error{
			"ensure": ensured, "mark": marked, "apply": applied, "password": password, "open": opened,
			"credentials": c.Credentials.Ensure(t.Context(), s, nil), "release": c.Releases.Remove(t.Context(), s),
			"volumes": c.Volumes.Remove(t.Context(), s), "namespace": c.Namespaces.Remove(t.Context(), s),
			"ready": c.Readiness.Wait(t.Context(), s, noon),
		} {
			if provision.CodeOf(err) != provision.CodeUnavailable {
				t.Errorf("%d: %s: %v has the code %s", status, name, err, provision.CodeOf(err))
			}
		}
	}
}

// records are the release records of the store, read with the test's own client.
func records(c *Cluster, s provision.Store) *storage.Storage {
	return storage.Init(driver.NewSecrets(c.api.Clientset.CoreV1().Secrets(s.Namespace)))
}

// lastRecord is the newest release record; nil if there is none.
func lastRecord(t *testing.T, c *Cluster, s provision.Store) *release.Release {
	t.Helper()
	last, err := records(c, s).Last(s.Name)
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		t.Fatal(err)
	}
	return last
}
