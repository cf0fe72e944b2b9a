package helm

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// LoadValues reads a YAML file of values for [Charts]. An empty path means no values.
func LoadValues(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the installation's values: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("the installation's values in %s are not a YAML mapping: %w", path, err)
	}
	return values, nil
}
