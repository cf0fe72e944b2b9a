// Package gate lets the backups of stores through to their storage. A store's restic authenticates with a password that opens nothing but the store's own path, and gets what a
// client needs that only adds: it reads, it writes what is not there yet, it removes locks. The storage behind, a restic REST server in append-only mode, is asked with the
// gate's own credentials, which no store ever has.
//
// What a client is told, by status: 400, 404, 405, 411 and 413 a request that restic would not send; 401 no such user, password or path, one told from the other by nothing;
// 403 what a client that only adds may not do, or a file that is there with another content; 408 and 504 that client or storage stand still; 429 and 503 come again; 502 the storage is away or answers wrongly; 507 it is full.
package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision/backup"
)

// maxConfig bounds a repository's config, which has about 150 bytes and is held in memory as a whole.
const maxConfig = 64 << 10

// Config is all that a gate needs to know.
type Config struct {
	Keys      backup.Keys
	Storage   *url.URL // with user and password where the storage wants them
	MaxObject int64    // bytes of a file
	AtOnce    int      // requests in work, in all
	PerStore  int      // and of one store
	Stall     time.Duration
	Transport http.RoundTripper // to the storage
}

// Gate is the handler.
type Gate struct {
	Config
	slots   *slots
	proxy   *httputil.ReverseProxy
	metrics *metrics
	log     *refusalLog
}

// New returns a gate whose metrics are in reg. It opens no connection.
func New(c Config, reg prometheus.Registerer, log *slog.Logger) *Gate {
	g := &Gate{Config: c, slots: newSlots(c.AtOnce, c.PerStore), log: newRefusalLog(log)}
	g.metrics = newMetrics(reg, g.slots.taken)
	g.proxy = &httputil.ReverseProxy{
		Rewrite: g.rewrite, ModifyResponse: answered, ErrorHandler: failed, Transport: measured{c.Transport, g.metrics},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // an answer that was cut off; the request's own line says it too
	}
	return g
}

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, started: time.Now(), method: r.Method}
	defer g.ended(r, x)
	if refused := g.admit(r, x); refused != nil {
		x.refuse(refused)
	} else {
		g.forward(r, x)
	}
	x.finished = true
}

// admit decides without the storage.
func (g *Gate) admit(r *http.Request, x *exchange) *refusal {
	t, ok := targetOf(r.URL)
	if !ok || !g.authentic(r, t) {
		refused := refuse(http.StatusUnauthorized, "user and password do not open this path: the user is the store's label, the password the one that was derived for it "+
			"from ORCH_BACKUP_GATE_KEY, the path /<installation>/<store's label>/")
		refused.header = http.Header{"Www-Authenticate": {`Basic realm="backups", charset="UTF-8"`}}
		return refused
	}
	x.target = t
	return check(r, t, g.MaxObject)
}

// authentic compares with the passwords of all keys, in a time that tells nothing about them.
func (g *Gate) authentic(r *http.Request, t target) bool {
	user, password, ok := r.BasicAuth()
	if !ok {
		return false
	}
	sum, equal := sha256.Sum256([]byte(password)), 0
	for _, want := range g.Keys.GatePasswords(t.installation, t.label) {
		wanted := sha256.Sum256([]byte(want))
		equal |= subtle.ConstantTimeCompare(sum[:], wanted[:])
	}
	return equal == 1 && user == t.label
}

// forward asks the storage, in a slot.
func (g *Gate) forward(r *http.Request, x *exchange) {
	if refused := g.slots.take(x.target.store()); refused != nil {
		x.refuse(refused)
		return
	}
	defer g.slots.release(x.target.store())
	var ctx context.Context
	ctx, x.watch = startWatch(context.WithValue(r.Context(), exchangeKey{}, x), x.ResponseWriter, g.Stall)
	defer x.watch.stop()
	r = r.WithContext(ctx) // a copy: the server asks its own how much there is to read before the next request
	var err error
	kept := false
	switch {
	case r.ContentLength > 0:
		x.upload = newUpload(clientBody{r.Body, x}, r.ContentLength, x.target.name)
		r.Body = x.upload
	case r.ContentLength < 0:
		err = nothing(clientBody{r.Body, x})
		r.Body, r.ContentLength = http.NoBody, 0
	}
	switch {
	case err != nil || x.upload == nil:
	case x.target.kind == config:
		err = g.prepareConfig(ctx, r, x)
	default:
		kept, err = g.isKept(ctx, x)
	}
	switch {
	case err != nil:
		failed(x, r, err)
	case kept:
		x.WriteHeader(http.StatusOK)
	default:
		g.proxy.ServeHTTP(x, r)
	}
}

// nothing reads a body that has to be empty.
func nothing(body io.Reader) error {
	switch n, err := io.CopyN(io.Discard, body, 1); {
	case n > 0:
		return refuse(http.StatusBadRequest, "POST of the repository takes no content")
	case !errors.Is(err, io.EOF):
		return refuseBecause(err, http.StatusBadRequest, "the request did not come to its end")
	}
	return nil
}

// prepareConfig refuses to replace a config, and reads the new one as a whole before the storage hears of it: a storage may keep what it has got of one that is
// cut off, no other client could ever replace that, and its name is no hash that tells.
func (g *Gate) prepareConfig(ctx context.Context, r *http.Request, x *exchange) error {
	content, err := io.ReadAll(x.upload)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	if there, err := g.has(ctx, x.target); err != nil {
		return err
	} else if there {
		return exists(x.target)
	}
	return nil
}

// ended notes a request in metrics and log, one that was cut off too.
func (g *Gate) ended(r *http.Request, x *exchange) {
	g.metrics.note(x)
	g.log.note(r, x)
}
