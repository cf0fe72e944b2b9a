package record

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// wantOwners checks which stores own hosts or namespaces, given as "host=store"; the store is empty if there is no owner.
func (b *bench) wantOwners(index string, want ...string) {
	b.Helper()
	for _, pair := range want {
		key, id, _ := strings.Cut(pair, "=")
		if got := b.owner(index, key); got != id {
			b.Errorf("%s belongs to %q, want %q", key, got, id)
		}
	}
}

func TestAcceptRefusesTheHostAndNamespaceOfAnotherStore(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		if got := b.refused(onHost(request("b"), "a.example.com")); !strings.HasPrefix(got, "host is in use") {
			b.Errorf("the host of another store: %q", got)
		}
		sameNamespace := request("b")
		sameNamespace.Namespace = "store-a"
		if got := b.refused(sameNamespace); !strings.HasPrefix(got, "namespace is in use") {
			b.Errorf("the namespace of another store: %q", got)
		}
		if n := b.redis.Exists(b.ctx, keyStore("b")).Val(); n != 0 || b.owner(keyHosts, "b.example.com") != "" {
			b.Error("a refused request left something behind")
		}
	})
}

func TestRecordOutcomeDELETEDReleasesOwners(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		del := b.accept(deletion("a"))
		b.refused(onHost(request("b"), "a.example.com"))
		b.end(del, provision.StatusDeleteFailed)
		b.refused(onHost(request("b"), "a.example.com"))
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.wantOwners(keyHosts, "a.example.com=")
		b.wantOwners(keyNamespaces, "store-a=")
		req := onHost(request("b"), "a.example.com")
		req.Namespace = "store-a"
		b.accept(req)
		b.refused(request("a"))
	})
}

func TestRecordOutcomeREADYReleasesOldHosts(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.end(b.accept(onHost(request("a"), "two.example.com")), provision.StatusFailed)
		third := b.accept(onHost(request("a"), "three.example.com"))
		b.wantOwners(keyHosts, "a.example.com=a", "two.example.com=a", "three.example.com=a")
		b.refused(onHost(request("b"), "a.example.com"))
		b.end(third, provision.StatusReady)
		b.wantOwners(keyHosts, "a.example.com=", "two.example.com=", "three.example.com=a")
		b.accept(onHost(request("b"), "a.example.com"))
		b.refused(request("a")) // its own first host is another store's now
	})
}

func TestRecordOutcomeREADYKeepsAHostTakenBack(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.accept(onHost(request("a"), "two.example.com"))
		b.end(b.accept(request("a")), provision.StatusReady)
		b.wantOwners(keyHosts, "a.example.com=a", "two.example.com=")
	})
}

func TestRecordOutcomeDELETEDKeepsTheOwnersOfAWaitingProvision(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		del := b.accept(deletion("a"))
		b.accept(onHost(request("a"), "two.example.com"))
		b.end(del, provision.StatusDeleted)
		b.wantOwners(keyHosts, "a.example.com=", "two.example.com=a")
		b.wantOwners(keyNamespaces, "store-a=a")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.wantOwners(keyHosts, "two.example.com=")
		b.wantOwners(keyNamespaces, "store-a=")
	})
}

func TestRecordOutcomeDELETEDReleasesTheHostsOfSupersededProvisions(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		b.accept(onHost(request("a"), "two.example.com"))
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.wantOwners(keyHosts, "a.example.com=", "two.example.com=")
	})
}

func TestAcceptOwnsOnlyTheNewestHostAndThoseOfRuns(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		for n := range 300 {
			b.accept(onHost(request("a"), fmt.Sprintf("n%d.example.com", n)))
		}
		want := map[string]string{"a.example.com": "a", "n299.example.com": "a"}
		if diff := cmp.Diff(want, b.redis.HGetAll(b.ctx, keyHosts).Val()); diff != "" {
			b.Error("owners after 300 requests that no run took up: ", diff)
		}
		b.accept(onHost(request("b"), "n298.example.com"))
	})
}

func TestAcceptRefusesAHostOnceRunsHadTooMany(t *testing.T) {
	each(t, func(b *bench) {
		var last queue.Task
		for n := range 20 {
			last = b.accept(onHost(request("a"), fmt.Sprintf("n%d.example.com", n)))
			b.release(b.acquire(last, "run"), RunEnd{})
		}
		if got := b.refused(onHost(request("a"), "more.example.com")); !strings.Contains(got, "was run with 20 hosts since it was last READY") {
			b.Errorf("one host more: %q", got)
		}
		b.wantOwners(keyHosts, "n0.example.com=a", "n19.example.com=a", "more.example.com=")
		back := b.accept(onHost(request("a"), "n3.example.com"))
		b.end(back, provision.StatusReady)
		b.wantOwners(keyHosts, "n3.example.com=a", "n0.example.com=", "n19.example.com=")
		b.accept(onHost(request("a"), "more.example.com"))
	})
}
