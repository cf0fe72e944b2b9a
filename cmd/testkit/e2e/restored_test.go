//go:build realcluster

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/cmd/internal/process"
	"orchestrator/provision"
)

// keysOfBackups are those of the stores' repositories and of the gate.
var keysOfBackups = [2]string{"e2e-repositories-0123456789abcdef0123", "e2e-gate-0123456789abcdef0123456789"}

// TestStoresAreRestored: a namespace that is deleted by hand, with all its volumes, comes back with what was sold, the owner's picture and the password; a shop in which something
// went wrong goes back to a moment before, with another password.
func TestStoresAreRestored(t *testing.T) {
	o, err := optionsOf(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if o.backupGate == "" {
		t.Skip("LEFT OUT: BACKUP_GATE names no address of this machine that pods reach")
	}
	r := &report{}
	for _, engine := range o.engines {
		if shoppers[engine] != nil {
			t.Run(engine, func(t *testing.T) { restored(t, o, r, engine) })
		}
	}
	r.print(os.Stdout)
}

func restored(t *testing.T, o options, r *report, engine string) {
	backsUpTo(t, &o)
	tr := newTour(t, o, r, engine)
	tr.worker = tr.start("worker")
	tr.phase("POST to READY", tr.create)
	tr.order = tr.guestOrders()
	tr.phase("the owner logs in", tr.ownerLogsIn)
	sold := time.Now()
	tr.phase("backed up", func() string { return tr.backedUp(sold) })
	first := tr.state(tr.store.StoreID).Backup.Run
	tr.phase("the backup is tested beside the store", tr.tested)
	tr.phase("the namespace is deleted, and restored", func() string {
		tr.loseNamespace()
		return tr.restoredFrom("--backup", first)
	})
	tr.phase("the cluster is wiped, and the store restored", func() string {
		if o.wipeCluster == "" {
			return "LEFT OUT: WIPE_CLUSTER names no command"
		}
		if out, err := exec.Command("sh", "-c", o.wipeCluster).CombinedOutput(); err != nil {
			t.Fatalf("WIPE_CLUSTER: %v\n%s", err, out)
		}
		if !tr.gone(tr.store.Namespace) {
			t.Fatal("WIPE_CLUSTER has left the store's namespace")
		}
		// Its watches go on from a version that the new cluster has yet to come to, and hear nothing until then.
		tr.worker.end(syscall.SIGTERM)
		tr.worker = tr.start("worker")
		return tr.restoredFrom("--backup", first)
	})
	tr.phase("a guest orders", func() string { return "order " + tr.guestOrders() })
	tr.phase("back to before that, with another password", func() string {
		before := tr.password
		steps := tr.restoredFrom("--backup", first, "--new-password")
		if tr.password == before {
			t.Fatal("the password is the one of before")
		}
		return steps
	})
	tr.phase("DELETE to DELETED", tr.remove)
}

// backsUpTo starts a gate, and the storage behind it.
func backsUpTo(t *testing.T, o *options) {
	t.Helper()
	storage, gate := freeAddr(t), net.JoinHostPort(o.backupGate, portOf(t, freeAddr(t)))
	run := func(path string, env []string, args ...string) {
		t.Helper()
		var said bytes.Buffer
		p, err := process.Start(process.Spec{Name: filepath.Base(path), Path: path, Args: args, Env: append(os.Environ(), env...), Output: &said})
		if err != nil {
			t.Fatalf("BACKUP_SERVER: %v", err)
		}
		t.Cleanup(func() {
			p.Kill()
			<-p.Done()
			if t.Failed() {
				t.Logf("log of %s:\n%s", p.Name, said.String())
			}
		})
	}
	run(o.backupServer, nil, "--listen", storage, "--path", t.TempDir(), "--append-only", "--no-auth")
	run(must(t, "ORCH_TEST_BIN")+"/backupgate", []string{"ORCH_BACKUP_GATE_ADDR=" + gate, "ORCH_BACKUP_GATE_ADMIN_ADDR=127.0.0.1:0", "ORCH_BACKUP_GATE_KEY=" + keysOfBackups[1],
		"ORCH_BACKUP_STORAGE=http://gate:none@" + storage + "/"})
	port, _ := strconv.Atoi(portOf(t, gate))
	o.env = []string{"ORCH_BACKUP_GATE=http://" + gate, "ORCH_BACKUP_GATE_KEY=" + keysOfBackups[1], "ORCH_BACKUP_KEY=" + keysOfBackups[0], "ORCH_BACKUP_EVERY=1m", "ORCH_RESTORE_TEST_EVERY=1m"}
	o.values = chartutil.MergeTables(map[string]any{"common": map[string]any{"backup": map[string]any{"gate": map[string]any{"port": port, "cidrs": []any{o.backupGate + "/32"}}}}}, o.values)
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// backedUp waits for a backup that began after this. Meanwhile a visitor looks at the shop, which must not notice.
func (tr *tour) backedUp(after time.Time) string {
	t := tr.rig.t
	t.Helper()
	v := tr.visit()
	var slowest time.Duration
	asked := 0
	tr.eventually("a backup is made", tr.options.timeout, func() bool {
		begun := time.Now()
		if a := v.ask(http.MethodGet, alive[tr.store.Engine], nil); a.status != http.StatusOK {
			t.Fatalf("while it is backed up the shop answers %d", a.status)
		}
		slowest, asked = max(slowest, time.Since(begun)), asked+1
		time.Sleep(100 * time.Millisecond)
		s := tr.state(tr.store.StoreID)
		if s.BackupFailure != nil {
			t.Fatalf("the backup has failed: %s", s.BackupFailure.Error)
		}
		return s.Backup != nil && s.Backup.At.After(after)
	})
	b := tr.state(tr.store.StoreID).Backup
	if b.Orders < 1 || b.Products < 1 || b.Files == "" || b.Database == "" {
		t.Fatalf("the backup is %+v", b)
	}
	return fmt.Sprintf("%d orders, %d products, %d files, %d KiB read and %d KiB added in %d s; of %d looks at the shop the slowest took %.1f s", b.Orders, b.Products, b.Number, b.Bytes>>10, b.Added>>10, b.Seconds, asked, slowest.Seconds())
}

// loseNamespace deletes all of the store that is in the cluster.
func (tr *tour) loseNamespace() {
	t := tr.rig.t
	t.Helper()
	tr.reborn = true
	if err := tr.k.CoreV1().Namespaces().Delete(context.Background(), tr.store.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.eventually("the namespace is gone", tr.options.timeout, func() bool {
		time.Sleep(200 * time.Millisecond)
		return tr.gone(tr.store.Namespace)
	})
}

// restoredFrom asks for a restore by the command line; afterwards the order of the backup is the only one, and picture and password are there.
func (tr *tour) restoredFrom(args ...string) string {
	t := tr.rig.t
	t.Helper()
	tr.cli(append([]string{"restore", tr.store.StoreID, "--yes"}, args...)...)
	generation := tr.state(tr.store.StoreID).Generation
	var steps string
	tr.password, steps = tr.awaitReady(generation)
	if !strings.Contains(steps, provision.StepRestore) {
		t.Fatalf("the steps are %s", steps)
	}
	tr.awaitWay()
	tr.asBefore()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	if found := tr.shopper.orders(owner); len(found) != 1 {
		t.Fatalf("the orders are %v, want the one of the backup", found)
	}
	return steps + "; order, picture and password are there"
}
