package model

import (
	"maps"
	"slices"
)

// Installation is what one of the installations in a cluster has touched.
type Installation struct {
	Name    string
	Stores  map[string]bool   // its own, by id
	Records []string          // stores that its Redis knows
	Told    []string          // stores that its backend was told about
	Written map[string]string // namespaces that it changed, with the first change; a store's namespace is "store-" and the id
}

// Crossed returns what an installation knows, tells or changes of stores that are not its own.
func (i Installation) Crossed() []Finding {
	f := &findings{store: i.Name}
	for _, id := range slices.Sorted(slices.Values(i.Records)) {
		if !i.Stores[id] {
			f.add(Crossed, "an installation has records of its own stores only", "its Redis has one of store %s", id)
		}
	}
	for _, id := range slices.Sorted(slices.Values(i.Told)) {
		if !i.Stores[id] {
			f.add(Crossed, "a backend is told about the stores of its own installation only", "it was told about store %s", id)
		}
	}
	own := map[string]bool{}
	for id := range i.Stores {
		own["store-"+id] = true
	}
	for _, namespace := range slices.Sorted(maps.Keys(i.Written)) {
		if !own[namespace] {
			f.add(Crossed, "a worker changes the namespaces of its own installation only", "%s in %s", i.Written[namespace], namespace)
		}
	}
	return f.all
}
