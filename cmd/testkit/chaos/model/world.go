package model

import (
	"slices"

	"orchestrator/provision"
)

// recorded compares the record with r as the newest request, and returns the truth that was told of it.
func (f *findings) recorded(s Store, r Request) Delivery {
	record := s.Found.Record
	if r.Action == nothing {
		if record.Generation != 0 {
			f.add(Wrong, "no request was recorded", "generation %d", record.Generation)
		}
		return Delivery{}
	}
	switch {
	case !isRecorded(s, r):
		f.add(Lost, "the newest request is the record's", "%s %d was sent, the record has %s %d", r.Action, r.Generation, record.Op, record.Generation)
	case record.Op != r.Action, record.Op == provision.OpProvision && record.Digest != r.Digest():
		f.add(Wrong, "the record holds the newest request", "another %s, of generation %d", record.Op, record.Generation)
	case !record.Decided || record.Deleting:
		f.add(Stuck, "every request has its verdict", "%s %d has none", r.Action, record.Generation)
	case record.Untold > 0:
		f.add(Stuck, "every verdict is told", "%d callbacks wait", record.Untold)
	}
	truth := lastTruth(s)
	if f.all == nil && truth.Generation != record.Generation {
		f.add(Lost, "the newest generation's truth is told", "%s %d: told last was %q of %d", r.Action, record.Generation, truth.Status, truth.Generation)
	}
	return truth
}

// isRecorded reports whether the record may be of this request. Its generation may be a later one that was made for the
// equal request: for a READY whose Secret had been deleted by hand, or by an ingest that asked twice.
func isRecorded(s Store, r Request) bool {
	record := s.Found.Record
	if r.Generation == 0 {
		return record.Generation != 0 && !generations(s)[record.Generation]
	}
	return record.Generation == r.Generation || record.Generation > r.Generation && (s.Wiped > 0 || s.Blurred)
}

// present: the store exists as its newest request wants it.
func (f *findings) present(s Store, r Request, truth Delivery) {
	w := s.Found
	if w.Namespace == nil {
		f.add(Lost, "a store that is READY exists", "there is no namespace")
		return
	}
	ns := w.Namespace
	if ns.Label != provision.StoreLabel(s.ID) || ns.StoreID != s.ID || ns.Generation != w.Record.Generation || ns.Op != provision.OpProvision || ns.Terminating {
		f.add(Wrong, "the namespace says whose it is, and of which generation", "%+v, the record has generation %d", *ns, w.Record.Generation)
	}
	deployed := 0
	for _, status := range w.Revisions {
		if status == "deployed" {
			deployed++
		}
	}
	if deployed != 1 {
		f.add(Wrong, "exactly one revision of the release is deployed", "revisions: %v", w.Revisions)
	}
	title := r.Settings.Title
	if title == "" {
		title = r.Host
	}
	if w.Title != title || w.URL != r.StoreURL || !slices.Equal(w.Hosts, []string{r.Host}) {
		f.add(Wrong, "the shop is the one of the newest request: "+title+" on "+r.Host, "%s at %s on %v", w.Title, w.URL, w.Hosts)
	}
	if truth.URL != r.StoreURL {
		f.add(Wrong, "READY names "+r.StoreURL, "%s", truth.URL)
	}
	if w.Password == "" || w.Password != truth.Password {
		f.add(Wrong, "the password told is the Secret's", "they differ, or there is none")
	}
	if w.Claims == 0 || w.Unbound > 0 || w.Volumes != w.Claims {
		f.add(Wrong, "each volume claim has its volume", "%d claims, %d without one, %d volumes", w.Claims, w.Unbound, w.Volumes)
	}
	if !slices.Equal(w.OwnHosts, []string{r.Host}) || !slices.Equal(w.OwnSpaces, []string{r.Namespace}) {
		f.add(Leaked, "the store owns "+r.Host+" and "+r.Namespace, "%v and %v", w.OwnHosts, w.OwnSpaces)
	}
}

// absent: nothing of the store is left.
func (f *findings) absent(s Store) {
	w := s.Found
	if w.Namespace != nil {
		f.add(Leaked, "a deleted store is gone", "its namespace is there: %+v", *w.Namespace)
	}
	if w.Volumes > 0 {
		f.add(Leaked, "a deleted store is gone", "%d volumes are there", w.Volumes)
	}
	if len(w.OwnHosts)+len(w.OwnSpaces) > 0 {
		f.add(Leaked, "a deleted store owns nothing", "%v, %v", w.OwnHosts, w.OwnSpaces)
	}
}

// leftovers: when all is told, nobody holds anything of the store.
func (f *findings) leftovers(w Found) {
	held := map[string]bool{"the gate": w.Record.Gate, "the turn": w.Record.Turn, "an entry of the sweeper's list": w.Record.Open}
	for _, what := range []string{"the gate", "the turn", "an entry of the sweeper's list"} {
		if held[what] {
			f.add(Leaked, "nobody holds anything of the store", "%s is there", what)
		}
	}
	if w.DeadLetter > 0 {
		f.add(Lost, "the backend refuses nothing for good", "%d dead letters", w.DeadLetter)
	}
}
