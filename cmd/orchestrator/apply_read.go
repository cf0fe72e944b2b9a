package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"orchestrator/provision"
)

// described is a store as a document describes it. Its fields are those of a provision in the API; each scalar of a document is taken as the text that
// it is written as, so that country: NO is Norway and creator_id: 007 keeps its zeros.
type described struct {
	StoreID   string       `yaml:"store_id"`
	Action    provision.Op `yaml:"action"`
	Name      string       `yaml:"name"`
	Engine    string       `yaml:"engine"`
	Namespace string       `yaml:"namespace"`
	Host      string       `yaml:"host"`
	StoreURL  string       `yaml:"store_url"`
	BaseURL   string       `yaml:"base_url"`
	CreatorID string       `yaml:"creator_id"`
	Cluster   string       `yaml:"cluster"`
	Settings  settings     `yaml:"settings"`
	Suspended *bool        `yaml:"suspended"`
}

type settings struct {
	Title         string `yaml:"title"`
	AdminEmail    string `yaml:"admin_email"`
	Currency      string `yaml:"currency"`
	Country       string `yaml:"country"`
	Locale        string `yaml:"locale"`
	SampleProduct bool   `yaml:"sample_product"`
}

// posted is a store as it is requested. Suspended is left out where the store is to stay as it is.
type posted struct {
	provision.Request
	Suspended *bool `json:"suspended,omitempty"`
}

func (d described) posted() posted {
	return posted{Suspended: d.Suspended, Request: provision.Request{StoreID: d.StoreID, Action: provision.OpProvision, Name: d.Name, Engine: d.Engine, Namespace: d.Namespace,
		Host: d.Host, StoreURL: d.StoreURL, BaseURL: d.BaseURL, CreatorID: d.CreatorID, Cluster: d.Cluster, Settings: provision.Settings(d.Settings)}}
}

// readStores reads a file, all documents of a folder, or standard input. No two of them are about one store.
func readStores(c *cobra.Command, path string) ([]posted, error) {
	files, err := documentFiles(path)
	if err != nil {
		return nil, err
	}
	var all []posted
	from := map[string]string{} // by store
	for _, file := range files {
		text, err := readFile(c, file)
		if err != nil {
			return nil, err
		}
		documents, err := parseStores(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, d := range documents {
			switch other, twice := from[d.StoreID]; {
			case d.StoreID == "":
				return nil, fmt.Errorf("%s: a document has no store_id", file)
			case d.Action != "" && d.Action != provision.OpProvision:
				return nil, fmt.Errorf("%s: the action of %s is %q; apply creates and changes only, see orchestrator delete", file, d.StoreID, d.Action)
			case twice:
				return nil, fmt.Errorf("%s: %s is described in %s already", file, d.StoreID, other)
			}
			from[d.StoreID] = file
			all = append(all, d.posted())
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no document", path)
	}
	return all, nil
}

// documentFiles are the files that a path names.
func documentFiles(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no *.yaml, *.yml or *.json", path)
	}
	return files, nil
}

// readFile reads a file, or standard input for -.
func readFile(c *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(path)
}

// ownType is of no interest to the author of a document.
var ownType = regexp.MustCompile(` in type main\.\w+`)

// parseStores reads the documents of a text, each with one store or a list of them. JSON is YAML, too. A field that is not known is a mistake: the service
// would ignore it.
func parseStores(text []byte) (all []described, err error) {
	shapes, documents := yaml.NewDecoder(bytes.NewReader(text)), yaml.NewDecoder(bytes.NewReader(text))
	documents.KnownFields(true)
	for {
		var shape yaml.Node
		if err := shapes.Decode(&shape); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		some := make([]described, 1)
		if shape.Content[0].Kind == yaml.SequenceNode {
			err = documents.Decode(&some)
		} else {
			err = documents.Decode(&some[0])
		}
		if err != nil {
			return nil, errors.New(ownType.ReplaceAllString(err.Error(), ""))
		}
		if shape.Content[0].Tag != "!!null" {
			all = append(all, some...)
		}
	}
}
