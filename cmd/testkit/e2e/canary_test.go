//go:build devcluster

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/backup"
)

// canaries are the secrets of one installation and its stores, by what they are.
type canaries map[string]string

// foundIn names the secrets that a text has, as they are or encoded.
func (c canaries) foundIn(text string) (found []string) {
	for name, secret := range c {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret)} {
			if strings.Contains(text, form) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

// surface is a place where a secret could be seen. Its sign is a text that is there, wherever possible one that the test has planted
// by the name of its store: a surface without it was not really read.
type surface struct{ name, text, sign string }

// No password, token or key is to be seen anywhere but where it belongs: the store's own Secret, the backend's own callback. Everything
// that shows anything is read, after stores that succeeded, and one whose READY the backend refused with an echo of the whole request.
func TestSecretsAreNowhereToBeSeen(t *testing.T) {
	t.Parallel()
	c := &canaryRig{t: t, world: newWorld(t), secrets: canaries{"token": token}}
	c.start()
	mark := "canary-" + strings.ToLower(rand.Text()[:8])
	refused, ready := c.store(mark, "woocommerce"), c.store(mark+"-b", "medusa")
	c.backend.refuse(refused.StoreID)
	c.submit(refused)
	c.submit(ready)
	c.awaitStatus(ready.StoreID, provision.StatusReady, 1)
	c.eventually("READY of the first store is a dead letter", soonEnough, func() bool { return c.state(refused.StoreID).DeadLetterID != "" })
	c.eventually("the second store is backed up", 3*soonEnough, func() bool { return c.state(ready.StoreID).BackupFailure != nil }) // simulated pods leave nothing
	for _, s := range []provision.Request{refused, ready} {
		c.passwordsOfBackups(s)
		for key, value := range c.credentials(s).Data {
			if len(value) >= 12 && key != "publishable-key" { // the others are names, and a key that storefronts show
				c.secrets[s.Engine+"'s "+key] = string(value)
			}
		}
	}
	if len(c.secrets) < 12 {
		t.Fatalf("only %d secrets are known", len(c.secrets))
	}
	surfaces := c.surfaces(mark, refused)
	for _, s := range surfaces {
		if found := c.secrets.foundIn(s.text); len(found) > 0 {
			t.Errorf("%s shows the %s", s.name, strings.Join(found, ", "))
		}
		if !strings.Contains(s.text, s.sign) {
			t.Errorf("%s was not really read: it does not have %q in its %d characters", s.name, s.sign, len(s.text))
		}
	}
	for _, callback := range c.backend.of(ready.StoreID) {
		text, _ := json.Marshal(callback)
		own := c.secrets["medusa's "+provision.AdminPassword]
		if found := c.secrets.foundIn(strings.ReplaceAll(string(text), own, "")); len(found) > 0 {
			t.Errorf("a callback of store %s has the %s", ready.StoreID, strings.Join(found, ", "))
		}
	}
	t.Logf("%d secrets, %d surfaces", len(c.secrets), len(surfaces))
}

func TestASecretIsFoundInAnyForm(t *testing.T) {
	c := canaries{"password": "s3cr&t/word"}
	for _, text := range []string{"x s3cr&t/word y", "a=s3cr%26t%2Fword", "czNjciZ0L3dvcmQ="} {
		if found := c.foundIn(text); len(found) != 1 {
			t.Errorf("in %q: %v", text, found)
		}
	}
	if found := c.foundIn("s3cr&t"); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

// canaryRig is an installation with a secret wherever there can be one.
type canaryRig struct {
	*rig
	world
	t                              *testing.T
	secrets                        canaries
	ingestAdmin, workerAdmin, site string
	programs                       map[string]*program
}

func (c *canaryRig) start() {
	c.t.Helper()
	secret := func(name string) string {
		c.secrets[name] = strings.ToLower(rand.Text())
		return c.secrets[name]
	}
	database := redistest.Real(c.t)
	client := redis.NewClient(redisOptions(c.t, database))
	defer client.Close()
	password := secret("Redis password")
	if err := client.ConfigSet(context.Background(), "requirepass", password).Err(); err != nil {
		c.t.Fatal(err)
	}
	tokens := filepath.Join(c.t.TempDir(), "tokens")
	hash := sha256.Sum256([]byte(secret("named token")))
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "reader read %x\n", hash), 0o600); err != nil {
		c.t.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString([]byte(secret("webhook secret") + "-padding"))
	c.secrets["webhook secret as it is set"] = key
	c.ingestAdmin, c.workerAdmin, c.site = freeAddr(c.t), freeAddr(c.t), freeAddr(c.t)
	u, err := url.Parse(database)
	if err != nil {
		c.t.Fatal(err)
	}
	u.User = url.UserPassword("", password)
	c.rig = newRig(c.t, "REDIS_URL="+u.String(), "ORCH_WEBHOOK_SECRET=whsec_"+key, "ORCH_TOKENS_FILE="+tokens, "ORCH_LOG_LEVEL=debug",
		"ORCH_INGEST_ADMIN_ADDR="+c.ingestAdmin, "ORCH_WORKER_ADMIN_ADDR="+c.workerAdmin, "ORCH_MONITOR_ADDR="+c.site,
		"ORCH_MONITOR_USER=operator", "ORCH_MONITOR_PASSWORD="+secret("monitor password"), "ORCH_BACKUP_GATE=https://gate.example.com", "ORCH_BACKUP_EVERY=1m",
		"ORCH_BACKUP_KEY="+secret("key of backups")+strings.Repeat("-", 16), "ORCH_BACKUP_GATE_KEY="+secret("key of the gate")+strings.Repeat("+", 16))
	c.redis = u.String()
	c.programs = map[string]*program{"ingest": c.ingest, "worker": c.rig.start("worker"), "monitor": c.rig.start("monitor")}
}

// passwordsOfBackups are those that open the store's repository and the gate.
func (c *canaryRig) passwordsOfBackups(s provision.Request) {
	c.t.Helper()
	of := func(variable string) (found string) {
		for _, entry := range c.env {
			if text, ok := strings.CutPrefix(entry, variable+"="); ok {
				found = text
			}
		}
		return found
	}
	for name, derive := range map[string]func(backup.Keys, string, string) []string{"KEY": backup.Keys.RepositoryPasswords, "GATE_KEY": backup.Keys.GatePasswords} {
		keys, err := backup.ParseKeys(of("ORCH_BACKUP_" + name))
		if err != nil {
			c.t.Fatal(err)
		}
		c.secrets[s.Engine+"'s password by ORCH_BACKUP_"+name] = derive(keys, of("ORCH_INSTALLATION"), provision.StoreLabel(s.StoreID))[0]
	}
}

func (c *canaryRig) store(id, engine string) provision.Request {
	return provision.Request{StoreID: id, Name: id, Engine: engine, Namespace: "store-" + id, Host: id + ".localhost",
		StoreURL: "https://" + id + ".localhost", CreatorID: id, Action: provision.OpProvision}
}

// surfaces reads everything that shows anything. It ends the programs, to read their logs.
func (c *canaryRig) surfaces(mark string, s provision.Request) (all []surface) {
	add := func(name, sign, text string) { all = append(all, surface{name, text, sign}) }
	add("Redis", mark, c.dump())
	for name, addr := range map[string]string{"ingest": c.ingestAdmin, "worker": c.workerAdmin} {
		add("metrics of "+name, "orchestrator_", c.get("http://"+addr+"/metrics", nil))
		for profile, sign := range map[string]string{"cmdline": name, "goroutine?debug=2": "goroutine ", "heap?debug=1": "heap profile: "} {
			add("pprof of "+name+": "+profile, sign, c.get("http://"+addr+"/debug/pprof/"+profile, nil))
		}
	}
	session := logIn(c.t, "http://"+c.site, "operator", c.secrets["monitor password"])
	login := func(r *http.Request) { r.AddCookie(session) }
	for path, sign := range map[string]string{"/queues/api/queues": "provision", "/queues/api/servers": "servers", "/queues/api/redis_info": "redis", "/queues/": "html",
		"/queues/api/queues/provision/completed_tasks": mark, "/": "Overview", "/stores": mark, "/stores/" + mark: "[hidden]", "/stores/" + mark + "-b": "delivered", "/dead-letters": "[hidden]",
		"/attention?kind=failed": "Never ready", "/clusters": "default", "/stores/" + mark + "/delete": "Viewers change nothing"} {
		add("monitor: "+path, sign, c.get("http://"+c.site+path, login))
	}
	add("monitor: without a login", "log in", c.get("http://"+c.site+"/", nil))
	for _, path := range []string{"/stores", "/stores/" + mark, "/dead-letters", "/orphans?kind=failed", "/stores/" + mark + "-unknown", "/clusters"} {
		_, body := c.call(http.MethodGet, path, nil)
		sign := mark
		if path == "/clusters" || strings.HasPrefix(path, "/orphans") {
			sign = "{"
		}
		add("API: GET "+path, sign, string(body))
	}
	add("API: events", "refused", c.events(mark))
	_, body := c.call(http.MethodPost, "/", map[string]string{"store_id": mark, "host": "not a host"})
	add("API: a refused request", "problem", string(body))
	for _, command := range []string{"list", "show " + mark, "show -o json " + mark, "dead-letters -o json", "orphans", "clusters"} {
		sign := mark
		if command == "orphans" || command == "clusters" {
			sign = ""
		}
		add("command line: "+command, sign, c.cli(strings.Fields(command)...))
	}
	add("Helm's records", mark, c.helmRecords(s))
	add("objects of the cluster", mark, c.objects(s.Namespace))
	add("process list", "worker", c.processes())
	for name, p := range c.programs {
		p.end(syscall.SIGTERM)
		add("log of "+name, map[string]string{"ingest": mark, "worker": mark, "monitor": "audit"}[name], p.log.String())
	}
	return all
}

// unredirected shows what a server itself answers.
var unredirected = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// logIn returns the session of a user of a monitor.
func logIn(t *testing.T, site, user, password string) *http.Cookie {
	t.Helper()
	resp, err := unredirected.PostForm(site+"/login", url.Values{"user": {user}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		t.Fatalf("the login is answered with %d", resp.StatusCode)
	}
	return resp.Cookies()[0]
}

// dump is every key of Redis with what it holds.
func (c *canaryRig) dump() string {
	ctx, text := context.Background(), &strings.Builder{}
	client := redis.NewClient(redisOptions(c.t, c.redis))
	defer client.Close()
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		var value any
		switch client.Type(ctx, key).Val() {
		case "hash":
			value = client.HGetAll(ctx, key).Val()
		case "zset":
			value = client.ZRange(ctx, key, 0, -1).Val()
		case "set":
			value = client.SMembers(ctx, key).Val()
		case "list":
			value = client.LRange(ctx, key, 0, -1).Val()
		case "stream":
			value = client.XRange(ctx, key, "-", "+").Val()
		default:
			value = client.Get(ctx, key).Val()
		}
		fmt.Fprintln(text, key, value)
	}
	if keys.Err() != nil {
		c.t.Error(keys.Err())
	}
	return text.String()
}

func (c *canaryRig) get(address string, change func(*http.Request)) string {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.Header) + string(text)
}

// events are those of a store so far.
func (c *canaryRig) events(id string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.api+"/stores/"+id+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-Orchestrator-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // until the time is over: the stream goes on
	return string(text)
}

// helmRecords are the revisions of a store's release, unpacked: the chart, its values and its manifest.
func (c *canaryRig) helmRecords(s provision.Request) string {
	text := &strings.Builder{}
	for _, revision := range c.revisions(s) {
		packed, err := base64.StdEncoding.DecodeString(string(revision.Data["release"]))
		if err != nil {
			c.t.Fatal(err)
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := io.Copy(text, reader); err != nil {
			c.t.Fatal(err)
		}
	}
	return text.String()
}

// objects are the objects of a namespace with their annotations and status, events among them, but no Secret.
func (c *canaryRig) objects(namespace string) string {
	ctx, list := context.Background(), metav1.ListOptions{}
	ns, err := c.k.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	all := []any{ns, err}
	add := func(objects any, err error) { all = append(all, objects, err) }
	core, apps := c.k.CoreV1(), c.k.AppsV1()
	pods, err := core.Pods(namespace).List(ctx, list)
	add(pods, err)
	events, err := core.Events(namespace).List(ctx, list)
	add(events, err)
	maps, err := core.ConfigMaps(namespace).List(ctx, list)
	add(maps, err)
	deployments, err := apps.Deployments(namespace).List(ctx, list)
	add(deployments, err)
	sets, err := apps.StatefulSets(namespace).List(ctx, list)
	add(sets, err)
	for _, one := range all {
		if err, failed := one.(error); failed {
			c.t.Error(err)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// processes are the command lines of all processes of this machine.
func (c *canaryRig) processes() string {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	text := &strings.Builder{}
	for _, path := range paths {
		line, _ := os.ReadFile(path) // a process may end meanwhile
		fmt.Fprintln(text, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return text.String()
}

// redisOptions are those of a URL.
func redisOptions(t *testing.T, url string) *redis.Options {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return options
}
