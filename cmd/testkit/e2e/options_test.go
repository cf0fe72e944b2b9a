//go:build devcluster || realcluster

package e2e

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"orchestrator/charts"
	"orchestrator/provision/engine"
)

// options are what `make e2e` takes from the environment.
type options struct {
	engines []string
	images  map[imageKey]string
	next    map[imageKey]string // those that a rollout brings
	values  map[string]any      // of STORE_VALUES_FILE
	timeout time.Duration
	keep    bool
	times   bool   // too long is a failure
	shots   string // folder for screenshots
	front   *frontDoor
	mail    string // address of this machine that pods reach
	// restartNode is a command that restarts the cluster's nodes, and returns once they have begun.
	restartNode string
	// backupGate is an address of this machine that pods reach, and backupServer the program of restic's REST server.
	backupGate, backupServer string
	wipeCluster              string   // a command that makes the cluster anew, empty, at the same address
	env                      []string // that the service's processes have besides
	// mailValues are those of the stores that send mail there.
	mailValues map[string]any
}

// frontDoor is where the cluster's ingress listens: visitors come that way, with TLS.
type frontDoor struct {
	host, port string         // port is "" for that of https
	domain     string         // shops are below it
	authority  string         // file of the authority of the shops' certificates, which the cluster makes; "": the test makes both
	tls        map[string]any // values of the Ingress's TLS; nil: as the installation has it
	storefront string         // origin from which a browser may call the shop, besides its own
}

// imageKey names an image of an engine's chart: images.<key> of its values. IMAGES writes it as engine/key.
type imageKey struct{ engine, key string }

// imageKeys are the names that IMAGES may use: all images of all registered engines.
func imageKeys() (map[string]imageKey, error) {
	keys := map[string]imageKey{}
	for _, name := range engine.Names() {
		text, err := fs.ReadFile(charts.FS, "store/"+name+"/values.yaml")
		if err != nil {
			return nil, err
		}
		var values struct{ Images map[string]any }
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, err
		}
		for key := range values.Images {
			keys[name+"/"+key] = imageKey{name, key}
		}
	}
	return keys, nil
}

func optionsOf(getenv func(string) string) (o options, err error) {
	o = options{engines: fields(getenv("ENGINES")), timeout: 15 * time.Minute, keep: getenv("KEEP") == "1", shots: getenv("SHOTS"), mail: getenv("MAIL"), restartNode: getenv("RESTART_NODE"),
		backupGate: getenv("BACKUP_GATE"), backupServer: cmp.Or(getenv("BACKUP_SERVER"), "restic-rest-server"), wipeCluster: getenv("WIPE_CLUSTER")}
	if len(o.engines) == 0 {
		o.engines = engine.Names()
	}
	if text := getenv("TIMEOUT"); text != "" {
		if o.timeout, err = time.ParseDuration(text); err != nil || o.timeout < time.Minute {
			return o, fmt.Errorf("TIMEOUT is %q; it must be a duration of a minute or more, such as 20m", text)
		}
	}
	if text := getenv("TIMES"); text != "" && text != "check" {
		return o, fmt.Errorf("TIMES is %q; it must be check, or nothing", text)
	}
	o.times = getenv("TIMES") == "check"
	if o.front, err = frontOf(getenv); err != nil {
		return o, err
	}
	if o.images, err = imagesOf(getenv("IMAGES")); err != nil {
		return o, err
	}
	if o.next, err = imagesOf(getenv("NEXT_IMAGES")); err != nil {
		return o, err
	}
	if file := getenv("STORE_VALUES_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return o, fmt.Errorf("STORE_VALUES_FILE: %w", err)
		}
		if err := yaml.Unmarshal(text, &o.values); err != nil {
			return o, fmt.Errorf("STORE_VALUES_FILE %s is not a YAML mapping: %w", file, err)
		}
	}
	return o, nil
}

// frontOf reads FRONT and what belongs to it; nil without FRONT.
func frontOf(getenv func(string) string) (*frontDoor, error) {
	if getenv("FRONT") == "" {
		return nil, nil
	}
	u, err := url.Parse(getenv("FRONT"))
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("FRONT is %q; it must be https:// and the address of the ingress, with its port unless that is 443", getenv("FRONT"))
	}
	f := &frontDoor{host: u.Hostname(), port: u.Port(), domain: cmp.Or(getenv("FRONT_DOMAIN"), "shops.example.com"), authority: getenv("FRONT_CA")}
	if f.authority == "" {
		f.tls = map[string]any{"enabled": true, "secretName": frontSecret}
	}
	if f.port == "443" {
		f.port = ""
	}
	return f, nil
}

// values are those that shops behind the front door have.
func (f *frontDoor) values(engine string) map[string]any {
	given := map[string]any{}
	if f.tls != nil {
		given["common"] = map[string]any{"ingress": map[string]any{"tls": f.tls}}
	}
	if engine == "medusa" && f.storefront != "" {
		given["medusa"] = map[string]any{"storefronts": []any{f.storefront}}
	}
	return given
}

// frontSecret holds the certificate that the test makes.
const frontSecret = "e2e-front"

// imagesOf reads engine/key=repository:tag pairs.
func imagesOf(text string) (map[imageKey]string, error) {
	keys, err := imageKeys()
	if err != nil {
		return nil, err
	}
	images := map[imageKey]string{}
	for _, pair := range fields(text) {
		name, image, ok := strings.Cut(pair, "=")
		if _, known := keys[name]; !ok || !known {
			return nil, fmt.Errorf("IMAGES: %q is not name=repository:tag with one of the names %s", pair, slices.Sorted(maps.Keys(keys)))
		}
		if _, tag := splitImage(image); tag == "" {
			return nil, fmt.Errorf("IMAGES: %s has no tag", image)
		}
		images[keys[name]] = image
	}
	return images, nil
}

// splitImage splits repository:tag[@digest]. A colon before the last slash belongs to a registry's port.
func splitImage(image string) (repository, tag string) {
	slash := strings.LastIndexByte(image, '/') + 1
	name, tag, _ := strings.Cut(image[slash:], ":")
	return image[:slash] + name, tag
}

func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

// valuesFor are the values that every store of the engine gets: the installation's, with the given images in place of the
// charts'. The image that contains WooCommerce is given to be used.
func (o options) valuesFor(engine string) map[string]any {
	images := map[string]any{}
	for key, image := range o.images {
		if key.engine == engine {
			repository, tag := splitImage(image)
			images[key.key] = map[string]any{"repository": repository, "tag": tag}
		}
	}
	given := map[string]any{"images": images}
	if images["static"] != nil {
		given["wordpress"] = map[string]any{"layout": "static"}
	}
	if o.front != nil {
		given = chartutil.MergeTables(given, o.front.values(engine))
	}
	given = chartutil.MergeTables(given, o.mailValues)
	return chartutil.MergeTables(given, o.values)
}

// valuesFile is a file for STORE_VALUES_FILE.
func (o options) valuesFile(t *testing.T, engine string) string {
	t.Helper()
	text, err := yaml.Marshal(o.valuesFor(engine))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOptionsReplaceImages(t *testing.T) {
	env := map[string]string{"IMAGES": "woocommerce/static=registry.example.com:5000/a/shop:1.2, medusa/postgres=postgres:17@sha256:abc"}
	o, err := optionsOf(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	o.values = map[string]any{"common": map[string]any{"storageClass": "fast"}}
	want := map[string]any{
		"common":    map[string]any{"storageClass": "fast"},
		"wordpress": map[string]any{"layout": "static"},
		"images":    map[string]any{"static": map[string]any{"repository": "registry.example.com:5000/a/shop", "tag": "1.2"}},
	}
	if diff := gocmp.Diff(want, o.valuesFor("woocommerce")); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"nginx=a:1", "medusa/postgres=a", "medusa/postgres"} {
		if _, err := imagesOf(wrong); err == nil {
			t.Errorf("IMAGES takes %q", wrong)
		}
	}
}

func TestOptionsHaveAFrontDoor(t *testing.T) {
	env := map[string]string{"FRONT": "https://10.0.0.1:443"}
	o, err := optionsOf(func(name string) string { return env[name] })
	if err != nil || o.front == nil || o.front.host != "10.0.0.1" || o.front.port != "" {
		t.Fatalf("%+v, %v", o.front, err)
	}
	o.front.storefront = "http://127.0.0.1:1"
	o.values = map[string]any{"common": map[string]any{"storageClass": "fast", "ingress": map[string]any{"className": "public"}}}
	want := map[string]any{
		"common": map[string]any{"storageClass": "fast", "ingress": map[string]any{"className": "public",
			"tls": map[string]any{"enabled": true, "secretName": frontSecret}}},
		"medusa": map[string]any{"storefronts": []any{"http://127.0.0.1:1"}},
		"images": map[string]any{},
	}
	if diff := gocmp.Diff(want, o.valuesFor("medusa")); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"http://10.0.0.1", "10.0.0.1", "https://10.0.0.1/shop"} {
		if _, err := frontOf(func(string) string { return wrong }); err == nil {
			t.Errorf("FRONT takes %q", wrong)
		}
	}
}
