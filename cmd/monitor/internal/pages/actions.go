package pages

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
)

// Actions are what ingest does for its callers, with the same checks. A generation that is not 0 has to be the newest: an error of code superseded otherwise.
type Actions interface {
	Do(ctx context.Context, a provision.Action, storeID string, generation int64, o Options) (found bool, err error)
	Replay(ctx context.Context, callbackID string) (provision.ReplayResult, error)
	ReleaseHold(ctx context.Context, cluster, engine string) (found bool, err error)
}

// Options are what the confirmation of an action asks for.
type Options struct {
	Reason     string // of a suspension
	RetainData bool   // of a delete
	Restore    provision.RestoreRequest
}

// action is a button and its confirmation.
type action struct {
	Action provision.Action
	Title  string
	Says   string // what happens then
	Done   string
	Danger bool // the store's id has to be typed
	Plain  bool // one press is enough
	Reason bool // a reason may be given
	Retain bool // data may be kept
	Backup bool // a backup is chosen
}

// buttons are all actions, by name.
var buttons = map[provision.Action]action{
	provision.ActionRetry: {Title: "Retry", Plain: true, Done: "The request is accepted once more.",
		Says: "The newest request is accepted once more, with its own settings. What exists is kept and used; a run that waits begins now."},
	provision.ActionRepair: {Title: "Repair", Done: "The store is run again, and everything of it is applied.",
		Says: "Helm applies everything of the store again, even what does not differ: edits made by hand are undone. Then the shop is looked at as a shopper would."},
	provision.ActionCancel: {Title: "Cancel", Done: "The request is cancelled.",
		Says: "The newest request is given up; the backend is told that it has failed, with the code cancelled. What exists stays."},
	provision.ActionSuspend: {Title: "Suspend", Reason: true, Done: "The shop is being stopped.", Says: "The shop is stopped; shoppers see 503. Everything of it is kept, and the backend is told SUSPENDED."},
	provision.ActionResume:  {Title: "Resume", Plain: true, Done: "The shop is being started.", Says: "The shop is started again, with its data and its password; the backend is told READY."},
	provision.ActionRotate: {Title: "Rotate password", Done: "The store is getting another password.",
		Says: "The shop gets another password and other keys while it runs; the old ones end. The backend is told READY with the new password."},
	provision.ActionBackup: {Title: "Back up now", Plain: true, Done: "A backup is asked for; the page shows it once it is made.",
		Says: "The store is backed up before those that the clock comes to. Nothing of the shop is stopped, and the backend is told nothing."},
	provision.ActionRestore: {Title: "Restore", Danger: true, Backup: true, Done: "The store is being restored.",
		Says: "Database, files and password become what they were when a backup began. What was sold, written and uploaded since is lost. Shoppers see 503 meanwhile; then the backend is told READY with the password."},
	provision.ActionProtect:   {Title: "Protect", Plain: true, Done: "The store is protected: deletes of it are refused.", Says: "Every delete of the store is refused until that is lifted."},
	provision.ActionUnprotect: {Title: "Lift protection", Done: "The store is no longer protected.", Says: "Deletes of the store are accepted again."},
	provision.ActionDelete: {Title: "Delete", Danger: true, Retain: true, Done: "The store is being deleted.",
		Says: "The shop, its namespace, its password and its volumes are deleted, and the host is free for another store. This cannot be undone."},
	provision.ActionReplay: {Title: "Replay callback", Plain: true, Done: "The callback is sent again.", Says: "The refused callback is sent once more, under its own id."},
}

// sure asks whether something is meant that is about more than one store.
type sure struct{ Title, Says, Path, Button, Back string }

func (p *Pages) confirmRelease(w http.ResponseWriter, r *http.Request) {
	cluster, engine := r.PathValue("cluster"), r.PathValue("engine")
	p.render.write(w, r, http.StatusOK, "sure", page{Title: "Release the hold", Nav: "/attention", Body: sure{
		"Release " + engine + " on " + cluster + "?", "All stores that wait are run now. If the cause is still there they fail, and their owners are told so; one store a minute is tried in any case.",
		"/holds/" + url.PathEscape(cluster) + "/" + url.PathEscape(engine) + "/release", "Release", "/attention?kind=hold"}})
}

func (p *Pages) confirmAbort(w http.ResponseWriter, r *http.Request) {
	p.render.write(w, r, http.StatusOK, "sure", page{Title: "Abort the rollout", Nav: "/rollout", Body: sure{
		"Abort the rollout?", "No further store is upgraded, and it cannot be resumed. What is upgraded stays so.", "/rollout/abort", "Abort", "/rollout"}})
}

func offered(names []provision.Action) (all []action) {
	for _, name := range names {
		a := buttons[name]
		a.Action = name
		all = append(all, a)
	}
	return all
}

// confirmPage asks whether it is meant.
type confirmPage struct {
	storePage
	action
	Chosen Options // so far
	Wrong  string  // what is missing
}

// missing says what an operator has yet to enter, "" if nothing.
func (a action) missing(id, typed string, o Options) string {
	switch {
	case a.Backup && o.Restore.Backup == "":
		return "Choose the backup."
	case a.Danger && typed != id:
		return "Type the store's id, " + id + ", to show that this store is meant."
	}
	return ""
}

// optionsOf reads what a confirmation has asked for.
func optionsOf(r *http.Request) Options {
	return Options{Reason: r.PostFormValue("reason"), RetainData: r.PostFormValue("retain_data") == "on",
		Restore: provision.RestoreRequest{Backup: r.PostFormValue("backup"), NewPassword: r.PostFormValue("new_password") == "on"}}
}

// confirm is GET /stores/{id}/{action}.
func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	name := provision.Action(r.PathValue("action"))
	a, known := buttons[name]
	if !known {
		p.notFound(w, r)
		return
	}
	s, ok := p.readStore(w, r)
	if !ok {
		return
	}
	a.Action = name
	p.render.write(w, r, http.StatusOK, "confirm", page{Title: a.Title + " " + s.StoreID, Nav: "/stores", Body: confirmPage{s, a, Options{}, ""}})
}

// act is POST /stores/{id}/{action}.
func (p *Pages) act(w http.ResponseWriter, r *http.Request) {
	id, name := r.PathValue("id"), provision.Action(r.PathValue("action"))
	a, known := buttons[name]
	generation, err := strconv.ParseInt(r.PostFormValue("generation"), 10, 64)
	if !known || err != nil || generation <= 0 || provision.CheckStoreID(id) != "" {
		p.notFound(w, r)
		return
	}
	options := optionsOf(r)
	if why := provision.CheckReason(options.Reason); why != "" {
		p.fail(w, r, http.StatusUnprocessableEntity, "The reason cannot be kept", problem{"It " + why + ".", r.URL.Path, "Back"})
		return
	}
	if wrong := a.missing(id, r.PostFormValue("typed"), options); wrong != "" {
		if s, ok := p.readStore(w, r); ok {
			a.Action = name
			p.render.write(w, r, http.StatusUnprocessableEntity, "confirm", page{Title: a.Title + " " + id, Nav: "/stores",
				Body: confirmPage{s, a, options, wrong}})
		}
		return
	}
	p.do(w, r, deed{name: "store." + string(name), target: id, back: "/stores/" + id, done: string(name)}, func(ctx context.Context) (bool, error) {
		if name == provision.ActionReplay {
			return p.replayOf(ctx, id)
		}
		return p.Actions.Do(ctx, name, id, generation, options)
	})
}

// replayOf replays the last callback of a store that the backend has refused.
func (p *Pages) replayOf(ctx context.Context, id string) (bool, error) {
	s, found, err := p.Stores.Store(ctx, id)
	if err != nil || !found {
		return found, err
	}
	if s.DeadLetterID == "" {
		return true, provision.Errorf(provision.CodeConflict, "store %s has no refused callback any more", id)
	}
	return p.replayLetter(ctx, s.DeadLetterID)
}

// replayLetter sends a dead letter again. One that a newer outcome has replaced is dropped, and that is not what was asked for.
func (p *Pages) replayLetter(ctx context.Context, id string) (found bool, err error) {
	result, err := p.Actions.Replay(ctx, id)
	if err == nil && result == provision.ReplayDropped {
		err = provision.Errorf(provision.CodeConflict, "callback %s was dropped: a newer outcome of the store has taken its place, and is told by itself", id)
	}
	return result != provision.ReplayUnknown, err
}

// deed is what an operator does, for the audit log and for the page that follows.
type deed struct {
	name, target, back, done string
}

// do does it in the name of the user, logs that, and shows the page that it was done from.
func (p *Pages) do(w http.ResponseWriter, r *http.Request, d deed, change func(context.Context) (found bool, err error)) {
	u, requestID := login.UserOf(r.Context()), rand.Text()
	ctx, cancel := reading(r)
	defer cancel()
	found, err := change(provision.WithOrigin(ctx, provision.Origin{By: u.Name, RequestID: requestID}))
	p.Changed()
	status := statusOf(found, err)
	provision.AuditEvent{Actor: u.Name, Action: d.name, Target: d.target, Accepted: status < 400, Status: status, RequestID: requestID, Peer: login.Peer(r.RemoteAddr)}.Log(ctx, p.Log)
	switch status {
	case http.StatusSeeOther:
		http.Redirect(w, r, withDone(d.back, d.done), status)
	case http.StatusNotFound:
		p.fail(w, r, status, "There is nothing to act on", problem{d.target + " is not there any more.", d.back, "Back"})
	case http.StatusPreconditionFailed:
		p.fail(w, r, status, "It has changed since you looked", problem{provision.Public(err) + ". Nothing was done.", d.back, "Look again"})
	case http.StatusConflict, http.StatusUnprocessableEntity:
		p.fail(w, r, status, "That is not possible now", problem{provision.Public(err), d.back, "Back"})
	default:
		p.unread(w, r, err)
	}
}

// withDone is a page that says what was done.
func withDone(page, done string) string {
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	return page + separator + url.Values{"done": {done}}.Encode()
}

func statusOf(found bool, err error) int {
	switch code := provision.CodeOf(err); {
	case err == nil && found:
		return http.StatusSeeOther
	case err == nil:
		return http.StatusNotFound
	case code == provision.CodeSuperseded:
		return http.StatusPreconditionFailed
	case code == provision.CodeConflict, code == provision.CodeQuota:
		return http.StatusConflict
	case code == provision.CodeInvalid:
		return http.StatusUnprocessableEntity
	case code == provision.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// done is what the page says that was just done.
func done(r *http.Request) string {
	name := r.URL.Query().Get("done")
	if a, ok := buttons[provision.Action(name)]; ok {
		return a.Done
	}
	return map[string]string{"rollout.pause": "The rollout pauses once the stores in hand are upgraded.", "rollout.resume": "The rollout goes on.",
		"rollout.abort": "The rollout has ended; what is upgraded stays so.", "hold.release": "The stores that waited go on."}[name]
}
