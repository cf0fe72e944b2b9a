package model

import (
	"fmt"

	"orchestrator/provision"
)

// Compare returns what is not as it should be, for one store. Which of the requests that may or may not have been
// accepted was the last is not known, so each possibility is compared, and the one with the fewest findings counts:
// a world is right if it is right for one of them.
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

// refusals: nothing in these runs contradicts a living store or breaks a rule.
func (f *findings) refusals(s Store) {
	for _, r := range s.Requests {
		if r.Answer == Refused {
			f.add(Wrong, "every request is accepted, or answered 503", "%s was answered %s", r.Action, r.Said)
		}
	}
}

// newest compares the world with the newest request, whichever that was.
func newest(s Store) []Finding {
	var best []Finding
	for i, candidate := range candidates(s) {
		if all := against(s, candidate); i == 0 || len(all) < len(best) {
			best = all
		}
	}
	return best
}

// candidates are the requests that may be the newest accepted one: the last accepted, and those around it that nobody
// knows of. One that was sent before it may have waited in a Redis that was stopped, and have been recorded after it.
// The first is the likeliest.
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
		if r.Answer == Perhaps && (i > last || s.Requests[last].Sent.Sub(r.Sent) < reordered) {
			all = append(all, r)
		}
	}
	if last < 0 {
		all = append(all, Request{Request: provision.Request{StoreID: s.ID, Action: nothing}}) // none was recorded
	}
	return all
}

// reordered is how long a request may wait in Redis for one that was sent after it.
const reordered = 20e9

// nothing is the operation of a store that nobody ever asked for.
const nothing provision.Op = ""

// against compares the world with one request as the newest.
func against(s Store, r Request) []Finding {
	f := &findings{store: s.ID}
	truth := f.recorded(s, r)
	switch {
	case f.all != nil:
		// What the request came to is found; the rest follows from it.
	case r.Action == nothing:
		f.absent(s)
	case gaveUp(truth):
		// Five workers ended while they worked on it: that is told as a failure, and the store is as it was left.
	case truth.Status == provision.StatusReady:
		f.present(s, r, truth)
	case truth.Status == provision.StatusDeleted:
		f.absent(s)
	default:
		f.add(Wrong, "no store fails: nothing is the matter with it", "%s: %s", truth.Status, truth.Error)
	}
	return f.all
}
