package gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"orchestrator/provision"
	"orchestrator/provision/backup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key             = "0123456789abcdef0123456789abcdef"
	storagePassword = "the-storages-password"
)

// own and other are labels of two stores of the installation shops.
var own, other = provision.StoreLabel("own"), provision.StoreLabel("other")

func keys(t testing.TB, text string) backup.Keys {
	t.Helper()
	keys, err := backup.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// storage is a restic REST server below /base/, in memory.
type storage struct {
	appendOnly bool
	instead    http.HandlerFunc // answers in its place

	mu    sync.Mutex
	files map[string][]byte // by path below /base
	asked []string          // method and path, with the query
	seen  []http.Header
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimPrefix(r.Method+" "+r.URL.RequestURI(), ""))
	s.seen = append(s.seen, r.Header.Clone())
	s.mu.Unlock()
	if s.instead != nil {
		s.instead(w, r)
		return
	}
	if user, password, _ := r.BasicAuth(); user != "gate" || password != storagePassword {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/base")
	switch {
	case !ok:
		http.Error(w, "not below /base", http.StatusNotFound)
	case r.Method == http.MethodPost && strings.HasSuffix(name, "/"):
		return
	case r.Method == http.MethodPost:
		s.post(w, r, name)
	case strings.HasSuffix(name, "/"):
		s.list(w, name)
	default:
		s.file(w, r, name)
	}
}

func (s *storage) post(w http.ResponseWriter, r *http.Request, name string) {
	content, err := io.ReadAll(r.Body)
	if err != nil || int64(len(content)) != r.ContentLength {
		http.Error(w, "cut off", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] != nil && s.appendOnly {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	s.files[name] = content
}

func (s *storage) list(w http.ResponseWriter, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type item struct {
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	items := []item{}
	for file, content := range s.files {
		if path.Dir(file)+"/" == name {
			items = append(items, item{path.Base(file), len(content)})
		}
	}
	w.Header().Set("Content-Type", "application/vnd.x.restic.rest.v2")
	_ = json.NewEncoder(w).Encode(items)
}

func (s *storage) file(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.files[name]
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodDelete:
		delete(s.files, name)
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// keeps are the paths of all files.
func (s *storage) keeps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.files))
}

// wasAsked returns what it was asked since the last call.
func (s *storage) wasAsked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// safeBuffer is a log that several requests write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rig is a gate before a storage, and a client of it.
type rig struct {
	t       testing.TB
	storage *storage
	url     string
	client  *http.Client
	log     *safeBuffer
	watched *watched
	reg     *prometheus.Registry
	gate    *Gate
}

func newStorage() *storage { return &storage{appendOnly: true, files: map[string][]byte{}} }

// newRig starts both on loopback.
func newRig(t testing.TB, s *storage, change func(*Config)) *rig {
	t.Helper()
	behind := httptest.NewServer(s)
	t.Cleanup(behind.Close)
	address, err := url.Parse(behind.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("gate", storagePassword)
	transport := Transport(10)
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{Keys: keys(t, key), Storage: address, MaxObject: 1 << 20, AtOnce: 10, PerStore: 10, Stall: time.Minute, Transport: transport}
	if change != nil {
		change(&c)
	}
	r := &rig{t: t, storage: s, watched: &watched{}, reg: prometheus.NewRegistry()}
	r.log = &r.watched.safeBuffer
	r.gate = New(c, r.reg, slog.New(slog.NewJSONHandler(r.watched, &slog.HandlerOptions{Level: slog.LevelDebug})))
	front := httptest.NewServer(r.gate)
	t.Cleanup(front.Close)
	r.url, r.client = front.URL, front.Client()
	return r
}

// request is one of the store's own client, below its repository.
func (r *rig) request(method, below string, body io.Reader) *http.Request {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+backup.Path("shops", own)+below, body)
	if err != nil {
		r.t.Fatal(err)
	}
	request.SetBasicAuth(own, r.gate.Keys.GatePasswords("shops", own)[0])
	return request
}

// answer is what is left of a response whose body was read.
type answer struct {
	StatusCode int
	Header     http.Header
}

// do sends a request and returns the answer and its text, as far as it goes; of a connection that breaks before that, an empty one.
func (r *rig) do(request *http.Request) (answer, string, error) {
	r.t.Helper()
	response, err := r.client.Do(request)
	if err != nil {
		return answer{}, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header}, string(text), err
}

// send is do of a request of the store's own client.
func (r *rig) send(method, below, body string) (int, string) {
	r.t.Helper()
	response, text, err := r.do(r.request(method, below, strings.NewReader(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, text
}

func sum(content string) string {
	hash := sha256.Sum256([]byte(content))
	return hex.EncodeToString(hash[:])
}
