package worker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheNewestWaitIsKept: what a wait begins with is not what it comes to, and that may be the last that is told for minutes.
func TestTheNewestWaitIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []string
		w := &waits{keep: func(text string) { kept = append(kept, text) }}
		is := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			if !slices.Equal(kept, want) {
				t.Errorf("%s: %q is kept, want %q", when, kept, want)
			}
		}
		w.tell("a pod has no node")
		is("at first", "a pod has no node")
		w.tell("it is pulled")
		w.tell("it starts")
		is("too soon", "a pod has no node")
		time.Sleep(waitsEvery)
		is("later", "a pod has no node", "it starts")
		w.tell("it starts")
		time.Sleep(2 * waitsEvery)
		is("the same again", "a pod has no node", "it starts")
		w.tell("it is not ready")
		w.tell("it is ready")
		w.tell("")
		time.Sleep(2 * waitsEvery)
		is("at the end", "a pod has no node", "it starts", "it is not ready", "")
	})
}
