package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// at is a value at a path of keys, as the tables around it.
func at(path string, value any) map[string]any {
	first, rest, more := strings.Cut(path, "/")
	if !more {
		return map[string]any{first: value}
	}
	return map[string]any{first: at(rest, value)}
}

// TestSchemaRefusesWhatItDoesNotKnow puts an unknown key into every table that a chart's values have.
func TestSchemaRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, name := range engine.Names() {
		free := []string{"global", "common/global", "common/scheduling/nodeSelector", "common/ingress/annotations", "common/route/annotations"}
		tables := tablesOf(valuesOf(t, variant{engine: name, env: "production", store: store(name, wanted)}), "")
		if len(tables) < 20 {
			t.Errorf("%s: only %d tables of values were found", name, len(tables))
		}
		for _, path := range tables {
			if !strings.Contains(strings.Join(free, " ")+" ", strings.TrimSuffix(path, "/")+" ") {
				refuses(t, name, at(path+"mystery", true))
			}
		}
	}
}

// tablesOf lists the paths of all tables in values, each with a slash at its end.
func tablesOf(values map[string]any, path string) []string {
	all := []string{path}
	for key, value := range values {
		if table, ok := value.(map[string]any); ok {
			all = append(all, tablesOf(table, path+key+"/")...)
		}
	}
	return all
}

func TestSchemaRefusesWrongValues(t *testing.T) {
	wrong := []map[string]any{
		at("global/anything", "x"),
		at("common/storeLabel", ""),
		at("common/store/url", "https://user:pw@shop.example.com"),
		at("common/store/url", "https://shop.example.com/path"),
		at("common/store/host", "Shop.example.com"),
		at("common/store/host", "shop..example.com"),
		at("common/store/host", "-shop.example.com"),
		at("common/store/host", "*.example.com"),
		at("common/store/currency", "eur"),
		at("common/store/locale", "de-DE"),
		at("common/image/registry", "https://registry.example.com"),
		at("common/image/pullPolicy", "Sometimes"),
		at("common/storageClass", "Fast Disk"),
		at("common/expandVolumes", "yes"),
		at("common/route", map[string]any{"enabled": true, "parentRefs": []any{}}),
		at("common/route/parentRefs", []any{map[string]any{"name": "public", "mystery": "x"}}),
		at("common/networkPolicy/internetPorts", []any{0}),
		at("common/networkPolicy/dnsCIDRs", []any{"everywhere"}),
		at("common/quota", map[string]any{"pods": "five"}),
		at("resources/test/limits/memory", nil),
		at("resources/test/limits/cpu", -1),
		at("common/headroom/cpu", "lots"),
		at("common/limitRange/default/memory", "256MB"),
		at("common/scheduling/tolerations", []any{map[string]any{"mystery": "x"}}),
		at("persistence/data/size", "5GB"),
		at("persistence/data/size", 5),
		at("persistence/data/accessMode", "ReadOnlyMany"),
		at("resources/test/limits/cpu", "half"),
		at("resources/test/requests", nil),
	}
	own := map[string][]map[string]any{
		"woocommerce": {
			at("wordpress/replicas", 0), at("wordpress/layout", "other"), at("wordpress/woocommerceVersion", "11"), at("mariadb/bufferPool", "128"),
			at("images/mariadb/tag", "latest"), at("images/mariadb/tag", ""), at("images/mariadb/repository", "UPPER"),
			at("images/mariadb/tag", "11.8.8@sha256:123"),
		},
		"medusa": {
			at("medusa/replicas", "2"), at("worker/enabled", "yes"), at("worker/replicas", 0), at("medusa/storefronts", []any{"shop.example.com"}),
			at("medusa/storefronts", []any{"https://shop.example.com/path"}), at("images/valkey/tag", "latest-alpine"),
		},
	}
	for _, name := range engine.Names() {
		for _, values := range append(wrong, own[name]...) {
			refuses(t, name, values)
		}
	}
}

// refuses puts wrong values over those of the engine, and expects the schema to reject them.
func refuses(t *testing.T, name string, wrong map[string]any) {
	t.Helper()
	s := store(name, wanted)
	r := releaseOf(t, s)
	r.Values = values(r.Values, wrong)
	if _, err := renderFiles(charts.FS, "production", nil, s, r); !isSchemaError(err) {
		t.Errorf("%s: the schema accepts %v: %v", name, wrong, err)
	}
}

func isSchemaError(err error) bool {
	return provision.CodeOf(err) == provision.CodeInvalid && strings.Contains(err.Error(), "values don't meet the specifications of the schema")
}

// TestInstallationCannotTakeValuesAway: a null, or a scalar in the place of a table, neither disappears nor renders as nothing.
// The schema rejects it, where the chart needs the value.
func TestInstallationCannotTakeValuesAway(t *testing.T) {
	for _, name := range engine.Names() {
		for _, wrong := range []map[string]any{
			at("images", nil), at("resources/test", nil), at("resources/test/requests", nil), at("common/headroom", nil), at("common/storageClass", nil),
			at("images", "none"), at("resources/test", "small"), at("common/ingress", true), at("common/ingress/tls", "yes"),
			at("common/storageClass", map[string]any{"name": "fast"}),
		} {
			s := store(name, wanted)
			if _, err := renderFiles(charts.FS, "production", wrong, s, releaseOf(t, s)); !isSchemaError(err) {
				t.Errorf("%s with the installation's values %v: %v, want an error of the schema", name, wrong, err)
			}
		}
	}
}

// TestEnginesValuesWin: neither a null nor a clash of the installation changes what the engine says about the store.
func TestEnginesValuesWin(t *testing.T) {
	for _, name := range engine.Names() {
		v := variant{engine: name, env: "production", store: store(name, wanted)}
		want := settingsOf(t, render(t, v))
		for _, other := range []map[string]any{
			at("common/store", nil), at("common/store", "mine"), at("common/store/title", nil), at("common/store/title", map[string]any{"de": "Laden"}), at("common", nil), at("common", "none"),
		} {
			v.extra = other
			if diff := cmp.Diff(want, settingsOf(t, render(t, v))); diff != "" {
				t.Errorf("%s with the installation's values %v (-want +got):\n%s", name, other, diff)
			}
		}
	}
}

// TestChartsRefuseWhatCannotWork in words that say what to do.
func TestChartsRefuseWhatCannotWork(t *testing.T) {
	for _, c := range []struct {
		engine, want string
		values       map[string]any
	}{
		{"woocommerce", "wordpress.replicas above 1 needs persistence.data.accessMode ReadWriteMany", at("wordpress/replicas", 2)},
		{"woocommerce", "wordpress.replicas above 1 needs wordpress.layout static",
			values(shared, at("wordpress/replicas", 2), at("wordpress/layout", "stock"))},
		{"medusa", "medusa.replicas above 1 needs persistence.data.accessMode ReadWriteMany", at("medusa/replicas", 2)},
		{"medusa", "worker.enabled needs persistence.data.accessMode ReadWriteMany", at("worker/enabled", true)},
	} {
		v := variant{engine: c.engine, env: "production", store: store(c.engine, wanted), extra: c.values}
		if _, err := tryRender(t, v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %v: %v, want %q", c.engine, c.values, err, c.want)
		}
	}
}

// TestOneFileOfValuesServesAllEngines: each chart takes from it what it knows.
func TestOneFileOfValuesServesAllEngines(t *testing.T) {
	both := values(at("wordpress/replicas", 1), at("medusa/replicas", 1), at("images/mariadb/tag", "11.8.9"), at("images/postgres/tag", "17.9"),
		at("resources/mariadb/limits/memory", "1Gi"), at("persistence/postgres/size", "20Gi"), at("common/storageClass", "fast"))
	for _, name := range engine.Names() {
		v := variant{engine: name, env: "production", store: store(name, wanted), extra: both}
		r := render(t, v)
		for _, claim := range r.claims {
			if class := claim.Spec.StorageClassName; class == nil || *class != "fast" {
				t.Errorf("%s: the storage class is %v", name, class)
			}
		}
	}
}

// TestValuesThatKubernetesTakesAreTaken: numbers without quotes, exponents, no limit of a CPU, a registry with a port.
func TestValuesThatKubernetesTakesAreTaken(t *testing.T) {
	for _, right := range []map[string]any{
		at("resources/test/limits/cpu", 2), at("resources/test/limits/cpu", 0.5), at("resources/test/limits/cpu", "1e1"), at("resources/test/limits/cpu", nil),
		at("resources/test/requests/cpu", nil), at("resources/test/limits/memory", 268435456), at("resources/test/limits/memory", float64(1<<31)),
		at("persistence/data/size", float64(20<<30)), at("common/quota", map[string]any{"pods": 5}),
		at("images", map[string]any{"mariadb": map[string]any{"repository": "registry.example.com:5000/mirror/mariadb"}, "postgres": map[string]any{"repository": "localhost:5000/postgres"}}),
	} {
		for _, name := range engine.Names() {
			r := render(t, variant{engine: name, env: "production", store: store(name, wanted), extra: right})
			if r.quota.Spec.Hard.Name("limits.cpu", resource.DecimalSI).Sign() <= 0 {
				t.Errorf("%s with %v: the quota is %v", name, right, r.quota.Spec.Hard)
			}
		}
	}
}
