package model

import (
	"strings"

	"orchestrator/provision"
)

// first returns the deliveries without those that repeat an earlier one.
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

// order: callbacks of a store arrive one at a time, in order of sequence, and only generations that somebody asked for.
func (f *findings) order(s Store) {
	known, last := generations(s), Delivery{}
	for _, d := range s.Deliveries {
		if d.Beside {
			f.add(Wrong, "callbacks of a store are sent one at a time", "%s %s arrived while another was being answered", d.Status, d.ID)
		}
	}
	for _, d := range first(s.Deliveries) {
		if d.Sequence <= last.Sequence {
			f.add(Wrong, "callbacks arrive in order of sequence", "%s %s arrived after %s %s", d.Status, d.ID, last.Status, last.ID)
		}
		if !known[d.Generation] && !mayBeUnknown(s) {
			f.add(Wrong, "callbacks are of generations that were accepted", "%s %s", d.Status, d.ID)
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

// mayBeUnknown reports whether the caller may not know of a generation: a request without an answer made one, an answer
// that was lost on its way from Redis made ingest ask twice, or a READY whose Secret had been deleted by hand made the
// worker run the store again.
func mayBeUnknown(s Store) bool {
	for _, r := range s.Requests {
		if r.Answer == Perhaps {
			return true
		}
	}
	return s.Wiped > 0 || s.Blurred
}

// duplicates: one generation has one truth, and only a failure may later become a success.
func (f *findings) duplicates(s Store) {
	truths := map[int64][]Delivery{}
	for _, d := range first(s.Deliveries) {
		if !d.Status.Final() {
			continue
		}
		before := truths[d.Generation]
		if n := len(before); n > 0 && (before[n-1].Status.Succeeded() || !d.Status.Succeeded()) {
			f.add(Duplicate, "one truth for generation of "+before[n-1].ID, "%s %s after %s %s", d.Status, d.ID, before[n-1].Status, before[n-1].ID)
		}
		truths[d.Generation] = append(before, d)
	}
}

// passwords: while a store lives its password stays. A namespace deleted by hand takes the Secret with it.
func (f *findings) passwords(s Store) {
	var used []string
	changes := s.Wiped
	for _, d := range first(s.Deliveries) {
		if d.Status == provision.StatusDeleted {
			used = nil
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
			f.add(Wrong, "the password of a living store never changes", "%s told another one", d.ID)
		}
	}
}

// deletes: every accepted delete that no newer delete took the place of is told DELETED, before anything of a later
// generation is told.
func (f *findings) deletes(s Store) {
	looked := map[int64]bool{}
	for i, r := range s.Requests {
		if r.Action != provision.OpDelete || r.Answer != Accepted || looked[r.Generation] || deletedLater(s, i) {
			continue
		}
		looked[r.Generation] = true
		switch told, overtaken := endOf(s, r.Generation); {
		case !told && s.Found.Record.Deleting:
			f.add(Stuck, "every delete ends", "delete %d has not ended", r.Generation)
		case !told:
			f.add(Lost, "DELETED is told for every delete", "nothing was told of delete %d", r.Generation)
		case overtaken != "":
			f.add(Wrong, "DELETED is told before anything newer", "%s overtook delete %d", overtaken, r.Generation)
		}
	}
}

// endOf reports whether the end of a delete was told, and what of a later generation was told before.
func endOf(s Store, generation int64) (told bool, overtaken string) {
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

// deletedLater reports whether another delete may have taken the i-th request's place.
func deletedLater(s Store, i int) bool {
	for j, r := range s.Requests {
		around := j > i || s.Requests[i].Sent.Sub(r.Sent) < reordered
		if j != i && r.Action == provision.OpDelete && (r.Answer == Perhaps && around || r.Answer == Accepted && r.Generation > s.Requests[i].Generation) {
			return true
		}
	}
	return false
}

// lastTruth is the newest truth that the backend has confirmed.
func lastTruth(s Store) Delivery {
	var last Delivery
	for _, d := range s.Deliveries {
		if d.Told && d.Status.Final() && d.Sequence >= last.Sequence {
			last = d
		}
	}
	return last
}

// gaveUp reports whether a generation was ended since its runs kept ending their workers.
func gaveUp(d Delivery) bool {
	return !d.Status.Succeeded() && strings.HasPrefix(d.Error, "the work on this store ended the worker ")
}
