package model

import (
	"strings"

	"orchestrator/provision"
)

// first returns the deliveries without repetitions.
func first(all []Delivery) []Delivery {
	var kept []Delivery
	seen := map[string]bool{}
	for _, d := range all {
		if !seen[d.ID] {
			seen[d.ID] = true
			kept = append(kept, d)
		}
	}
	return kept
}

// after reports whether a delivery is later in order of sequence than another one. A record that is lost with Redis takes its sequence with it.
func (d Delivery) after(other Delivery) bool {
	return d.Losses > other.Losses || d.Losses == other.Losses && d.Sequence > other.Sequence
}

// order: callbacks of a store arrive one at a time, in order of sequence, and only for generations that were requested.
func (f *findings) order(s Store) {
	known, last := generations(s), Delivery{}
	for _, d := range s.Deliveries {
		if d.Concurrent {
			f.add(Wrong, "callbacks of a store are sent one at a time", "%s %s arrived while another one had no response yet", d.Status, d.ID)
		}
	}
	for _, d := range first(s.Deliveries) {
		if !d.after(last) {
			f.add(Wrong, "callbacks arrive in order of sequence", "%s %s arrived after %s %s", d.Status, d.ID, last.Status, last.ID)
		}
		if !known[d.Generation] && !mayBeUnknown(s) {
			f.add(Wrong, "callbacks are for generations that were accepted", "%s %s", d.Status, d.ID)
		}
		last = d
	}
}

func generations(s Store) map[int64]bool {
	known := map[int64]bool{}
	for _, r := range s.Requests {
		if r.Answer == Accepted {
			known[r.Generation] = true
		}
	}
	return known
}

// mayBeUnknown reports whether there may be a generation that the client does not know: a request without a response made
// one, ingest recorded a request twice because it lost Redis' reply, or the worker ran the store again because the Secret of
// a READY had been deleted by hand.
func mayBeUnknown(s Store) bool {
	for _, r := range s.Requests {
		if r.Answer == Uncertain {
			return true
		}
	}
	return s.Wiped > 0 || s.Ambiguous
}

// duplicates: a generation has one outcome; only a failure may be followed by a success.
func (f *findings) duplicates(s Store) {
	outcomes := map[int64][]Delivery{}
	for _, d := range first(s.Deliveries) {
		if !d.Status.Final() {
			continue
		}
		before := outcomes[d.Generation]
		if n := len(before); n > 0 && (before[n-1].Status.Succeeded() || !d.Status.Succeeded()) {
			f.add(Duplicate, "one outcome for the generation of "+before[n-1].ID, "%s %s after %s %s", d.Status, d.ID, before[n-1].Status, before[n-1].ID)
		}
		outcomes[d.Generation] = append(before, d)
	}
}

// passwords: the password of a store does not change until the store is deleted or another one is asked for. A namespace that is deleted by hand takes
// the Secret with it, and so does a delete that was given up: the next provision removes first what it has left.
func (f *findings) passwords(s Store) {
	var used []string
	changes, retained := s.Wiped, retaining(s)
	for _, r := range s.Requests {
		if r.Rotates && r.Answer != Refused {
			changes++
		}
	}
	for _, d := range first(s.Deliveries) {
		if d.Status == provision.StatusDeleted && !retained[d.Generation] {
			used = nil
		}
		if d.Status == provision.StatusDeleteFailed && gaveUp(d) {
			changes++
		}
		if d.Status != provision.StatusReady {
			continue
		}
		switch {
		case d.Password == "":
			f.add(Wrong, "READY carries the password", "%s has none", d.ID)
		case len(used) == 0:
			used = []string{d.Password}
		case used[len(used)-1] == d.Password:
		case changes > 0:
			changes--
			used = append(used, d.Password)
		default:
			f.add(Wrong, "the password of a store does not change while the store exists", "%s carries another one", d.ID)
		}
	}
}

// retaining are the generations of the accepted deletes that retain the data, and the password with it.
func retaining(s Store) map[int64]bool {
	known := map[int64]bool{}
	for _, r := range s.Requests {
		if r.Answer == Accepted && r.RetainData {
			known[r.Generation] = true
		}
	}
	return known
}

// deletes: DELETED is delivered for every accepted delete that no newer delete has superseded, before any outcome of a later
// generation.
func (f *findings) deletes(s Store) {
	checked := map[int64]bool{}
	for i, r := range s.Requests {
		if r.Action != provision.OpDelete || r.Answer != Accepted || checked[r.Generation] || deletedLater(s, i) {
			continue
		}
		checked[r.Generation] = true
		switch delivered, overtaken := endOf(s, r.Generation); {
		case !delivered && s.Found.Record.Deleting:
			f.add(Stuck, "every delete ends", "delete %d has not ended", r.Generation)
		case !delivered:
			f.add(Lost, "DELETED is delivered for every delete", "no outcome of delete %d was delivered", r.Generation)
		case overtaken != "":
			f.add(Wrong, "DELETED is delivered before any newer outcome", "%s overtook delete %d", overtaken, r.Generation)
		}
	}
}

// endOf reports whether the outcome of a delete was delivered, and which outcome of a later generation came before it.
func endOf(s Store, generation int64) (delivered bool, overtaken string) {
	for _, d := range first(s.Deliveries) {
		switch {
		case d.Generation == generation && d.Status.Final():
			return true, overtaken
		case d.Generation > generation && d.Status.Final():
			overtaken = string(d.Status) + " " + d.ID
		}
	}
	return false, overtaken
}

// deletedLater reports whether another delete may have superseded the i-th request.
func deletedLater(s Store, i int) bool {
	for j, r := range s.Requests {
		around := j > i || s.Requests[i].Sent.Sub(r.Sent) < Reordered
		if j != i && r.Action == provision.OpDelete && (r.Answer == Uncertain && around || r.Answer == Accepted && r.Generation > s.Requests[i].Generation) {
			return true
		}
	}
	return false
}

// lastOutcome is the newest outcome that the backend has acknowledged.
func lastOutcome(s Store) Delivery {
	var last Delivery
	for _, d := range s.Deliveries {
		if d.Acknowledged && d.Status.Final() && !last.after(d) {
			last = d
		}
	}
	return last
}

// gaveUp reports whether a generation failed because its runs kept crashing their workers.
func gaveUp(d Delivery) bool {
	return !d.Status.Succeeded() && strings.HasPrefix(d.Error, "the work on this store ended the worker ")
}
