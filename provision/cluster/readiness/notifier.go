package readiness

import (
	"sync"

	"k8s.io/client-go/tools/cache"
)

// notifier wakes the runs that wait for a change in a namespace.
type notifier struct {
	mu          sync.Mutex
	subscribers map[string]map[chan struct{}]struct{} // by namespace
}

func newNotifier() *notifier { return &notifier{subscribers: map[string]map[chan struct{}]struct{}{}} }

// subscribe returns a channel that receives after each change in the namespace. Changes that arrive faster than they are
// received are merged into one.
func (b *notifier) subscribe(namespace string) (changed <-chan struct{}, unsubscribe func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subscribers[namespace] == nil {
		b.subscribers[namespace] = map[chan struct{}]struct{}{}
	}
	b.subscribers[namespace][ch] = struct{}{}
	return ch, func() { b.unsubscribe(namespace, ch) }
}

func (b *notifier) unsubscribe(namespace string, ch chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscribers[namespace], ch)
	if len(b.subscribers[namespace]) == 0 {
		delete(b.subscribers, namespace)
	}
}

func (b *notifier) notify(namespace string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.subscribers[namespace] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// handler notifies the namespace of every object that an informer sees change.
func (b *notifier) handler() cache.ResourceEventHandler {
	notify := func(object any) {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		if err != nil {
			return
		}
		if namespace, _, err := cache.SplitMetaNamespaceKey(key); err == nil {
			b.notify(namespace)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: notify, DeleteFunc: notify, UpdateFunc: func(_, object any) { notify(object) }}
}
