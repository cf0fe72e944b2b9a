package login

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"orchestrator/provision"
)

// Proxy is a proxy in front of the monitor that knows who its users are. The zero value trusts none.
type Proxy struct {
	Header    string   // has the user's name
	Secret    string   // that the proxy sends as X-Orchestrator-Proxy-Secret
	Operators []string // the others are viewers
}

// proxySecret is the header by which a proxy shows that it is the one.
const proxySecret = "X-Orchestrator-Proxy-Secret"

// Gate lets in who is logged in.
type Gate struct {
	sessions sessions
	tries    tries
	proxy    Proxy
	form     func(w http.ResponseWriter, r *http.Request, status int, problem string)
	log      *slog.Logger
}

// maxForm is far more than a name and a password need.
const maxForm = 4 << 10

// NewGate returns a gate. key is a secret that several monitors share, or "". form writes the page with the login.
func NewGate(users Users, key string, proxy Proxy, form func(w http.ResponseWriter, r *http.Request, status int, problem string), log *slog.Logger) *Gate {
	return &Gate{sessions: sessions{users: users, key: key, now: time.Now}, tries: tries{now: time.Now}, proxy: proxy, form: form, log: log}
}

type userKey struct{}

// UserOf is who sends a request that has passed a [Gate].
func UserOf(ctx context.Context) User {
	u, _ := ctx.Value(userKey{}).(User)
	return u
}

// WithUser is the context of a request of a user.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// Require passes on the requests of users. Others are shown the login, and then what they wanted; programs and changes get 401.
func (g *Gate) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := g.fromProxy(r)
		if !ok {
			u, ok = g.sessions.user(w, r)
		}
		switch {
		case ok:
			next.ServeHTTP(w, r.WithContext(WithUser(r.Context(), u)))
		case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			http.Error(w, "log in at /login", http.StatusUnauthorized)
		}
	})
}

// fromProxy is the user whom the proxy names, if it is the proxy.
func (g *Gate) fromProxy(r *http.Request) (User, bool) {
	if g.proxy.Header == "" || g.proxy.Secret == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get(proxySecret)), []byte(g.proxy.Secret)) != 1 {
		return User{}, false
	}
	names := r.Header.Values(g.proxy.Header)
	if len(names) != 1 { // the proxy has passed on what a client has sent
		return User{}, false
	}
	u := User{names[0], Viewer}
	if slices.Contains(g.proxy.Operators, u.Name) {
		u.Role = Operator
	}
	return u, u.Name != ""
}

// Form is GET /login.
func (g *Gate) Form(w http.ResponseWriter, r *http.Request) { g.form(w, r, http.StatusOK, "") }

// Submit is POST /login.
func (g *Gate) Submit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name, peer := r.PostFormValue("user"), Peer(r.RemoteAddr)
	event := provision.AuditEvent{Action: "login", Target: "monitor", Status: http.StatusUnauthorized, Peer: peer}
	if !g.tries.allow(network(peer), name) {
		event.Status = http.StatusTooManyRequests
		event.Log(r.Context(), g.log)
		w.Header().Set("Retry-After", "10")
		g.form(w, r, http.StatusTooManyRequests, "Too many tries. Wait ten seconds, then try again.")
		return
	}
	u, ok := g.sessions.users.Check(name, r.PostFormValue("password"))
	if !ok {
		event.Log(r.Context(), g.log) // without the name: it may be a mistyped password
		g.form(w, r, http.StatusUnauthorized, "The name or the password is wrong.")
		return
	}
	event.Actor, event.Accepted, event.Status = u.Name, true, http.StatusSeeOther
	event.Log(r.Context(), g.log)
	g.sessions.begin(w, r, u)
	http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther)
}

// Logout is POST /logout.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) {
	g.sessions.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local is where a user wanted to go, if that is a page of this site.
func local(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n") {
		return "/"
	}
	return target
}
