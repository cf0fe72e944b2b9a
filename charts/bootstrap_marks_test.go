package charts

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakePG is the part of node-postgres that run.js uses: the lock, and the table of marks in a file. While a file "broken" exists, no mark
// can be saved.
const fakePG = `
const fs = require("node:fs")
const load = () => (fs.existsSync("static/marks") ? JSON.parse(fs.readFileSync("static/marks", "utf8")) : null)
exports.Client = class {
  on() {}
  async connect() {}
  async end() {}
  async query(text, [step, inputs] = []) {
    if (/advisory_lock/.test(text)) return { rows: [{ got: true }] }
    if (/^select/.test(text)) {
      if (!load()) throw Object.assign(new Error("no table"), { code: "42P01" })
      return { rows: Object.entries(load()).map(([step, inputs]) => ({ step, inputs })) }
    }
    if (fs.existsSync("static/broken")) throw Object.assign(new Error("read only"), { code: "25006" })
    const marks = load() ?? {}
    if (/^insert/.test(text)) marks[step] = inputs
    fs.writeFileSync("static/marks", JSON.stringify(marks))
  }
}
`

// medusaShop is a folder with Medusa's code, as far as its bootstrap looks at it, and with the scripts where a mounted folder has them.
type medusaShop struct{ dir, scripts, valkey string }

func newMedusaShop(t *testing.T) *medusaShop {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &medusaShop{dir: t.TempDir(), valkey: listener.Addr().String()}
	s.write(t, "node_modules/pg/index.js", fakePG)
	s.write(t, "node_modules/pg/package.json", `{"version":"1"}`)
	s.write(t, "node_modules/@medusajs/cart/package.json", `{"version":"1"}`)
	s.write(t, "medusa-config.js", "// one")
	s.write(t, "static/picture.png", "one")
	s.mount(t)
	return s
}

func (s *medusaShop) write(t *testing.T, name, text string) {
	t.Helper()
	at := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mount puts the script where kubelet puts it: a link to a folder whose name is another one in each pod.
func (s *medusaShop) mount(t *testing.T) {
	t.Helper()
	real := t.TempDir()
	for _, name := range []string{"run.js", "bootstrap.sh"} {
		text, err := os.ReadFile(filepath.Join("store/medusa/bootstrap", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(real, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.scripts = t.TempDir()
	if err := os.Symlink(filepath.Join(real, "run.js"), filepath.Join(s.scripts, "run.js")); err != nil {
		t.Fatal(err)
	}
}

// start starts the bootstrap as a pod does and returns what it did: "nothing", or whether the migrations were left out.
func (s *medusaShop) start(t *testing.T, command string, env ...string) string {
	t.Helper()
	return s.run(t, []string{"sh", "-c", "echo did:$STORE_MIGRATED; " + command}, env...)
}

func (s *medusaShop) run(t *testing.T, args []string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(s.scripts, "run.js")}, args...)...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "REDIS_URL=redis://" + s.valkey, "STORE_ADMIN_PASSWORD=" + t.TempDir(), "STORE_TITLE=One"}, env...)
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case err != nil:
		return "failed"
	case strings.Contains(text, "did:yes"):
		return "settings"
	case strings.Contains(text, "did:no"):
		return "all"
	case strings.Contains(text, "did:"):
		return "the command alone"
	case strings.Contains(text, "nothing has changed"):
		return "nothing"
	default:
		t.Fatalf("the bootstrap printed %q", text)
		return ""
	}
}

// A restart closed the shop for as long as migrations and settings take, though nothing was to do.
func TestARestartOfMedusaDoesOnlyWhatIsToDo(t *testing.T) {
	s := newMedusaShop(t)
	expect := func(what, want string, env ...string) {
		t.Helper()
		if got := s.start(t, "true", env...); got != want {
			t.Errorf("%s: it did %s, want %s", what, got, want)
		}
	}
	if got := s.start(t, "exit 3"); got != "failed" {
		t.Errorf("a set-up that fails: %s", got)
	}
	expect("after one that failed", "all")
	expect("restarted", "nothing")
	s.mount(t)
	s.write(t, "static/picture.png", "another")
	expect("in another pod, with uploads", "nothing")
	expect("with another title", "settings", "STORE_TITLE=Two")
	expect("restarted with it", "nothing", "STORE_TITLE=Two")
	s.write(t, "medusa-config.js", "// two")
	expect("with other code", "all", "STORE_TITLE=Two")
	s.write(t, "node_modules/@medusajs/cart/package.json", `{"version":"2"}`)
	expect("with another version of a package", "all", "STORE_TITLE=Two")
	expect("with another feature flag", "all", "STORE_TITLE=Two", "MEDUSA_FF_RBAC=true")
	expect("restarted with it", "nothing", "STORE_TITLE=Two", "MEDUSA_FF_RBAC=true")
	always := s.run(t, []string{"--always", "sh", "-c", "echo did:$STORE_MIGRATED"}, "STORE_TITLE=Three")
	if always != "the command alone" {
		t.Errorf("with --always it did %s", always)
	}
	expect("after that, whose title has no mark", "settings", "STORE_TITLE=Three", "MEDUSA_FF_RBAC=true")
	s.write(t, "static/broken", "")
	expect("back, where no mark can be saved", "all")
	expect("restarted", "all")
}

// The settings alone need no migrations.
func TestTheMigrationsOfMedusaAreLeftOut(t *testing.T) {
	for migrated, want := range map[string]string{"yes": "exec", "no": "db:migrate exec"} {
		dir := t.TempDir()
		fake := "#!/bin/sh\nprintf '%s ' \"$1\" >>calls\n[ \"$1\" != exec ] || : >\"$STORE_SCRIPT_DONE\"\n"
		medusa := filepath.Join(dir, "node_modules/.bin/medusa")
		if err := os.MkdirAll(filepath.Dir(medusa), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(medusa, []byte(fake), 0o700); err != nil {
			t.Fatal(err)
		}
		script, err := filepath.Abs("store/medusa/bootstrap/bootstrap.sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "STORE_MIGRATED="+migrated)
		out, err := cmd.CombinedOutput()
		calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
		if got := strings.TrimSpace(string(calls)); err != nil || got != want {
			t.Errorf("migrated %s: called %q, want %q (%v %s)", migrated, got, want, err, out)
		}
	}
}
