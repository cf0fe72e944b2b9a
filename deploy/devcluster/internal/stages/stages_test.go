package stages

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

func TestConfigIsCompleteYAML(t *testing.T) {
	config, err := Config(Settings{ReadyMin: time.Second, ReadyMax: 3 * time.Second, ShopPort: 20001, PodLog: "/tmp/pod log"})
	if err != nil {
		t.Fatal(err)
	}
	if mark := value.FindString(config); mark != "" {
		t.Errorf("%s is not filled in", mark)
	}
	seen := map[string]bool{}
	for _, document := range strings.Split(config, "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		name := object.Kind + "/" + object.Metadata.Name
		if object.Kind == "" || seen[name] {
			t.Errorf("a document without kind, or a second one: %s", name)
		}
		seen[name] = true
	}
	for _, name := range []string{"Stage/pod-ready", "Stage/pod-delete", "Stage/node-initialize", "ClusterPortForward/shop"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestSettingsAreFilledIn(t *testing.T) {
	config, err := Config(Settings{ReadyMin: time.Second, ReadyMax: 3 * time.Second, ShopPort: 20001, PodLog: "/tmp/pod log"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"durationMilliseconds: 1000\n", "jitterDurationMilliseconds: 3000\n", "port: 20001}", `logsFile: "/tmp/pod log"`,
	} {
		if !strings.Contains(config, part) {
			t.Errorf("%q is missing", part)
		}
	}
}
