package model

import (
	"fmt"
	"time"

	"orchestrator/provision"
)

// Compare returns the findings of one store. It is not known which of the uncertain requests were accepted, so the state is
// compared with each request that may be the newest, and the comparison with the fewest findings counts: a state is correct
// if it is correct for one of them.
func Compare(s Store) []Finding {
	found := &findings{store: s.ID}
	found.refusals(s)
	found.order(s)
	found.duplicates(s)
	found.passwords(s)
	found.deletes(s)
	found.leftovers(s.Found)
	return append(found.all, newest(s)...)
}

type findings struct {
	store string
	all   []Finding
}

func (f *findings) add(kind Kind, expected, found string, args ...any) {
	f.all = append(f.all, Finding{kind, f.store, expected, fmt.Sprintf(found, args...)})
}

// refusals: no client sends a request that conflicts with its store or is invalid.
func (f *findings) refusals(s Store) {
	for _, r := range s.Requests {
		if r.Answer == Refused {
			f.add(Wrong, "every request is accepted or answered with 503", "%s was answered with %s", r.Action, r.Response)
		}
	}
}

// newest compares the state with the newest request, whichever that was.
func newest(s Store) []Finding {
	var best []Finding
	for i, candidate := range candidates(s) {
		if all := against(s, candidate); i == 0 || len(all) < len(best) {
			best = all
		}
	}
	return best
}

// candidates are the requests that may be the newest accepted one, the likeliest first: the last that is known to be
// accepted, and the uncertain ones around it. A request that was sent before it may have waited for a paused Redis and have
// been recorded after it.
func candidates(s Store) []Request {
	last := -1
	for i, r := range s.Requests {
		if r.Answer == Accepted && (last < 0 || r.Generation >= s.Requests[last].Generation) {
			last = i
		}
	}
	var all []Request
	if last >= 0 {
		all = append(all, s.Requests[last])
	}
	for i, r := range s.Requests {
		if r.Answer == Uncertain && (i > last || s.Requests[last].Sent.Sub(r.Sent) < Reordered) {
			all = append(all, r)
		}
	}
	if last < 0 {
		all = append(all, Request{Request: provision.Request{StoreID: s.ID, Action: nothing}}) // none was recorded
	}
	return all
}

// Reordered is by how much an earlier request may be recorded after a later one.
const Reordered time.Duration = 20e9

// nothing is the operation of a store that was never requested.
const nothing provision.Op = ""

// against compares the state with one request as the newest.
func against(s Store, r Request) []Finding {
	f := &findings{store: s.ID}
	outcome := f.recorded(s, r)
	switch {
	case f.all != nil:
		// The request has no outcome; all else follows from that.
	case r.Action == nothing:
		f.absent(s)
	case gaveUp(outcome):
		// Five workers ended while they worked on it: FAILED was delivered, and the store stays as it was left.
	case outcome.Status == provision.StatusReady:
		f.present(s, r, outcome)
	case outcome.Status == provision.StatusDeleted && r.RetainData:
		f.retained(s)
	case outcome.Status == provision.StatusDeleted:
		f.absent(s)
	default:
		f.add(Wrong, "no store fails: every request is valid", "%s: %s", outcome.Status, outcome.Error)
	}
	return f.all
}
