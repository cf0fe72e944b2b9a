package ingest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a part of the description of the API, which keeps its order, with the whole of it for references. The zero part is one that does not exist.
type node struct{ root, at *yaml.Node }

func (n node) is() bool { return n.at != nil }

// get follows keys.
func (n node) get(keys ...string) node {
	for _, key := range keys {
		found := node{root: n.root}
		n.each(func(name string, value node) {
			if name == key {
				found = value
			}
		})
		n = found
	}
	return n
}

// each calls do for every key of a mapping.
func (n node) each(do func(key string, value node)) {
	if at := n.real(); at != nil && at.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.Content); i += 2 {
			do(at.Content[i].Value, node{n.root, at.Content[i+1]})
		}
	}
}

// items are those of a list.
func (n node) items() (all []node) {
	if at := n.real(); at != nil && at.Kind == yaml.SequenceNode {
		for _, one := range at.Content {
			all = append(all, node{n.root, one})
		}
	}
	return all
}

// texts are those of a list.
func (n node) texts() (all []string) {
	for _, one := range n.items() {
		all = append(all, one.text())
	}
	return all
}

func (n node) text() string {
	if at := n.real(); at != nil && at.Kind == yaml.ScalarNode {
		return at.Value
	}
	return ""
}

// real is what an alias stands for.
func (n node) real() *yaml.Node {
	if n.at != nil && n.at.Kind == yaml.AliasNode {
		return n.at.Alias
	}
	return n.at
}

// resolved is what a reference leads to, or the part itself.
func (n node) resolved() node {
	ref := n.get("$ref").text()
	if ref == "" {
		return n
	}
	return node{n.root, n.root}.get(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}
