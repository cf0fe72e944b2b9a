package helm

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoadValuesReadsOrRefusesAFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	values, err := LoadValues(write("values", "a: {b: 1}"))
	if err != nil || values["a"].(map[string]any)["b"] == nil {
		t.Errorf("values %v, error %v", values, err)
	}
	if none, err := LoadValues(""); err != nil || none != nil {
		t.Errorf("values %v, error %v", none, err)
	}
	if _, err := LoadValues(write("list", "[1]")); err == nil {
		t.Error("a list was taken for values")
	}
}
