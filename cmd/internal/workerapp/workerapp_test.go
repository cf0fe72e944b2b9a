package workerapp

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/charts"
	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/backup"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/engine"
	"orchestrator/worker"
	"orchestrator/worker/queue"
)

const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:1"}}],
"users":[{"name":"u","user":{}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`

// valid is a configuration without mistakes, in mock mode.
func valid() Config {
	return Config{
		Backend: "http://backend.test/api", Mock: true, AppEnv: "development", Verify: "pod",
		PollAttempts: 30, PollInterval: 10 * time.Second, DeleteTimeout: 10 * time.Minute,
		ProvisionSlots: 10, DeleteSlots: 10, CallbackSlots: 10, AuditRate: 1, BackupsAtOnce: 4, RestoreTestsAtOnce: 2, Drift: "report", QueuePoll: 10 * time.Millisecond,
	}
}

func common(redisURL string, clusters ...provision.Cluster) service.Common {
	return service.Common{
		Redis:             service.Redis{URL: redisURL},
		Tokens:            service.Tokens{Tokens: []string{"new", "old"}},
		GenerationTimeout: service.GenerationTimeout{Deadline: time.Hour},
		Clusters:          service.Clusters{Clusters: clusters},
	}
}

func TestConfigValidateReportsAllMistakesByVariable(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{
		Access:  Access{KubeconfigData: "!"},
		Backend: "backend.test", WebhookSecret: "whsec_short", BackendCA: "missing.pem", BackendKey: "missing.pem", AppEnv: "../secrets", Verify: "maybe", VerifyAddress: "shops:443", VerifyCA: "missing.pem", CreatorLimit: -1, Writes: -1, QueuePoll: time.Minute,
	}
	err := bad.Validate()
	for _, variable := range []string{"ORCH_KUBECONFIG_DATA", "BACKEND_API_BASE", "ORCH_WEBHOOK_SECRET", "ORCH_BACKEND_CA_FILE", "APP_ENV", "ORCH_VERIFY", "ORCH_VERIFY_ADDRESS", "ORCH_VERIFY_CA_FILE", "ORCH_POLL_ATTEMPTS",
		"ORCH_POLL_INTERVAL", "ORCH_DELETE_TIMEOUT", "ORCH_MAX_PER_CREATOR", "ORCH_CLUSTER_WRITES", "ORCH_PROVISION_CONCURRENCY", "ORCH_DELETE_CONCURRENCY",
		"ORCH_CALLBACK_CONCURRENCY", "ORCH_QUEUE_POLL"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not reported:\n%v", variable, err)
		}
	}
}

// TestConfigValidateTakesBackupsAsAWhole: what they need is set together, or not at all.
// TestConfigBackupsOnRequest: with a gate and slots, whatever the clock does.
func TestConfigBackupsOnRequest(t *testing.T) {
	for name, test := range map[string]struct {
		gate, mock bool
		slots      int
		want       bool
	}{
		"a gate":           {gate: true, slots: 1, want: true},
		"no gate":          {slots: 1},
		"a gate, no slots": {gate: true},
		"simulated":        {mock: true, slots: 1, want: true},
	} {
		c := Config{Mock: test.mock, MaintenanceSlots: test.slots}
		if test.gate {
			c.BackupGate = "https://gate.example.com"
		}
		if p := c.backups(); p.OnRequest != test.want || p.Any() != test.want {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestConfigValidateTakesBackupsAsAWhole(t *testing.T) {
	key := func(text string) (k backup.Keys) {
		if err := k.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return k
	}
	whole := valid()
	whole.Installation, whole.BackupEvery, whole.BackupGate = "prod", 24*time.Hour, "https://gate.example.com:9005/"
	whole.BackupKey, whole.BackupGateKey = key(strings.Repeat("k", 32)), key(strings.Repeat("g", 32))
	if err := whole.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"ORCH_BACKUP_GATE is missing":         func(c *Config) { c.BackupGate = "" },
		"ORCH_BACKUP_KEY is missing":          func(c *Config) { c.BackupKey = backup.Keys{} },
		"ORCH_BACKUP_GATE_KEY is missing":     func(c *Config) { c.BackupGateKey = backup.Keys{} },
		"have a key in common":                func(c *Config) { c.BackupGateKey = c.BackupKey },
		"ORCH_INSTALLATION is missing":        func(c *Config) { c.Installation = "" },
		"ORCH_BACKUP_EVERY is 1s":             func(c *Config) { c.BackupEvery = time.Second },
		"ORCH_RESTORE_TESTS_AT_ONCE is 0":     func(c *Config) { c.RestoreTestsAtOnce = 0 },
		"ORCH_RESTORE_TEST_EVERY is 1s":       func(c *Config) { c.RestoreTestEvery = time.Second },
		"ORCH_BACKUPS_AT_ONCE is 0":           func(c *Config) { c.BackupsAtOnce = 0 },
		"without a login or a path":           func(c *Config) { c.BackupGate = "https://user:hunter2@gate.example.com" },
		"ORCH_BACKUP_GATE_CA_FILE: open":      func(c *Config) { c.BackupGateCA = "missing.pem" },
		"has no certificate in PEM":           func(c *Config) { c.BackupGateCA = "workerapp.go" },
		"ORCH_BACKUP_GATE must be http(s)://": func(c *Config) { c.BackupGate = "gate.example.com/path" },
	} {
		c := whole
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "kkkk") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestConfigValidateReportsLimitsThatDoNotFitTogether(t *testing.T) {
	c := valid()
	c.PollAttempts = 100_000
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "ORCH_POLL_ATTEMPTS, ORCH_POLL_INTERVAL and ORCH_DELETE_TIMEOUT: ") {
		t.Error(err)
	}
}

func TestAccessKubeconfigText(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(kubeconfig))
	for _, data := range []string{kubeconfig, encoded, encoded[:40] + "\n" + encoded[40:] + "\n"} {
		if text, err := (Access{KubeconfigData: data}).kubeconfigText(); err != nil || string(text) != kubeconfig {
			t.Errorf("%.50q is read as %.50q, %v", data, text, err)
		}
	}
	if text, err := (Access{}).kubeconfigText(); err != nil || len(text) != 0 {
		t.Errorf("nothing is read as %q, %v", text, err)
	}
}

func TestAccessDescribe(t *testing.T) {
	api := &kube.APIServer{Server: "https://eks.test"}
	for want, c := range map[string]struct {
		access Access
		path   string
	}{
		"/a":                   {Access{KubeconfigData: kubeconfig, API: api}, "/a"},
		"ORCH_KUBECONFIG_DATA": {Access{KubeconfigData: kubeconfig, API: api}, ""},
		"https://eks.test":     {Access{API: api}, ""},
		"in-cluster":           {Access{}, ""},
	} {
		if got := c.access.describe(c.path); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOpenNamesTheVariableOfAMistake(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for what, c := range map[string]struct {
		change   func(*Config)
		clusters []provision.Cluster
		want     string
	}{
		"values":                    {func(c *Config) { c.ValuesFile = missing }, nil, "STORE_VALUES_FILE: "},
		"a key of no engine":        {func(c *Config) { c.ValuesFile = file(t, "wordpres: {replicas: 2}") }, nil, "STORE_VALUES_FILE: "},
		"a file":                    {func(c *Config) { c.Kubeconfig = missing }, nil, "KUBECONFIG: "},
		"the file of a cluster":     {func(*Config) {}, []provision.Cluster{{Name: "eu", Kubeconfig: missing}}, "ORCH_CLUSTERS: cluster eu: "},
		"a kubeconfig without host": {func(c *Config) { c.KubeconfigData = "kind: Config" }, nil, "ORCH_KUBECONFIG_DATA: "},
	} {
		config := valid()
		config.Mock = false
		c.change(&config)
		_, err := Open(t.Context(), common(redistest.Mini(t), c.clusters...), config, slog.New(slog.DiscardHandler))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func TestWorkerClusterVerifiesAsConfigured(t *testing.T) {
	config := valid()
	config.KubeconfigData = kubeconfig
	k, err := connectCluster(provision.Cluster{}, config, helm.Charts{FS: charts.FS}, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for verify, want := range map[string]struct{ pod, public bool }{"off": {}, "pod": {pod: true}, "public": {pod: true, public: true}} {
		runner := workerCluster("eu", k, worker.DefaultLimits(), Config{Verify: verify}, engine.PublicAccess{}).Runner.(*provision.Runner)
		if pod, public := runner.Shops != nil, runner.PublicClient != nil; pod != want.pod || public != want.public {
			t.Errorf("%s: over a port-forward %t, at the public URL %t", verify, pod, public)
		}
	}
}

func TestOpenServesEveryCluster(t *testing.T) {
	w, err := Open(t.Context(), common(redistest.Mini(t), provision.Cluster{Name: "eu"}, provision.Cluster{Name: "us"}), valid(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Cluster != "eu mock, us mock" {
		t.Errorf("it serves %q", w.Cluster)
	}
}

// A store goes the whole way from the request to the callback, through what Open has wired.
func TestOpenRunsAStore(t *testing.T) {
	type delivery struct{ path, token, signature, body string }
	delivered := make(chan delivery, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		delivered <- delivery{r.URL.Path, r.Header.Get("X-Orchestrator-Token"), r.Header.Get("webhook-signature"), body.String()}
	}))
	defer backend.Close()
	config, common := valid(), common(redistest.Mini(t))
	config.Backend, config.WebhookSecret = backend.URL, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))
	w, err := Open(t.Context(), common, config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	api, err := ingestapp.Open(common, ingestapp.Config{Timeout: 3 * time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	submit(t, api.Handler)
	select {
	case d := <-delivered:
		if d.path != "/api/stores/s/status" || d.token != "new" || !strings.HasPrefix(d.signature, "v1,") || !strings.Contains(d.body, `"READY"`) {
			t.Errorf("%+v", d)
		}
	case <-time.After(time.Minute):
		t.Fatal("no callback arrived")
	}
	if err := w.Check(ctx); err != nil {
		t.Error(err)
	}
}

// submit posts a store until it is accepted: a new Redis is unavailable until the worker has prepared it.
func submit(t *testing.T, handler http.Handler) {
	t.Helper()
	const body = `{"store_id":"s","name":"s","engine":"medusa","namespace":"store-s","host":"s.test","store_url":"https://s.test"}`
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for end := time.Now().Add(time.Minute); ; <-retry.C {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Orchestrator-Token", "old")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if answer.Code == http.StatusAccepted {
			return
		}
		if answer.Code != http.StatusServiceUnavailable || time.Now().After(end) {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
	}
}

func TestMain(m *testing.M) {
	os.Unsetenv("KUBERNETES_SERVICE_HOST") // a test in a pod must not use its service account
	os.Exit(m.Run())
}

func TestMistakesInValuesAreFoundTogether(t *testing.T) {
	config := valid()
	config.Mock, config.KubeconfigData = false, kubeconfig
	config.ValuesFile = file(t, "common: {mystery: 1}\nmedusa: {replicas: none}\nwordpress: {layout: odd}\nunknown: {}\n")
	_, err := config.charts()
	for _, want := range []string{"STORE_VALUES_FILE", "mystery", "/medusa/replicas", "/wordpress/layout", "unknown", "chart woocommerce", "chart medusa"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing: %v", want, err)
		}
	}
	config.ValuesFile = file(t, "wordpress: {replicas: 1}\nimages: {postgres: {tag: '17.9'}}\n")
	if _, err := config.charts(); err != nil {
		t.Errorf("one file for both engines: %v", err)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestRestoreTestsAreMadeOfBackupsThatAreMade: by the clock, and by a worker that has slots for them.
func TestRestoreTestsAreMadeOfBackupsThatAreMade(t *testing.T) {
	c := Config{BackupEvery: 24 * time.Hour, RestoreTestEvery: 2160 * time.Hour, RestoreTestsAtOnce: 2, MaintenanceSlots: 10}
	if p := c.restoreTests(); p.Kind != queue.RestoreTest || p.Every != c.RestoreTestEvery || p.AtOnce != 2 {
		t.Errorf("%+v", p)
	}
	for name, change := range map[string]func(*Config){
		"no backups":   func(c *Config) { c.BackupEvery = 0 },
		"no slots":     func(c *Config) { c.MaintenanceSlots = 0 },
		"switched off": func(c *Config) { c.RestoreTestEvery = 0 },
	} {
		c := c
		change(&c)
		if p := c.restoreTests(); p.Every != 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
