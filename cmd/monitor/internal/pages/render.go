package pages

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
)

//go:embed templates static
var files embed.FS

// policy lets a page use what comes with it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'"

// Static serves the style and the scripts of the pages.
func Static() http.Handler {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // embedded: cannot be missing in a binary that was tested
	}
	served := http.FileServerFS(static)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "public, max-age=300")
		http.StripPrefix("/static", served).ServeHTTP(w, r)
	})
}

// page is what every page shows.
type page struct {
	Title string
	Nav   string // the entry of the menu that it belongs to
	Live  string // whose changes it shows: a store's id, or "all"; "": it does not change by itself
	User  login.User
	Now   time.Time
	Query string // in the search field
	Done  string // what has just been done
	Body  any
}

// Operator says whether buttons are shown.
func (p page) Operator() bool { return p.User.Role == login.Operator }

type renderer struct {
	pages map[string]*template.Template
	now   func() time.Time
}

func newRenderer() (*renderer, error) {
	r := &renderer{pages: map[string]*template.Template{}, now: time.Now}
	names, err := fs.Glob(files, "templates/*.html")
	for _, name := range names {
		base := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if base == "layout" {
			continue
		}
		t, parseErr := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", name)
		if parseErr != nil {
			return nil, parseErr
		}
		r.pages[base] = t
	}
	return r, err
}

// write renders a page whole before it sends anything of it.
func (r *renderer) write(w http.ResponseWriter, req *http.Request, status int, name string, p page) {
	p.User, p.Now = login.UserOf(req.Context()), r.now()
	var text bytes.Buffer
	if err := r.pages[name].Execute(&text, p); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = text.WriteTo(w) // fails only if the browser has gone
}

// LoginForm writes the page with the login.
func (p *Pages) LoginForm(w http.ResponseWriter, r *http.Request, status int, problem string) {
	next := r.FormValue("next")
	p.render.write(w, r, status, "login", page{Title: "Log in", Body: struct{ Problem, Next string }{problem, next}})
}

// functions are those of the templates.
var functions = template.FuncMap{
	"ago":      func(now, at time.Time) string { return provision.InWords(now.Sub(at)) },
	"until":    func(now, at time.Time) string { return provision.InWords(at.Sub(now)) },
	"between":  func(from, to time.Time) string { return provision.InWords(to.Sub(from)) },
	"millis":   func(ms int64) string { return provision.InWords(time.Duration(ms) * time.Millisecond) },
	"stamp":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":    func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"known":    func(t time.Time) bool { return !t.IsZero() },
	"later":    func(now, t time.Time) bool { return t.After(now) },
	"count":    grouped[int64],
	"tone":     tone,
	"shape":    shape,
	"query":    func(pairs ...string) string { return query(pairs) },
	"class":    strings.ToLower,
	"join":     strings.Join,
	"live":     func(s provision.State) bool { return !s.Status.Final() },
	"rowsOf":   func(now time.Time, rows []row) map[string]any { return map[string]any{"Now": now, "Rows": rows} },
	"settings": settings,
}

// settings are those that a request names.
func settings(s provision.Settings) (named map[string]any) {
	text, _ := json.Marshal(s) // texts and lists
	_ = json.Unmarshal(text, &named)
	return named
}

// grouped is a number with its thousands apart.
func grouped[N ~int | ~int64](n N) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// looks are the colour of a status, and its shape, which says the same without colour. What has no entry is quiet.
var looks = map[provision.Status]struct{ tone, shape string }{
	provision.StatusReady:        {"good", "●"},
	provision.StatusFailed:       {"bad", "✕"},
	provision.StatusDeleteFailed: {"bad", "✕"},
	provision.StatusProvisioning: {"busy", "◔"},
	provision.StatusDeleting:     {"busy", "◔"},
	provision.StatusSuspended:    {"quiet", "‖"},
}

func tone(s provision.Status) string { return cmp.Or(looks[s].tone, "quiet") }

func shape(s provision.Status) string { return cmp.Or(looks[s].shape, "○") }

// query is the query string of pairs of name and value, without those that are empty.
func query(pairs []string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
