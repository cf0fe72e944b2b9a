package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/cmd/orchestrator/internal/state"
)

// TestMain lets the test binary act as one of the service's programs if it is called by that program's name.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "ingest":
		program(name, os.Getenv("ORCH_ADDR"))
	case "worker":
		program(name, os.Getenv("ORCH_WORKER_ADMIN_ADDR"))
	case "monitor":
		program(name, os.Getenv("ORCH_MONITOR_ADDR"))
	case "devcluster":
		fmt.Printf("starting\nready KUBECONFIG=%s/kubeconfig\n", os.Args[3])
		program(name, "127.0.0.1:0")
	default:
		goleak.VerifyTestMain(m)
	}
}

// program answers 200 to every request until SIGTERM, and writes its environment, process id and end into the folder DIARY.
func program(name, addr string) {
	diary := os.Getenv("DIARY")
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM)
	_ = os.WriteFile(filepath.Join(diary, name+".env"), []byte(strings.Join(os.Environ(), "\n")+"\n"), 0o600)
	_ = os.WriteFile(filepath.Join(diary, name+".args"), []byte(strings.Join(os.Args, "\n")+"\n"), 0o600)
	_ = os.WriteFile(filepath.Join(diary, name+".pid"), fmt.Append(nil, os.Getpid()), 0o600)
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	}()
	<-ends
	f, _ := os.OpenFile(filepath.Join(diary, "ends"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	fmt.Fprintln(f, name)
	f.Close()
}

type rig struct {
	options Options
	diary   string
	mu      sync.Mutex
	printed []string
}

func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printed = append(r.printed, fmt.Sprintf(format, args...))
}

func (r *rig) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.printed, "\n")
}

func (r *rig) file(name string) string {
	text, _ := os.ReadFile(filepath.Join(r.diary, name))
	return string(text)
}

// newRig puts these programs into one folder and uses this environment.
func newRig(t *testing.T, environment map[string]string, programs ...string) *rig {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range programs {
		if err := os.Symlink(exe, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := state.Dir(t.TempDir()).Make()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{diary: t.TempDir()}
	t.Setenv("DIARY", r.diary)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each program takes a second to end
	r.options = Options{Dir: dir, Bin: bin, Redis: "embedded", AutoPort: true, Getenv: func(name string) string { return environment[name] },
		Print: r.note, Warn: r.note}
	return r
}

func (r *rig) start(t *testing.T) *Service {
	t.Helper()
	s, err := Start(context.Background(), r.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a test may have stopped it
		if _, err := os.Stat(r.options.Dir.ClientFile()); err == nil {
			s.Stop()
		}
	})
	return s
}

func TestStartAndStopInOrder(t *testing.T) {
	r := newRig(t, nil, "ingest", "worker", "monitor", "devcluster")
	s := r.start(t)
	for _, part := range []string{"redis     embedded", "cluster   devcluster", "simulated pods", "backend   http://127.0.0.1:", "ingest    http", "worker    http", "monitor   http"} {
		if !strings.Contains(r.all(), part) {
			t.Errorf("%q is not printed:\n%s", part, r.all())
		}
	}
	left, err := r.options.Dir.ReadClient()
	if err != nil || left.URL != s.API.URL() || left.Token != s.Secrets.Token {
		t.Errorf("%+v, %v", left, err)
	}
	s.Stop()
	if got := r.file("ends"); got != "ingest\nworker\nmonitor\ndevcluster\n" {
		t.Errorf("ended in the order %q", got)
	}
	if _, err := r.options.Dir.ReadClient(); err == nil {
		t.Error("the client file still exists")
	}
	if _, err := os.Stat(r.options.Dir.Path("redis", "embedded.snapshot")); err != nil {
		t.Errorf("Redis has stored nothing: %v", err)
	}
}

func TestStartPassesSettingsByTheEnvironment(t *testing.T) {
	r := newRig(t, nil, "ingest", "worker", "monitor", "devcluster")
	s := r.start(t)
	want := map[string][]string{
		"ingest":  {"REDIS_URL=redis://", "ORCHESTRATOR_TOKEN=" + s.Secrets.Token},
		"worker":  {"REDIS_URL=redis://", "ORCHESTRATOR_TOKEN=" + s.Secrets.Token, "BACKEND_API_BASE=" + s.BackendURL(), "ORCH_WEBHOOK_SECRET=whsec_", "KUBECONFIG=" + r.options.Dir.Path("devcluster", "kubeconfig")},
		"monitor": {"REDIS_URL=redis://", "ORCH_MONITOR_USER=admin", "ORCH_MONITOR_PASSWORD=" + s.Secrets.MonitorPassword},
	}
	for name, variables := range want {
		for _, v := range variables {
			if !strings.Contains("\n"+r.file(name+".env"), "\n"+v) {
				t.Errorf("%s has no %s", name, v)
			}
		}
		if args := strings.TrimSpace(r.file(name + ".args")); strings.Contains(args, "\n") {
			t.Errorf("%s has arguments: %q", name, args)
		}
	}
}

func TestStartWithoutAClusterOrAMonitor(t *testing.T) {
	r := newRig(t, map[string]string{"ORCH_MOCK": "1"}, "ingest", "worker")
	s := r.start(t)
	if s.Kubeconfig != "" || s.MonitorURL != "" || !strings.Contains(r.all(), "none (ORCH_MOCK)") || !strings.Contains(r.all(), "not started") {
		t.Errorf("%+v\n%s", s.Options, r.all())
	}
}

func TestStartUsesWhatTheEnvironmentNames(t *testing.T) {
	r := newRig(t, map[string]string{"KUBECONFIG": "/given", "BACKEND_API_BASE": "http://backend.example/api", "ORCHESTRATOR_TOKEN": "a,b"}, "ingest", "worker")
	s := r.start(t)
	if s.Backend != nil || s.OwnCluster || !strings.Contains(r.file("worker.env"), "\nBACKEND_API_BASE=http://backend.example/api\n") ||
		!strings.Contains(r.file("worker.env"), "\nKUBECONFIG=/given\n") || !strings.Contains(r.file("ingest.env"), "\nORCHESTRATOR_TOKEN=a,b\n") {
		t.Errorf("%s\n%s", r.all(), r.file("worker.env"))
	}
}

func TestServiceRestartsAKilledWorker(t *testing.T) {
	r := newRig(t, map[string]string{"ORCH_MOCK": "1"}, "ingest", "worker")
	r.start(t)
	first := r.file("worker.pid")
	kill(t, first)
	for end := time.Now().Add(10 * time.Second); r.file("worker.pid") == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is not started again: " + r.all())
		}
	}
	if !strings.Contains(r.all(), "worker died (signal: killed) and is started again") {
		t.Error(r.all())
	}
}

func TestServiceFailsWithItsCluster(t *testing.T) {
	r := newRig(t, nil, "ingest", "worker", "devcluster")
	s := r.start(t)
	kill(t, r.file("devcluster.pid"))
	if err := <-s.Failed(); !strings.Contains(err.Error(), "devcluster died: signal: killed") {
		t.Error(err)
	}
}

func kill(t *testing.T, pid string) {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil || n < 2 {
		t.Fatalf("process id %q: %v", pid, err)
	}
	_ = syscall.Kill(n, syscall.SIGKILL)
}

func TestStartReportsWhatIsMissing(t *testing.T) {
	tests := []struct {
		environment map[string]string
		programs    []string
		want        string
	}{
		{nil, []string{"ingest"}, "worker is missing: build it"},
		{nil, []string{"ingest", "worker"}, "devcluster is missing"},
		{map[string]string{"REDIS_URL": "redis://127.0.0.1:1", "ORCH_MOCK": "1"}, []string{"ingest", "worker"}, "no Redis answers"},
	}
	for _, test := range tests {
		r := newRig(t, test.environment, test.programs...)
		if test.environment != nil {
			r.options.Redis = "auto"
		}
		if _, err := Start(context.Background(), r.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
		release, err := r.options.Dir.Lock()
		if err != nil {
			t.Fatalf("the folder is still locked: %v", err)
		}
		release()
	}
}

func TestChooseAddressesReportsAllThatAreTaken(t *testing.T) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	taken := one.Addr().String()
	environment := map[string]string{"ORCH_ADDR": taken, "ORCH_MONITOR_ADDR": taken}
	_, err = chooseAddresses(true, func(name string) string { return environment[name] })
	for _, want := range []string{"cannot listen on these addresses:\n  " + taken, "  ORCH_ADDR  ", "  ORCH_MONITOR_ADDR  ", "address already in use", "--ports auto"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing: %v", want, err)
		}
	}
}

func TestChooseAddressesTakesDifferentFreePorts(t *testing.T) {
	p, err := chooseAddresses(true, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, one := range p.all() {
		if seen[one.hostPort] || strings.HasSuffix(one.hostPort, ":0") {
			t.Errorf("%+v", p)
		}
		seen[one.hostPort] = true
	}
}

func TestAddressURLIsForThisMachine(t *testing.T) {
	for hostPort, want := range map[string]string{
		":9000": "http://127.0.0.1:9000", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:1": "http://127.0.0.1:1", "[::1]:1": "http://[::1]:1", "host:1": "http://host:1",
	} {
		if got := (address{hostPort: hostPort}).url(); got != want {
			t.Errorf("%s: %s, want %s", hostPort, got, want)
		}
	}
}
