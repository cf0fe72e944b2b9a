package charts

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
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
    if (/pg_class/.test(text)) return { rows: load() ? [{}] : [] }
    if (/^select/.test(text)) {
      if (!load()) throw Object.assign(new Error("no table"), { code: "42P01" })
      return { rows: Object.entries(load()).map(([step, inputs]) => ({ step, inputs })) }
    }
    if (fs.existsSync("static/broken")) throw Object.assign(new Error("read only"), { code: "25006" })
    const marks = load() ?? {}
    if (/^insert/.test(text)) marks[step] = inputs
    if (/^delete .*'restored'/.test(text)) delete marks.restored
    fs.writeFileSync("static/marks", JSON.stringify(marks))
  }
}
`

// fakeMedusa is the part of Medusa that start.js uses. Its start loads and then listens, unless a setting says what else it does.
var fakeMedusa = map[string]string{
	"@medusajs/medusa/package.json":     `{"version":"1"}`,
	"@medusajs/medusa/loaders/index.js": `exports.default = async () => ({ container: {} })`,
	"@medusajs/medusa/commands/start.js": `
const loaders = require("../loaders/index.js")
exports.default = async () => {
  if (process.env.STORE_TITLE === "another start") return
  if (process.env.STORE_TITLE === "no configuration") process.exit()
  await loaders.default({})
  console.log("did:listen")
  process.exit(0)
}`,
	"@medusajs/cli/cli.js":        `console.log("did:" + process.argv.slice(2).join(" ")); process.exit(process.env.STORE_TITLE === "no migrations" ? 4 : 0)`,
	"@medusajs/cart/package.json": `{"version":"1"}`,
	"pg/index.js":                 fakePG,
	"pg/package.json":             `{"version":"1"}`,
}

// fakeSetUp stands for bootstrap.js, which needs all of Medusa.
const fakeSetUp = `exports.bootstrap = async () => {
  console.log("did:settings")
  if (process.env.STORE_TITLE === "broken") throw new Error("no shop with " + process.env.STORE_ADMIN_PASSWORD)
}`

// medusaShop is a folder with Medusa's code, as far as its start looks at it, and with the scripts where a mounted folder has them.
type medusaShop struct{ dir, scripts, valkey string }

func newMedusaShop(t *testing.T) *medusaShop {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &medusaShop{dir: t.TempDir(), valkey: listener.Addr().String()}
	for name, text := range fakeMedusa {
		s.write(t, "node_modules/"+name, text)
	}
	s.write(t, "medusa-config.js", "// one")
	s.write(t, "static/picture.png", "one")
	s.mount(t)
	return s
}

func (s *medusaShop) write(t *testing.T, name, text string) {
	t.Helper()
	write(t, filepath.Join(s.dir, name), text)
}

func write(t *testing.T, at, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mount puts the scripts where kubelet puts them: links to a folder whose name is another one in each pod.
func (s *medusaShop) mount(t *testing.T) {
	t.Helper()
	names, err := filepath.Glob("store/medusa/bootstrap/*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	real := t.TempDir()
	s.scripts = t.TempDir()
	for _, name := range names {
		text := readText(t, name)
		if filepath.Base(name) == "bootstrap.js" {
			text = fakeSetUp
		}
		write(t, filepath.Join(real, filepath.Base(name)), text)
		if err := os.Symlink(filepath.Join(real, filepath.Base(name)), filepath.Join(s.scripts, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
}

// start starts the shop as a pod does and returns what it did, and all that it printed.
func (s *medusaShop) start(t *testing.T, env ...string) (did, printed string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(s.scripts, "start.js"))
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "REDIS_URL=redis://" + s.valkey, "STORE_ADMIN_PASSWORD=" + ownersPassword, "STORE_TITLE=One"}, env...)
	out, err := cmd.CombinedOutput()
	var steps []string
	for _, line := range strings.Split(string(out), "\n") {
		if step, ok := strings.CutPrefix(line, "did:"); ok {
			steps = append(steps, step)
		}
	}
	if err != nil {
		steps = append(steps, err.Error())
	}
	return strings.Join(steps, ", "), string(out)
}

const (
	ownersPassword = "the-password-of-the-owner"
	didMigrations  = "db:migrate --execute-safe-links, settings, listen"
	didSettings    = "settings, listen"
	didNothing     = "listen"
)

// A restart closed the shop for as long as migrations and settings take, though nothing was to do.
func TestARestartOfMedusaDoesOnlyWhatIsToDo(t *testing.T) {
	s := newMedusaShop(t)
	expect := func(what, want string, env ...string) {
		t.Helper()
		if got, printed := s.start(t, env...); got != want {
			t.Errorf("%s: it did %q, want %q; it printed %s", what, got, want, printed)
		}
	}
	expect("migrations that fail", "db:migrate --execute-safe-links, exit status 4", "STORE_TITLE=no migrations")
	expect("a set-up that fails", "db:migrate --execute-safe-links, settings, exit status 1", "STORE_TITLE=broken")
	expect("after one that failed, whose migrations did not", didSettings)
	expect("restarted", didNothing)
	s.mount(t)
	s.write(t, "static/picture.png", "another")
	s.write(t, "prepared/schema.sql", "another")
	expect("in another pod, with uploads", didNothing)
	expect("with another password, which is for a new shop", didNothing, "STORE_ADMIN_PASSWORD=another-password")
	expect("with another title", didSettings, "STORE_TITLE=Two")
	expect("restarted with it", didNothing, "STORE_TITLE=Two")
	s.write(t, "medusa-config.js", "// two")
	expect("with other code", didMigrations, "STORE_TITLE=Two")
	s.write(t, "node_modules/@medusajs/cart/package.json", `{"version":"2"}`)
	expect("with another version of a package", didMigrations, "STORE_TITLE=Two")
	expect("with another feature flag", didMigrations, "STORE_TITLE=Two", "MEDUSA_FF_RBAC=true")
	expect("restarted with it", didNothing, "STORE_TITLE=Two", "MEDUSA_FF_RBAC=true")
	s.write(t, "static/broken", "")
	expect("back, where no mark can be saved", didMigrations)
	expect("restarted", didMigrations)
}

// A shop that is not set up must not be reachable, and its pod must not look as if it had come to a good end.
func TestAShopOfMedusaThatIsNotSetUpDoesNotListen(t *testing.T) {
	for title, why := range map[string]string{
		"broken":           "while setting the shop up: Error: no shop with ***",
		"another start":    "starts in another way",
		"no configuration": "",
	} {
		got, printed := newMedusaShop(t).start(t, "STORE_TITLE="+title)
		if !strings.HasSuffix(got, "exit status 1") || strings.Contains(got, "listen") || !strings.Contains(printed, why) || strings.Contains(printed, ownersPassword) {
			t.Errorf("%s: it did %q and printed %s", title, got, printed)
		}
	}
}

// TestARestoredMedusaStartsWithoutTheJobsOfBefore: they belong to another state of the database. It is done once, and a start that cannot do it does not listen.
func TestARestoredMedusaStartsWithoutTheJobsOfBefore(t *testing.T) {
	s := newMedusaShop(t)
	if got, printed := s.start(t); got != didMigrations {
		t.Fatalf("it did %q and printed %s", got, printed)
	}
	marks := map[string]string{}
	if err := json.Unmarshal([]byte(readText(t, filepath.Join(s.dir, "static/marks"))), &marks); err != nil {
		t.Fatal(err)
	}
	marks["restored"] = "a-run"
	text, err := json.Marshal(marks)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "static/marks", string(text))
	valkey := &fakeValkey{}
	redis := "REDIS_URL=redis://:the-password@" + valkey.listen(t) + "/0"
	for what, answer := range map[string]string{"a wrong password": "-WRONGPASS\r\n", "an end": ""} {
		valkey.answer.Store(&answer)
		if got, printed := s.start(t, redis); got != "exit status 1" || !strings.Contains(printed, "Valkey was not emptied") {
			t.Errorf("%s: it did %q and printed %s", what, got, printed)
		}
	}
	well := "+OK\r\n+OK\r\n"
	valkey.answer.Store(&well)
	if got, printed := s.start(t, redis); got != didNothing || !strings.Contains(printed, "what Valkey held of before is gone") {
		t.Errorf("restored it did %q and printed %s", got, printed)
	}
	if want := "*2\r\n$4\r\nAUTH\r\n$12\r\nthe-password\r\n*1\r\n$8\r\nFLUSHALL\r\n"; *valkey.asked.Load() != want {
		t.Errorf("Valkey was sent %q, want %q", *valkey.asked.Load(), want)
	}
	if got, printed := s.start(t, redis); got != didNothing || strings.Contains(printed, "Valkey held") {
		t.Errorf("restarted it did %q and printed %s", got, printed)
	}
}

// fakeValkey keeps what was sent to it last, gives its answer to it, and closes the connection.
type fakeValkey struct{ answer, asked atomic.Pointer[string] }

func (v *fakeValkey) listen(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			v.serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-served
	})
	return listener.Addr().String()
}

// serve: a connection that sends nothing has only looked whether something listens.
func (v *fakeValkey) serve(conn net.Conn) {
	defer conn.Close()
	sent := make([]byte, 4096)
	if n, err := conn.Read(sent); err == nil {
		asked := string(sent[:n])
		v.asked.Store(&asked)
		_, _ = conn.Write([]byte(*v.answer.Load()))
	}
}
