package cluster

import (
	"sync"

	"k8s.io/client-go/tools/cache"
)

// bell wakes those who wait for something to change in a namespace.
type bell struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]struct{} // by namespace
}

func newBell() *bell { return &bell{listeners: map[string]map[chan struct{}]struct{}{}} }

// listen returns a channel that receives after each change in the namespace. Changes that come faster than they are
// looked at are one.
func (b *bell) listen(namespace string) (rung <-chan struct{}, leave func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[namespace] == nil {
		b.listeners[namespace] = map[chan struct{}]struct{}{}
	}
	b.listeners[namespace][ch] = struct{}{}
	return ch, func() { b.leave(namespace, ch) }
}

func (b *bell) leave(namespace string, ch chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners[namespace], ch)
	if len(b.listeners[namespace]) == 0 {
		delete(b.listeners, namespace)
	}
}

func (b *bell) ring(namespace string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.listeners[namespace] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// handler rings for every change that an informer sees.
func (b *bell) handler() cache.ResourceEventHandler {
	ring := func(object any) {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		if err != nil {
			return
		}
		if namespace, _, err := cache.SplitMetaNamespaceKey(key); err == nil {
			b.ring(namespace)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: ring, DeleteFunc: ring, UpdateFunc: func(_, object any) { ring(object) }}
}
