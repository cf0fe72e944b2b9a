//go:build devcluster

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"orchestrator/provision"
)

// tinyEngine asks the shop for its first page.
type tinyEngine struct{}

func (tinyEngine) Release(s provision.Store) (provision.Release, error) {
	return tinyRelease(s, nil), nil
}

func (tinyEngine) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Outputs, error) {
	return provision.Outputs{"colour": "blue"}, tinyEngine{}.VerifyPublic(ctx, s, shop)
}

func (tinyEngine) VerifyPublic(ctx context.Context, s provision.Store, shop provision.Shop) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.StoreURL, nil)
	if err != nil {
		return err
	}
	res, err := shop.HTTP.Do(req)
	if err != nil {
		return provision.Wrap(provision.CodeUnavailable, err, "the shop does not answer")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return provision.Errorf(provision.CodeUnavailable, "the shop answers with %d", res.StatusCode)
	}
	return nil
}

func devRunner(c *Cluster) *provision.Runner {
	r := &provision.Runner{Engines: map[string]provision.Engine{"tiny": tinyEngine{}}, ReadinessTimeout: time.Minute, DeleteTimeout: 2 * time.Minute}
	c.Fill(r)
	return r
}

func TestRunnerFromProvisionToDelete(t *testing.T) {
	t.Parallel()
	c := watching(t, devCluster(t))
	r, s := devRunner(c), devStore(t, c)
	run := func(op provision.Op) {
		t.Helper()
		s.Generation++
		start, at, line := time.Now(), time.Now(), ""
		err := r.Run(t.Context(), op, s, func(step provision.Step) {
			if step.State != provision.StepStarted {
				line += fmt.Sprintf(" %s %dms", step.Name, time.Since(at).Milliseconds())
			}
			at = time.Now()
		})
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		t.Logf("%s took %s:%s", op, time.Since(start).Round(time.Millisecond), line)
	}
	run(provision.OpProvision)
	first, err := c.Credentials.Password(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	run(provision.OpProvision) // nothing to do
	if again, err := c.Credentials.Password(t.Context(), s); err != nil || again != first {
		t.Errorf("the password has changed, or error %v", err)
	}
	run(provision.OpDelete)
	run(provision.OpDelete) // nothing there
	run(provision.OpProvision)
	if again, err := c.Credentials.Password(t.Context(), s); err != nil || again == first {
		t.Errorf("a store that was deleted has its old password, or error %v", err)
	}
}

func TestRunnerProvisionsManyStoresAtOnce(t *testing.T) {
	t.Parallel()
	c := watching(t, devCluster(t))
	r := devRunner(c)
	var done sync.WaitGroup
	start := time.Now()
	const stores = 20
	for range stores {
		s := devStore(t, c)
		done.Go(func() {
			if err := r.Run(t.Context(), provision.OpProvision, s, func(provision.Step) {}); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	t.Logf("%d stores were ready after %s", stores, time.Since(start).Round(time.Millisecond))
}

func TestReleasesLeakNoGoroutines(t *testing.T) {
	c := devCluster(t)
	s := prepared(t, c)
	cycle := func() {
		apply(t, c, s, nil)
		if err := c.Releases.Remove(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // reads what is read once
	before, goroutines, start := allocated(), runtime.NumGoroutine(), time.Now()
	const cycles = 20
	for range cycles {
		cycle()
	}
	t.Logf("an install and an uninstall take %s and %d KB of garbage", (time.Since(start) / cycles).Round(time.Millisecond),
		(allocated()-before)/cycles>>10)
	if now := runtime.NumGoroutine(); now > goroutines+2 {
		t.Errorf("%d goroutines before, %d after", goroutines, now)
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
