package record

import (
	"orchestrator/provision"
)

// modelHolds are the failures that were counted, and what waits because of them.
type modelHolds struct {
	holdAfter int                        // creators that may fail for one cause; 0: any number
	failed    map[string]map[string]bool // by engine and code: the creators, or stores without one
	held      map[string]bool            // by engine
}

func newModelHolds(after int) modelHolds {
	return modelHolds{after, map[string]map[string]bool{}, map[string]bool{}}
}

// countFailure reports whether the store waits instead of failing.
func (m *modelHolds) countFailure(engine string, code provision.Code, req provision.Request) bool {
	if m.holdAfter == 0 || code != provision.CodeImage {
		return false
	}
	if m.held[engine] {
		return true
	}
	who := "store " + req.StoreID
	if req.CreatorID != "" {
		who = "creator " + req.CreatorID
	}
	key := engine + " " + string(code)
	if m.failed[key] == nil {
		m.failed[key] = map[string]bool{}
	}
	m.failed[key][who] = true
	m.held[engine] = len(m.failed[key]) >= m.holdAfter
	return m.held[engine]
}

func (m *modelHolds) releaseHold(engine string) {
	delete(m.failed, engine+" "+string(provision.CodeImage))
	delete(m.held, engine)
}
