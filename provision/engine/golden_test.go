package engine_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// golden is the rendered text without what only makes it long: blank lines, and the contents of scripts, whose names
// remain.
func (r rendered) golden() []byte {
	var out bytes.Buffer
	inScript := false
	manifest := r.manifest
	for _, hook := range r.hooks {
		manifest += "---\n# Source: " + hook.Path + "\n" + hook.Manifest + "\n"
	}
	for _, name := range slices.Sorted(maps.Keys(r.jobs)) {
		job := r.jobs[name].DeepCopy()
		job.Annotations = nil // the edition is another one after each change of a chart
		for i, arg := range job.Spec.Containers[0].Args {
			job.Spec.Containers[0].Args[i], _, _ = strings.Cut(arg, "\n") // a script
		}
		text, err := yaml.Marshal(job)
		if err != nil {
			panic(err) // a pod was read from YAML
		}
		manifest += "---\n# A pod beside the release\n" + string(text)
	}
	for line := range strings.Lines(manifest) {
		line = strings.TrimRight(line, " \n")
		inScript = inScript && (line == "" || strings.HasPrefix(line, "    "))
		if line != "" && !inScript {
			out.WriteString(line + "\n")
		}
		inScript = inScript || isScript.MatchString(line)
	}
	return out.Bytes()
}

// isScript finds the first line of a ConfigMap's entry that came from a file.
var isScript = regexp.MustCompile(`^  [a-z0-9_-]+\.(sh|php|js|conf): \|$`)
