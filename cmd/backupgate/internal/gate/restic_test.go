package gate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/provision/backup"
)

// servers start a real storage in append-only mode, with the user gate. rclone keeps what it gets in memory: like S3 that takes a file as a whole or not at all. On a disk it would
// write in place, and an old version's cleaning up after a file that was cut off may remove one that came after it; restic-rest-server renames.
var servers = map[string]func(ctx context.Context, dir, addr string) *exec.Cmd{
	"rclone": func(ctx context.Context, _, addr string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "rclone", "serve", "restic", "--append-only", "--addr", addr, "--cache-objects=false", "--config", os.DevNull, ":memory:backups")
		cmd.Env = append(os.Environ(), "RCLONE_USER=gate", "RCLONE_PASS="+storagePassword)
		return cmd
	},
	"restic-rest-server": func(ctx context.Context, dir, addr string) *exec.Cmd {
		return exec.CommandContext(ctx, "restic-rest-server", "--append-only", "--listen", addr, "--path", dir, "--htpasswd-file", filepath.Join(dir, ".htpasswd"))
	},
}

// need leaves a test out where a program is not installed.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("NOT RUN: %s is not installed: make tools", program)
	}
}

// startStorage returns the address of a real storage.
func startStorage(t *testing.T, program string) *url.URL {
	t.Helper()
	need(t, program)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".htpasswd"), []byte("gate:{SHA}Dm0kCUXlqr7g05YIyRx4Q0a6BFY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	ctx, stop := context.WithCancel(context.Background())
	var said safeBuffer
	cmd := servers[program](ctx, dir, addr)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { stop(); <-ended })
	for tried := time.NewTicker(20 * time.Millisecond); ; <-tried.C {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return &url.URL{Scheme: "http", Host: addr, User: url.UserPassword("gate", storagePassword)}
		}
		select {
		case <-ended:
			t.Fatalf("%s has ended: %s", program, &said)
		default:
		}
	}
}

// freeAddr is an address of loopback that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// shop is a store whose restic goes through the gate.
type shop struct {
	r        *rig
	label    string
	password string // of the repository
	address  string // of the repository, with credentials
}

func (r *rig) shop(label string) shop {
	return r.shopAs(label, label)
}

// shopAs has the credentials of one store and the path of another.
func (r *rig) shopAs(label, path string) shop {
	user := url.UserPassword(label, r.gate.Keys.GatePasswords("shops", label)[0])
	host := strings.TrimPrefix(r.url, "http://")
	return shop{r, label, r.gate.Keys.RepositoryPasswords("shops", label)[0], "rest:http://" + user.String() + "@" + host + backup.Path("shops", path)}
}

func (s shop) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "restic", args...)
	cmd.Env = append(os.Environ(), "RESTIC_REPOSITORY="+s.address, "RESTIC_PASSWORD="+s.password, "RESTIC_CACHE_DIR="+s.r.t.(*testing.T).TempDir())
	return cmd
}

func (s shop) restic(args ...string) string {
	s.r.t.Helper()
	out, err := s.command(s.r.t.Context(), args...).CombinedOutput()
	if err != nil {
		s.r.t.Fatalf("restic %s: %v\n%s\nthe gate says:\n%s", strings.Join(args, " "), err, out, s.r.log)
	}
	return string(out)
}

// refused runs restic until the gate has given this answer; restic itself may try again for minutes.
func (s shop) refused(code string, args ...string) {
	s.r.t.Helper()
	ctx, stop := context.WithTimeout(s.r.t.Context(), time.Minute)
	defer stop()
	seen := s.r.whenLogged(`"code":"`+code+`"`, stop)
	out, err := s.command(ctx, args...).CombinedOutput()
	if err == nil || !seen() {
		s.r.t.Errorf("restic %s: error %v, %s was answered: %t\n%s", strings.Join(args, " "), err, code, seen(), out)
	}
}

// watched is a log that calls a function once a line has a text.
type watched struct {
	safeBuffer
	mu   sync.Mutex
	want string
	call func()
	seen bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	if w.want != "" && !w.seen && bytes.Contains(p, []byte(w.want)) {
		w.seen = true
		w.call()
	}
	w.mu.Unlock()
	return w.safeBuffer.Write(p)
}

func (r *rig) whenLogged(want string, call func()) (seen func() bool) {
	w := r.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want, w.call, w.seen = want, call, false
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.seen
	}
}

// TestResticThroughTheGate: what a backup needs works on a real storage, and what would harm one does not.
func TestResticThroughTheGate(t *testing.T) {
	need(t, "restic")
	for program := range servers {
		t.Run(program, func(t *testing.T) {
			address := startStorage(t, program)
			r := newRig(t, newStorage(), func(c *Config) { c.Storage, c.MaxObject = address, 64<<20 })
			shop := r.shop(own)
			shop.restic("init")
			content := bytes.Repeat([]byte("an order\n"), 500_000)
			files := t.TempDir()
			if err := os.WriteFile(filepath.Join(files, "orders"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(files, "picture"), noise(3<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			shop.restic("backup", files)
			cmd := shop.command(t.Context(), "backup", "--stdin", "--stdin-filename", "dump.sql")
			cmd.Stdin = bytes.NewReader(content)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			shop.restic("check", "--read-data")
			if out := shop.restic("unlock"); strings.Contains(out, "error") {
				t.Error(out)
			}
			before := r.kept()

			shop.refused("403", "forget", "--keep-last", "1", "--group-by", "")
			shop.restic("unlock", "--remove-all") // restic was killed in the middle
			shop.refused("403", "forget", "latest", "--prune")
			shop.restic("unlock", "--remove-all")
			shop.refused("403", "key", "passwd", "--new-password-file", write(t, "another password"))
			shop.refused("401", "-r", r.shopAs(own, other).address, "init")
			shop.refused("401", "-r", r.shopAs(other, own).address, "snapshots")
			if code, text := r.send(http.MethodDelete, "", ""); code != 403 {
				t.Errorf("the repository as a whole is deleted: %d %s", code, text)
			}
			// What restic has added before it was refused, a key or a lock, is no harm.
			if after := r.kept(); slices.ContainsFunc(before, func(file string) bool { return !strings.HasPrefix(file, "locks/") && !slices.Contains(after, file) }) {
				t.Errorf("files are gone:\n%s\n\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}

			restored := t.TempDir()
			shop.restic("restore", "latest", "--path", files, "--target", restored, "--no-lock")
			if got, err := os.ReadFile(filepath.Join(restored, files, "orders")); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes are restored, want %d, error %v", len(got), len(content), err)
			}
			if out := shop.restic("snapshots", "--no-lock"); strings.Count(out, "\n") < 4 || !strings.Contains(out, "2 snapshots") {
				t.Errorf("%s", out)
			}
		})
	}
}

// TestARealStorageKeepsNothingOfAFileThatIsNotItsName: neither of one with other content, nor of one that was cut off; and what is there stays as it is.
func TestARealStorageKeepsNothingOfAFileThatIsNotItsName(t *testing.T) {
	for program := range servers {
		t.Run(program, func(t *testing.T) {
			address := startStorage(t, program)
			r := newRig(t, newStorage(), func(c *Config) { c.Storage, c.MaxObject = address, 64<<20 })
			if code, text := r.send(http.MethodPost, "?create=true", ""); code != 200 {
				t.Fatalf("%d %s", code, text)
			}
			for _, size := range []int{1, 100, 100_000, 20 << 20} {
				content := string(noise(size))
				for _, kind := range hashed {
					if code, text := r.send(http.MethodPost, kind+"/"+sum("another"), content); code != 400 || !strings.Contains(text, "is not its name") {
						t.Errorf("%d bytes of %s: %d %s", size, kind, code, text)
					}
				}
				request := r.request(http.MethodPost, "data/"+sum(content), io.MultiReader(strings.NewReader(content[:size/2]), failing{}))
				request.ContentLength = int64(size)
				if _, _, err := r.do(request); err == nil {
					t.Errorf("%d bytes, cut off: answered", size)
				}
				if code, text := r.send(http.MethodPost, "data/"+sum(content), content); code != 200 {
					t.Errorf("%d bytes, whole: %d %s", size, code, text)
				}
				if code, _ := r.send(http.MethodPost, "data/"+sum(content), content); code != 200 {
					t.Errorf("%d bytes, again: %d", size, code)
				}
				if code, got := r.send(http.MethodGet, "data/"+sum(content), ""); code != 200 || got != content {
					t.Errorf("%d bytes, read: %d, %d bytes", size, code, len(got))
				}
			}
			if files := r.kept(); len(files) != 4 {
				t.Errorf("it keeps %q, want 4 files of data", files)
			}
		})
	}
}

// kept are the files of the store's repository, config left out.
func (r *rig) kept() (files []string) {
	r.t.Helper()
	for _, kind := range hashed {
		request := r.request(http.MethodGet, kind+"/", nil)
		request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
		response, text, err := r.do(request)
		var items []struct{ Name string }
		if response.StatusCode == http.StatusOK {
			err = json.Unmarshal([]byte(text), &items)
		}
		if err != nil {
			r.t.Fatalf("%s: %d %q, error %v", kind, response.StatusCode, text, err)
		}
		for _, item := range items {
			files = append(files, kind+"/"+item.Name)
		}
	}
	return files
}

// noise does not compress, and is not the same twice.
func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
