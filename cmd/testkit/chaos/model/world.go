package model

import (
	"slices"

	"orchestrator/provision"
)

// recorded compares the record with r as the newest request, and returns the outcome that was delivered for it.
func (f *findings) recorded(s Store, r Request) Delivery {
	record := s.Found.Record
	if r.Action == nothing {
		if record.Generation != 0 {
			f.add(Wrong, "no request was recorded", "generation %d", record.Generation)
		}
		return Delivery{}
	}
	switch {
	case s.Losses > 0 && r.Action == provision.OpDelete && !r.RetainData && record.Generation == 0:
		return lastOutcome(s) // of a store that is gone the cluster keeps nothing that a record could be restored from
	case !isRecorded(s, r):
		f.add(Lost, "the record holds the newest request", "%s %d was sent, the record holds %s %d", r.Action, r.Generation, record.Op, record.Generation)
	case record.Op != r.Action, record.Op == provision.OpProvision && record.Digest != r.Digest():
		f.add(Wrong, "the record holds the newest request", "it holds another %s, of generation %d", record.Op, record.Generation)
	case !record.Decided || record.Deleting:
		f.add(Stuck, "every request has an outcome", "%s %d has none", r.Action, record.Generation)
	case record.PendingCallbacks > 0:
		f.add(Stuck, "every outcome is delivered", "%d callbacks are pending", record.PendingCallbacks)
	}
	outcome := lastOutcome(s)
	if f.all == nil && outcome.Generation != record.Generation {
		f.add(Lost, "the outcome of the newest generation is delivered", "%s %d: the last delivery was %q of generation %d", r.Action, record.Generation, outcome.Status, outcome.Generation)
	}
	return outcome
}

// isRecorded reports whether the record may be of this request. It may have a later generation of the same request, if the
// Secret of a READY was deleted by hand or ingest recorded the request twice.
func isRecorded(s Store, r Request) bool {
	record := s.Found.Record
	if r.Generation == 0 {
		return record.Generation != 0 && !generations(s)[record.Generation]
	}
	return record.Generation == r.Generation || record.Generation > r.Generation && (s.Wiped > 0 || s.Ambiguous)
}

// present: the store exists as its newest request specifies it.
func (f *findings) present(s Store, r Request, outcome Delivery) {
	w := s.Found
	if w.Namespace == nil {
		f.add(Lost, "a store that is READY exists", "there is no namespace")
		return
	}
	ns := w.Namespace
	if ns.Label != provision.StoreLabel(s.ID) || ns.StoreID != s.ID || ns.Generation != w.Record.Generation || ns.Op != provision.OpProvision || ns.Terminating {
		f.add(Wrong, "the namespace carries the store and generation that it belongs to", "%+v, the record has generation %d", *ns, w.Record.Generation)
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
		f.add(Wrong, "the shop is as the newest request specifies: "+title+" on "+r.Host, "%s at %s on %v", w.Title, w.URL, w.Hosts)
	}
	if outcome.URL != r.StoreURL {
		f.add(Wrong, "READY names "+r.StoreURL, "%s", outcome.URL)
	}
	if w.Password == "" || w.Password != outcome.Password {
		f.add(Wrong, "READY carries the password of the Secret", "they differ, or one is missing")
	}
	if asked := rotation(s); w.Rotated < asked || w.Rotating {
		f.add(Lost, "other credentials that were asked for are the store's", "asked for by %d, the Secret is as new as %d; under way: %t", asked, w.Rotated, w.Rotating)
	}
	if w.Claims == 0 || w.Unbound > 0 || w.Volumes != w.Claims {
		f.add(Wrong, "each volume claim has its volume", "%d claims, %d without one, %d volumes", w.Claims, w.Unbound, w.Volumes)
	}
	if !slices.Equal(w.OwnedHosts, []string{r.Host}) || !slices.Equal(w.OwnedNamespaces, []string{r.Namespace}) {
		f.add(Leaked, "the store owns "+r.Host+" and "+r.Namespace, "%v and %v", w.OwnedHosts, w.OwnedNamespaces)
	}
}

// retained: the data of a deleted store is there, under its names, and nothing else.
func (f *findings) retained(s Store) {
	w := s.Found
	if w.Namespace == nil {
		f.add(Lost, "retained data exists", "there is no namespace")
		return
	}
	if ns := w.Namespace; ns.Label != provision.StoreLabel(s.ID) || ns.StoreID != s.ID || ns.Op != provision.OpDelete || ns.Terminating {
		f.add(Wrong, "the namespace of retained data carries its store", "%+v", *ns)
	}
	if len(w.Revisions)+len(w.Hosts) > 0 {
		f.add(Leaked, "of a deleted store only its data is retained", "releases %v, hosts %v", w.Revisions, w.Hosts)
	}
	if w.Password == "" || w.Claims == 0 || w.Unbound > 0 || w.Volumes != w.Claims {
		f.add(Lost, "retained data is complete", "the password is missing: %t; %d claims, %d without a volume, %d volumes", w.Password == "", w.Claims, w.Unbound, w.Volumes)
	}
	if len(w.OwnedHosts) > 0 || len(w.OwnedNamespaces) != 1 {
		f.add(Leaked, "retained data owns its namespace and no host", "%v and %v", w.OwnedHosts, w.OwnedNamespaces)
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
	if len(w.OwnedHosts)+len(w.OwnedNamespaces) > 0 {
		f.add(Leaked, "a deleted store owns nothing", "%v, %v", w.OwnedHosts, w.OwnedNamespaces)
	}
}

// leftovers: when all callbacks are delivered, nothing is held for the store.
func (f *findings) leftovers(w Found) {
	held := map[string]bool{"the lease": w.Record.Lease, "the callback claim": w.Record.Claim, "an entry of the sweeper's list": w.Record.Outstanding}
	for _, what := range []string{"the lease", "the callback claim", "an entry of the sweeper's list"} {
		if held[what] {
			f.add(Leaked, "nothing is held for a store at rest", "%s is still there", what)
		}
	}
	if w.DeadLetters > 0 {
		f.add(Lost, "no callback becomes a dead letter", "%d dead letters", w.DeadLetters)
	}
}

// rotation is the newest accepted request for other credentials of the store as it exists, 0 where there is none: one that was deleted since has new ones in any case.
func rotation(s Store) (newest int64) {
	for i, r := range s.Requests {
		if r.Rotates && r.Answer == Accepted && !deletedLater(s, i) {
			newest = max(newest, r.Generation)
		}
	}
	return newest
}
