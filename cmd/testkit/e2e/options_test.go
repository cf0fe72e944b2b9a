//go:build devcluster || realcluster

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// options are what `make e2e` takes from the environment.
type options struct {
	engines []string
	images  map[string]string // by the names of imageKeys
	values  map[string]any    // of STORE_VALUES_FILE
	timeout time.Duration
	keep    bool
	shared  bool
}

// imageKey is where an image stands in the values of an engine's chart: images.<key>.
type imageKey struct{ engine, key string }

// imageKeys are the names that IMAGES may use.
var imageKeys = map[string]imageKey{
	"woocommerce":   {"woocommerce", "static"},
	"wordpress":     {"woocommerce", "wordpress"},
	"wordpress-cli": {"woocommerce", "cli"},
	"mariadb":       {"woocommerce", "mariadb"},
	"medusa":        {"medusa", "medusa"},
	"postgres":      {"medusa", "postgres"},
	"valkey":        {"medusa", "valkey"},
}

func optionsOf(getenv func(string) string) (o options, err error) {
	o = options{engines: fields(getenv("ENGINES")), timeout: 15 * time.Minute, keep: getenv("KEEP") == "1", shared: getenv("SHARED") == "1"}
	if len(o.engines) == 0 {
		o.engines = []string{"woocommerce", "medusa"}
	}
	if text := getenv("TIMEOUT"); text != "" {
		if o.timeout, err = time.ParseDuration(text); err != nil || o.timeout < time.Minute {
			return o, fmt.Errorf("TIMEOUT is %q; it must be a duration of a minute or more, such as 20m", text)
		}
	}
	if o.images, err = imagesOf(getenv("IMAGES")); err != nil {
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

// imagesOf reads name=repository:tag pairs.
func imagesOf(text string) (map[string]string, error) {
	images := map[string]string{}
	for _, pair := range fields(text) {
		name, image, ok := strings.Cut(pair, "=")
		if _, known := imageKeys[name]; !ok || !known {
			return nil, fmt.Errorf("IMAGES: %q is not name=repository:tag with a name out of %s", pair, slices.Sorted(maps.Keys(imageKeys)))
		}
		if _, tag := splitImage(image); tag == "" {
			return nil, fmt.Errorf("IMAGES: %s has no tag", image)
		}
		images[name] = image
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
// charts'. Whoever gives the image that has WooCommerce in it wants it to be used.
func (o options) valuesFor(engine string) map[string]any {
	images := map[string]any{}
	for name, image := range o.images {
		if key := imageKeys[name]; key.engine == engine {
			repository, tag := splitImage(image)
			images[key.key] = map[string]any{"repository": repository, "tag": tag}
		}
	}
	given := map[string]any{"images": images}
	if images["static"] != nil {
		given["wordpress"] = map[string]any{"layout": "static"}
	}
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
	env := map[string]string{"IMAGES": "woocommerce=registry.example.com:5000/a/shop:1.2, postgres=postgres:17@sha256:abc"}
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
	if diff := cmp.Diff(want, o.valuesFor("woocommerce")); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"nginx=a:1", "postgres=a", "postgres"} {
		if _, err := imagesOf(wrong); err == nil {
			t.Errorf("IMAGES takes %q", wrong)
		}
	}
}
