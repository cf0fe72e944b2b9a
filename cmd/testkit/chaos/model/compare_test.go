package model

import (
	"testing"
	"time"

	"orchestrator/provision"
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at sends a request some seconds after the beginning.
func at(seconds int, action provision.Op, title string, answer Answer, generation int64) Request {
	r := provision.Request{StoreID: "s", Action: action}
	if action == provision.OpProvision {
		r = provision.Request{StoreID: "s", Name: "s", Engine: "medusa", Namespace: "store-s", Host: "s.test", StoreURL: "https://s.test",
			Action: action, Settings: provision.Settings{Title: title}}
	}
	return Request{Request: r, Sent: began.Add(time.Duration(seconds) * time.Second), Answer: answer, Generation: generation}
}

func ready(sequence, generation int64, password string) Delivery {
	return delivery(provision.StatusReady, sequence, generation, password)
}

func delivery(status provision.Status, sequence, generation int64, password string) Delivery {
	d := Delivery{ID: string(rune('a' + sequence)), Generation: generation, Sequence: sequence, Status: status, Acknowledged: true, Password: password}
	if status == provision.StatusReady {
		d.URL = "https://s.test"
	}
	return d
}

// existing is a store that was provisioned as 100 and changed as 200, and is correct.
func existing() Store {
	last := at(60, provision.OpProvision, "new", Accepted, 200)
	return Store{
		ID:         "s",
		Requests:   []Request{at(0, provision.OpProvision, "old", Accepted, 100), last},
		Deliveries: []Delivery{ready(1, 100, "secret"), ready(2, 200, "secret")},
		Found: Found{
			Namespace: &Namespace{Label: provision.StoreLabel("s"), StoreID: "s", Generation: 200, Op: provision.OpProvision},
			Revisions: []string{"superseded", "deployed"}, Title: "new", URL: "https://s.test", Hosts: []string{"s.test"}, Password: "secret",
			Claims: 2, Volumes: 2, OwnedHosts: []string{"s.test"}, OwnedNamespaces: []string{"store-s"},
			Record: Record{Generation: 200, Op: provision.OpProvision, Digest: last.Digest(), Decided: true},
		},
	}
}

// deleted is a store that was provisioned as 100 and deleted as 200, and is gone.
func deleted() Store {
	return Store{
		ID:         "s",
		Requests:   []Request{at(0, provision.OpProvision, "old", Accepted, 100), at(60, provision.OpDelete, "", Accepted, 200)},
		Deliveries: []Delivery{ready(1, 100, "secret"), delivery(provision.StatusDeleted, 2, 200, "")},
		Found:      Found{Record: Record{Generation: 200, Op: provision.OpDelete, Digest: "delete", Decided: true}},
	}
}

// recreated was deleted as 200 and provisioned as 300 at once.
func recreated() Store {
	s, last := existing(), at(61, provision.OpProvision, "new", Accepted, 300)
	s.Requests = []Request{at(0, provision.OpProvision, "old", Accepted, 100), at(60, provision.OpDelete, "", Accepted, 200), last}
	s.Deliveries = []Delivery{ready(1, 100, "first"), delivery(provision.StatusDeleted, 2, 200, ""), ready(3, 300, "secret")}
	s.Found.Namespace.Generation, s.Found.Record.Generation = 300, 300
	return s
}

// rotated has got another password by the request 200.
func rotated() Store {
	s := existing()
	s.Requests[1].Rotates, s.Deliveries[0].Password, s.Found.Rotated = true, "before", 200
	return s
}

func TestCompareCorrectStates(t *testing.T) {
	never := Store{ID: "s", Requests: []Request{at(0, provision.OpProvision, "old", Uncertain, 0)}}
	uncertainRejected := existing()
	uncertainRejected.Requests = append(uncertainRejected.Requests, at(90, provision.OpDelete, "", Uncertain, 0))
	uncertainAccepted := existing()
	uncertainAccepted.Requests[1].Answer, uncertainAccepted.Requests[1].Generation = Uncertain, 0
	reordered := existing()
	reordered.Requests = append(reordered.Requests[:1], at(57, provision.OpProvision, "new", Uncertain, 0), at(60, provision.OpProvision, "newer", Accepted, 150))
	wiped := existing()
	wiped.Wiped, wiped.Deliveries[0].Password = 1, "before"
	repeated := existing()
	repeated.Deliveries = append(repeated.Deliveries[:1], repeated.Deliveries...)
	superseded := existing()
	superseded.Deliveries = superseded.Deliveries[1:]
	failedFirst := existing()
	failedFirst.Deliveries = []Delivery{delivery(provision.StatusFailed, 1, 200, ""), ready(2, 200, "secret")}
	gaveUp := existing()
	gaveUp.Deliveries[1] = delivery(provision.StatusFailed, 2, 200, "")
	gaveUp.Deliveries[1].Error = "the work on this store ended the worker 5 times; it is not tried again by itself"
	halfDeleted := existing()
	halfDeleted.Requests = []Request{halfDeleted.Requests[0], at(30, provision.OpDelete, "", Accepted, 150), halfDeleted.Requests[1]}
	halfDeleted.Deliveries = []Delivery{ready(1, 100, "before"), delivery(provision.StatusDeleteFailed, 2, 150, ""), ready(3, 200, "secret")}
	halfDeleted.Deliveries[1].Error = gaveUp.Deliveries[1].Error
	twice := deleted()
	twice.Requests = append(twice.Requests[:1], at(50, provision.OpDelete, "", Accepted, 150), twice.Requests[1])
	joined := deleted()
	joined.Requests = append(joined.Requests, joined.Requests[1])
	for name, s := range map[string]Store{
		"existing": existing(), "deleted": deleted(), "recreated": recreated(), "never accepted": never, "uncertain and not accepted": uncertainRejected,
		"uncertain and accepted": uncertainAccepted, "uncertain and recorded after a later request": reordered, "wiped by hand": wiped,
		"delivered twice under one id": repeated, "superseded before it was delivered": superseded, "failed, then ready": failedFirst,
		"given up after five crashes": gaveUp, "created again after a delete that was given up": halfDeleted, "deleted twice": twice, "delete joined": joined,
		"data retained": kept(), "created again with its data": keptAndRecreated(), "deleted before Redis lost its data": forgotten(),
		"created after Redis lost its data": anew(), "another password": rotated(),
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range Compare(s) {
				t.Errorf("%s: expected: %s; found: %s", f.Kind, f.Expected, f.Found)
			}
		})
	}
}

// kept was provisioned as 100 and deleted as 200, with its data retained.
func kept() Store {
	s := existing()
	s.Requests[1] = at(60, provision.OpDelete, "", Accepted, 200)
	s.Requests[1].RetainData = true
	s.Deliveries[1] = delivery(provision.StatusDeleted, 2, 200, "")
	s.Found.Namespace.Op, s.Found.Record.Op, s.Found.Record.Digest = provision.OpDelete, provision.OpDelete, "delete"
	s.Found.Revisions, s.Found.Hosts, s.Found.OwnedHosts = nil, nil, nil
	return s
}

// keptAndRecreated was provisioned again as 300, with the data and the password that it had.
func keptAndRecreated() Store {
	s, last := existing(), at(90, provision.OpProvision, "new", Accepted, 300)
	s.Requests, s.Deliveries = append(kept().Requests, last), append(kept().Deliveries, ready(3, 300, "secret"))
	s.Found.Namespace.Generation, s.Found.Record.Generation = 300, 300
	return s
}

// forgotten was deleted before Redis lost its data, and anew was created again after that.
func forgotten() Store {
	s := deleted()
	s.Losses, s.Found.Record = 1, Record{}
	return s
}

func anew() Store {
	s := recreated()
	s.Losses, s.Deliveries[2].Losses, s.Deliveries[2].Sequence = 1, 1, 1
	return s
}

// Each fault is planted alone in a correct state, and has to be found as its kind.
func TestComparePlantedFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		world func() Store
		plant func(*Store)
		kind  Kind
	}{
		{"accepted and never recorded", existing, func(s *Store) { s.Found.Record.Generation = 100 }, Lost},
		{"the record is another request's", existing, func(s *Store) { s.Found.Record.Digest = "other" }, Wrong},
		{"no outcome", existing, func(s *Store) { s.Found.Record.Decided = false }, Stuck},
		{"outcome not delivered", existing, func(s *Store) { s.Found.Record.PendingCallbacks = 1; s.Deliveries[1].Acknowledged = false }, Stuck},
		{"outcome dropped", existing, func(s *Store) { s.Deliveries = s.Deliveries[:1] }, Lost},
		{"rejected with 500 and dropped", existing, func(s *Store) { s.Deliveries[1].Acknowledged = false }, Lost},
		{"failed", existing, func(s *Store) { s.Deliveries[1] = delivery(provision.StatusFailed, 2, 200, "") }, Wrong},
		{"refused", existing, func(s *Store) { s.Requests[0].Answer = Refused }, Wrong},
		{"no namespace", existing, func(s *Store) { s.Found.Namespace = nil }, Lost},
		{"another's namespace", existing, func(s *Store) { s.Found.Namespace.Label = "" }, Wrong},
		{"namespace of an older generation", existing, func(s *Store) { s.Found.Namespace.Generation = 100 }, Wrong},
		{"namespace marked as being deleted", existing, func(s *Store) { s.Found.Namespace.Op = provision.OpDelete }, Wrong},
		{"namespace on its way out", existing, func(s *Store) { s.Found.Namespace.Terminating = true }, Wrong},
		{"two revisions deployed", existing, func(s *Store) { s.Found.Revisions = []string{"deployed", "deployed"} }, Wrong},
		{"release left pending", existing, func(s *Store) { s.Found.Revisions = []string{"pending-upgrade"} }, Wrong},
		{"values of an older request", existing, func(s *Store) { s.Found.Title = "old" }, Wrong},
		{"ingress on an older host", existing, func(s *Store) { s.Found.Hosts = []string{"old.test"} }, Wrong},
		{"password is not the Secret's", existing, func(s *Store) { s.Found.Password = "other" }, Wrong},
		{"password made anew", existing, func(s *Store) { s.Deliveries[0].Password = "before" }, Wrong},
		{"password not rotated", rotated, func(s *Store) { s.Found.Rotated = 100 }, Lost},
		{"password half rotated", rotated, func(s *Store) { s.Found.Rotating = true }, Lost},
		{"password made anew twice", rotated, func(s *Store) {
			s.Deliveries = []Delivery{ready(1, 100, "first"), ready(2, 100, "before"), ready(3, 200, "secret")}
		}, Wrong},
		{"READY without password", existing, func(s *Store) { s.Deliveries[0].Password = "" }, Wrong},
		{"READY with another url", existing, func(s *Store) { s.Deliveries[1].URL = "https://old.test" }, Wrong},
		{"claim without volume", existing, func(s *Store) { s.Found.Unbound = 1 }, Wrong},
		{"host not owned", existing, func(s *Store) { s.Found.OwnedHosts = nil }, Leaked},
		{"old host still owned", existing, func(s *Store) { s.Found.OwnedHosts = []string{"old.test", "s.test"} }, Leaked},
		{"two outcomes", existing, func(s *Store) { s.Deliveries = append(s.Deliveries, ready(3, 200, "secret")) }, Duplicate},
		{"failed twice", existing, func(s *Store) {
			s.Deliveries = []Delivery{delivery(provision.StatusFailed, 1, 100, ""), delivery(provision.StatusFailed, 2, 100, ""), ready(3, 200, "secret")}
		}, Duplicate},
		{"out of order", existing, func(s *Store) { s.Deliveries[0], s.Deliveries[1] = s.Deliveries[1], s.Deliveries[0] }, Wrong},
		{"two at once", existing, func(s *Store) { s.Deliveries[1].Concurrent = true }, Wrong},
		{"a generation that was not requested", existing, func(s *Store) { s.Deliveries[0].Generation = 150 }, Wrong},
		{"lease held", existing, func(s *Store) { s.Found.Record.Lease = true }, Leaked},
		{"callbacks claimed", deleted, func(s *Store) { s.Found.Record.Claim = true }, Leaked},
		{"still outstanding", deleted, func(s *Store) { s.Found.Record.Outstanding = true }, Leaked},
		{"dead letter", deleted, func(s *Store) { s.Found.DeadLetters = 1 }, Lost},
		{"namespace left", deleted, func(s *Store) { s.Found.Namespace = &Namespace{} }, Leaked},
		{"volumes left", deleted, func(s *Store) { s.Found.Volumes = 1 }, Leaked},
		{"host of a deleted store still owned", deleted, func(s *Store) { s.Found.OwnedHosts = []string{"s.test"} }, Leaked},
		{"retained data is gone", kept, func(s *Store) { s.Found.Namespace = nil }, Lost},
		{"retained data without its password", kept, func(s *Store) { s.Found.Password = "" }, Lost},
		{"retained data without a volume", kept, func(s *Store) { s.Found.Volumes = 1 }, Lost},
		{"retained data is being deleted", kept, func(s *Store) { s.Found.Namespace.Terminating = true }, Wrong},
		{"release left beside retained data", kept, func(s *Store) { s.Found.Revisions = []string{"deployed"} }, Leaked},
		{"host of retained data still owned", kept, func(s *Store) { s.Found.OwnedHosts = []string{"s.test"} }, Leaked},
		{"retained data without an owner", kept, func(s *Store) { s.Found.OwnedNamespaces = nil }, Leaked},
		{"password of retained data made anew", keptAndRecreated, func(s *Store) { s.Deliveries[0].Password = "before" }, Wrong},
		{"retained data without a record", kept, func(s *Store) { s.Losses, s.Found.Record = 1, Record{} }, Lost},
		{"out of order after Redis lost its data", anew, func(s *Store) { s.Deliveries[1].Sequence, s.Deliveries[2].Losses = 1, 0 }, Wrong},
		{"delete not delivered", deleted, func(s *Store) { s.Deliveries = s.Deliveries[:1] }, Lost},
		{"delete superseded by a provision", recreated, func(s *Store) { s.Deliveries = append(s.Deliveries[:1:1], ready(3, 300, "secret")) }, Lost},
		{"delete overtaken", recreated, func(s *Store) { s.Deliveries[1], s.Deliveries[2] = s.Deliveries[2], s.Deliveries[1] }, Wrong},
		{"delete that never ends", recreated, func(s *Store) {
			s.Found.Record.Deleting, s.Found.Record.Decided, s.Deliveries = true, false, s.Deliveries[:1]
		}, Stuck},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.world()
			c.plant(&s)
			for _, f := range Compare(s) {
				if f.Kind == c.kind {
					return
				}
			}
			t.Errorf("not found as %s; found: %v", c.kind, Compare(s))
		})
	}
}
