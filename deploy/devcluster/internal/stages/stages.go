// Package stages holds what simulated nodes and pods do, in the words of kwok.
package stages

import (
	"embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed *.yaml parts
var files embed.FS

// Settings are what differs from cluster to cluster.
type Settings struct {
	ReadyMin, ReadyMax time.Duration // how long a pod takes to become ready, at random between the two
	ShopPort           int           // where port-forwards lead
	PodLog             string        // the file that every container has for its log
}

// Config returns kwok's configuration file.
func Config(s Settings) (string, error) {
	values := map[string]string{
		"ready-min": strconv.FormatInt(s.ReadyMin.Milliseconds(), 10),
		"ready-max": strconv.FormatInt(s.ReadyMax.Milliseconds(), 10),
		"shop-port": strconv.Itoa(s.ShopPort),
		"pod-log":   strconv.Quote(s.PodLog),
	}
	entries, err := files.ReadDir(".")
	if err != nil {
		return "", err
	}
	var documents []string
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		document, err := expand(entry.Name(), values)
		if err != nil {
			return "", err
		}
		documents = append(documents, document)
	}
	return strings.Join(documents, "---\n"), nil
}

// A line of nothing but @file@ stands for parts/file, indented as the line is; @name@ elsewhere for a value.
var (
	partLine = regexp.MustCompile(`(?m)^( *)@([a-z-]+\.[a-z]+)@\n`)
	value    = regexp.MustCompile(`@([a-z-]+)@`)
)

func expand(name string, values map[string]string) (string, error) {
	data, err := files.ReadFile(name)
	if err != nil {
		return "", err
	}
	text := string(data)
	var missing error
	text = partLine.ReplaceAllStringFunc(text, func(line string) string {
		m := partLine.FindStringSubmatch(line)
		part, err := expand("parts/"+m[2], values)
		if err != nil {
			missing = fmt.Errorf("%s: %w", name, err)
		}
		return indent(part, m[1])
	})
	text = value.ReplaceAllStringFunc(text, func(mark string) string {
		v, ok := values[strings.Trim(mark, "@")]
		if !ok {
			missing = fmt.Errorf("%s: nothing is known to put for %s", name, mark)
		}
		return v
	})
	return text, missing
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + line)
	}
	return b.String()
}
