package charts

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pins are what a chart says about the images of its store.
type pins struct {
	AppVersion string `json:"appVersion"`
	WordPress  struct {
		Version string `json:"woocommerceVersion"`
	} `json:"wordpress"`
	Images map[string]struct {
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
	} `json:"images"`
}

func chartPins(t *testing.T, engine string) pins {
	t.Helper()
	var p pins
	for _, name := range []string{"Chart.yaml", "values.yaml"} {
		data, err := fs.ReadFile(FS, "store/"+engine+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &p); err != nil {
			t.Fatalf("%s of %s: %v", name, engine, err)
		}
	}
	return p
}

// argument is the default of a build argument. One that two stages declare has to have the same default in both.
func argument(t *testing.T, dockerfile, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^ARG `+name+`=(\S+)$`).FindAllStringSubmatch(dockerfile, -1)
	if len(found) == 0 {
		t.Fatalf("the Dockerfile has no argument %s with a default", name)
	}
	for _, one := range found {
		if one[1] != found[0][1] {
			t.Errorf("the Dockerfile has two defaults of %s: %s and %s", name, found[0][1], one[1])
		}
	}
	return found[0][1]
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWooCommerceImageIsTheOneThatTheChartNames(t *testing.T) {
	chart := chartPins(t, "woocommerce")
	dockerfile := readText(t, "../deploy/images/woocommerce/Dockerfile")

	version := argument(t, dockerfile, "WOOCOMMERCE_VERSION")
	for name, got := range map[string]string{
		"appVersion": chart.AppVersion, "wordpress.woocommerceVersion": chart.WordPress.Version, "images.static.tag": chart.Images["static"].Tag,
	} {
		if got != version {
			t.Errorf("%s of the chart is %s, the image has WooCommerce %s", name, got, version)
		}
	}
	base := chart.Images["wordpress"]
	if got := argument(t, dockerfile, "WORDPRESS_IMAGE"); got != base.Repository+":"+base.Tag {
		t.Errorf("the image is made from %s, the stock layout runs %s:%s", got, base.Repository, base.Tag)
	}
	database := chart.Images["mariadb"]
	if got := argument(t, dockerfile, "MARIADB_IMAGE"); got != database.Repository+":"+database.Tag {
		t.Errorf("new shops start with a data directory of %s, and run %s:%s: each would be initialised step by step", got, database.Repository, database.Tag)
	}
	if cli := argument(t, dockerfile, "WP_CLI_VERSION"); !strings.HasPrefix(chart.Images["cli"].Tag, "cli-"+cli+"-") {
		t.Errorf("the image has wp-cli %s, the stock layout runs %s", cli, chart.Images["cli"].Tag)
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(readText(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestMedusaImageIsTheOneThatTheChartNames(t *testing.T) {
	chart := chartPins(t, "medusa")
	version := chart.Images["medusa"].Tag
	if chart.AppVersion != version {
		t.Errorf("appVersion of the chart is %s, the image's tag %s", chart.AppVersion, version)
	}
	if got := argument(t, readText(t, "../deploy/images/medusa/Dockerfile"), "MEDUSA_VERSION"); got != version {
		t.Errorf("the image's label says %s, its tag %s", got, version)
	}
	var project struct{ Dependencies map[string]string }
	readJSON(t, "../deploy/images/medusa/package.json", &project)
	for name, got := range project.Dependencies {
		if strings.HasPrefix(name, "@medusajs/") && got != version {
			t.Errorf("%s is %s, the image's tag %s", name, got, version)
		}
	}
}

// What an image has prepared for a new shop is made by the backends that shops have, and for the heaps that the chart gives to Node.
func TestMedusaIsPreparedForWhatTheChartRuns(t *testing.T) {
	chart, dockerfile := chartPins(t, "medusa"), readText(t, "../deploy/images/medusa/Dockerfile")
	for name, key := range map[string]string{"POSTGRES_IMAGE": "postgres", "VALKEY_IMAGE": "valkey"} {
		image := chart.Images[key]
		if got := argument(t, dockerfile, name); got != image.Repository+":"+image.Tag {
			t.Errorf("the image is prepared by %s, shops run %s:%s", got, image.Repository, image.Tag)
		}
	}
	heaps := map[string]bool{}
	goldens, err := filepath.Glob("../provision/engine/testdata/medusa-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		for _, found := range regexp.MustCompile(`--max-old-space-size=(\d+)`).FindAllStringSubmatch(readText(t, golden), -1) {
			heaps[found[1]] = true
		}
	}
	want := strings.Join(slices.SortedFunc(maps.Keys(heaps), func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }), " ")
	if argument := regexp.MustCompile(`(?m)^ARG HEAPS="(.*)"$`).FindStringSubmatch(dockerfile); len(argument) != 2 || argument[1] != want {
		t.Errorf("code is compiled for the heaps %q, shops have %s", argument, want)
	}
}

// TestBackupImageIsTheOneThatTheChartsName: dumps are made by clients of the major versions of the databases that they are of.
func TestBackupImageIsTheOneThatTheChartsName(t *testing.T) {
	var common struct {
		Backup struct {
			Image struct{ Repository, Tag string }
		}
	}
	if err := yaml.Unmarshal(readChartFile(t, Common, "values.yaml"), &common); err != nil {
		t.Fatal(err)
	}
	dockerfile := readText(t, "../deploy/images/backup/Dockerfile")
	if got, image := argument(t, dockerfile, "RESTIC_VERSION"), common.Backup.Image; image.Repository != "store-backup" || image.Tag != got {
		t.Errorf("the image has restic %s, the charts name %s:%s", got, image.Repository, image.Tag)
	}
	for name, database := range map[string]string{"MARIADB_VERSION": chartPins(t, "woocommerce").Images["mariadb"].Tag, "POSTGRES_VERSION": chartPins(t, "medusa").Images["postgres"].Tag} {
		if got := argument(t, dockerfile, name); !strings.HasPrefix(database, got+".") {
			t.Errorf("%s of the image is %s, shops run %s", name, got, database)
		}
	}
}

// TestMedusaLockFitsAnyRegistry: the lock holds checksums and no addresses, so that the build decides where packages come from.
func TestMedusaLockFitsAnyRegistry(t *testing.T) {
	var project struct{ Dependencies, DevDependencies map[string]string }
	readJSON(t, "../deploy/images/medusa/package.json", &project)
	var lock struct {
		Packages map[string]struct {
			Resolved, Integrity           string
			Dependencies, DevDependencies map[string]string
		}
	}
	readJSON(t, "../deploy/images/medusa/package-lock.json", &lock)
	root := lock.Packages[""]
	if !maps.Equal(root.Dependencies, project.Dependencies) || !maps.Equal(root.DevDependencies, project.DevDependencies) {
		t.Error("package-lock.json is of another package.json")
	}
	for name, one := range lock.Packages {
		if one.Resolved != "" {
			t.Errorf("%s comes from %s", name, one.Resolved)
		}
		if name != "" && one.Integrity == "" {
			t.Errorf("%s has no checksum", name)
		}
	}
}

// TestMedusaImageGetsWhatItCopies: what .dockerignore keeps from the build, no COPY of the Dockerfile finds.
func TestMedusaImageGetsWhatItCopies(t *testing.T) {
	const folder = "../deploy/images/medusa/"
	ignored, err := os.ReadFile(folder + ".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(folder + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	let := strings.Split(string(ignored), "\n")
	copied := 0
	for _, line := range regexp.MustCompile(`(?m)^COPY ([^-].*)$`).FindAllStringSubmatch(string(dockerfile), -1) {
		words := strings.Fields(line[1])
		for _, name := range words[:len(words)-1] {
			copied++
			if !slices.Contains(let, "!"+name) {
				t.Errorf("the Dockerfile copies %s, which .dockerignore keeps from it", name)
			}
		}
	}
	if copied == 0 {
		t.Error("the Dockerfile copies nothing")
	}
}
