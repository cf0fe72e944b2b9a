package pages

import (
	"context"
	"net/http"
	"time"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
)

// readWithin is the limit of what one page reads.
const readWithin = 5 * time.Second

// problem is a page that says what is wrong, and where to go.
type problem struct {
	Text, Link, LinkText string
}

func (p *Pages) fail(w http.ResponseWriter, r *http.Request, status int, title string, body problem) {
	p.render.write(w, r, status, "problem", page{Title: title, Body: body})
}

// unread answers a page that could not be read.
func (p *Pages) unread(w http.ResponseWriter, r *http.Request, err error) {
	switch provision.CodeOf(err) {
	case provision.CodeInvalid:
		p.fail(w, r, http.StatusUnprocessableEntity, "That cannot be asked", problem{provision.Public(err), "/stores", "All stores"})
	case provision.CodeUnavailable:
		p.fail(w, r, http.StatusServiceUnavailable, "Redis does not answer", problem{
			provision.Public(err) + " Shops go on as they are; new requests get 503 until it is back, and nothing that was accepted is lost.", againAt(r), "Try again"})
	default:
		p.Log.Error("a page could not be read", "path", r.URL.Path, "error", err)
		p.fail(w, r, http.StatusInternalServerError, "A defect", problem{"The cause is in the monitor's log.", "/", "Overview"})
	}
}

// againAt is where to look again: the page itself, or the overview after a change that has no page.
func againAt(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	return "/"
}

func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, http.StatusNotFound, "There is no such page", problem{"", "/", "Overview"})
}

// operators passes on what operators ask for, and logs what others do.
func (p *Pages) operators(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u := login.UserOf(r.Context()); u.Role != login.Operator {
			provision.AuditEvent{Actor: u.Name, Action: "page.post", Target: r.URL.Path, Status: http.StatusForbidden, Peer: login.Peer(r.RemoteAddr)}.Log(r.Context(), p.Log)
			http.Error(w, "viewers change nothing; an operator has to do this", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// show renders a page of what was read, or why it could not be.
func show[T any](p *Pages, w http.ResponseWriter, r *http.Request, c *cache[T], key string, load func(context.Context) (T, error), name string, of page) {
	ctx, cancel := reading(r)
	defer cancel()
	body, err := c.get(ctx, key, load)
	if err != nil {
		p.unread(w, r, err)
		return
	}
	of.Body, of.Live = body, "all"
	p.render.write(w, r, http.StatusOK, name, of)
}

// reading is the context of what a page reads.
func reading(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), readWithin)
}
