package readiness

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Unwell says which namespaces of stores have workloads now whose pods are not all available, and what is missing there. It reads the informers' caches,
// without a request.
func (w *Watcher) Unwell() (map[string]string, error) {
	if err := w.Synced(); err != nil {
		return nil, err
	}
	found := map[string][]string{}
	note := func(namespace string, one workload) {
		if text := one.incomplete(); one.available < one.desired && text != "" {
			found[namespace] = append(found[namespace], text)
		}
	}
	deployments, _ := w.cache.deployments.List(labels.Everything()) // a listing of a cache cannot fail
	for _, d := range deployments {
		note(d.Namespace, view{}.deployment(d))
	}
	sets, _ := w.cache.statefulSets.List(labels.Everything())
	for _, s := range sets {
		note(s.Namespace, statefulSet(s))
	}
	unwell := map[string]string{}
	for namespace, texts := range found {
		slices.Sort(texts)
		unwell[namespace] = strings.Join(texts, "; ")
	}
	return unwell, nil
}

// Complete reports whether a namespace has workloads of a store and all of them are complete. It reads the informers' caches, without a request.
func (w *Watcher) Complete(namespace string) bool {
	if w.Synced() != nil {
		return false
	}
	all := w.cache.view(namespace, labels.Everything()).workloads()
	return len(all) > 0 && len(allIncomplete(all)) == 0
}
