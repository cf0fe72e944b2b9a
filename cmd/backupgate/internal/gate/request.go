package gate

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"orchestrator/provision/backup"
)

// Kinds of what a request is about, besides those of [hashed].
const (
	repository = "repository" // as a whole
	config     = "config"     // the repository's one file whose name says nothing about its content
)

// hashed are the kinds of files that restic names by the SHA-256 of their content.
var hashed = []string{"data", "index", "keys", "locks", "snapshots"}

// target is what a request is about.
type target struct {
	installation, label string
	kind                string // repository, config, or one of hashed
	name                string // of a file of hashed; "": the list of all of its kind
}

// path is the target's path below the storage's address, the same as below the gate's.
func (t target) path() string {
	path := backup.Path(t.installation, t.label)
	switch t.kind {
	case repository:
		return path
	case config:
		return path + config
	default:
		return path + t.kind + "/" + t.name
	}
}

// store says whose slots the request takes.
func (t target) store() string { return t.installation + "/" + t.label }

func (t target) isList() bool { return slices.Contains(hashed, t.kind) && t.name == "" }

func (t target) isFile() bool { return t.kind == config || t.name != "" }

// String names the target to the store's own client.
func (t target) String() string {
	if t.kind == repository {
		return "the repository"
	}
	return strings.TrimPrefix(t.path(), backup.Path(t.installation, t.label))
}

// below takes what is behind a repository's path apart.
var below = regexp.MustCompile(`^(` + strings.Join(hashed, "|") + `)/([0-9a-f]{64})?$`)

// targetOf finds what a path is about. kind is "" where restic's protocol has no such path below the repository's; ok is false where there is no repository's path.
// The path is taken as it was sent: no part of a right one is ever escaped.
func targetOf(u *url.URL) (t target, ok bool) {
	var rest string
	t.installation, t.label, rest, ok = backup.ParsePath(u.EscapedPath())
	switch found := below.FindStringSubmatch(rest); {
	case rest == "":
		t.kind = repository
	case rest == config:
		t.kind = config
	case found != nil:
		t.kind, t.name = found[1], found[2]
	}
	return t, ok
}

// byteRange takes the one form of Range that restic sends.
var byteRange = regexp.MustCompile(`^bytes=(\d{1,18})-(\d{1,18})?$`)

// check refuses what a client that only adds does not need.
func check(r *http.Request, t target, limit int64) *refusal {
	switch {
	case r.Method == http.MethodDelete && (t.kind != "locks" || t.name == ""):
		return refuse(http.StatusForbidden, "nothing but a lock is deleted through the gate, so that a store that was broken into keeps its backups; old snapshots are removed behind it")
	case t.kind == "":
		return refuse(http.StatusNotFound, "a repository has no such path: there are config, and %s, each with names of 64 hexadecimal digits", strings.Join(hashed, "/, ")+"/")
	case !slices.Contains(methods(t), r.Method):
		refused := refuse(http.StatusMethodNotAllowed, "%s is not for %s", t, r.Method)
		refused.header = http.Header{"Allow": {strings.Join(methods(t), ", ")}}
		return refused
	case r.URL.RawQuery != query(t) || r.URL.ForceQuery:
		return refuse(http.StatusBadRequest, "POST to a repository is for ?create=true, and nothing else takes a query")
	case r.Header.Get("Range") != "" && (r.Method != http.MethodGet || !t.isFile() || !byteRange.MatchString(r.Header.Get("Range"))):
		return refuse(http.StatusBadRequest, "a Range is bytes=FROM- or bytes=FROM-TO, of a file")
	}
	return checkLength(r, t, limit)
}

func methods(t target) []string {
	switch {
	case t.kind == repository:
		return []string{http.MethodPost}
	case t.isList():
		return []string{http.MethodGet}
	case t.kind == "locks":
		return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete}
	default:
		return []string{http.MethodGet, http.MethodHead, http.MethodPost}
	}
}

func query(t target) string {
	if t.kind == repository {
		return "create=true"
	}
	return ""
}

// checkLength wants to know beforehand how long a file will be: a storage that does not takes a file that was cut off for a shorter one.
func checkLength(r *http.Request, t target, limit int64) *refusal {
	if t.kind == config {
		limit = min(limit, maxConfig)
	}
	switch isUpload := r.Method == http.MethodPost && t.isFile(); {
	case t.kind == repository && r.ContentLength < 0:
		return nil // restic 0.18 sends nothing in chunks; forward looks whether it is nothing
	case !isUpload && r.ContentLength != 0:
		return refuse(http.StatusBadRequest, "%s of %s takes no content", r.Method, t)
	case isUpload && r.ContentLength < 0:
		return refuse(http.StatusLengthRequired, "%s has to be sent with its Content-Length", t)
	case isUpload && r.ContentLength == 0:
		return refuse(http.StatusBadRequest, "%s is empty", t)
	case r.ContentLength > limit:
		return refuse(http.StatusRequestEntityTooLarge, "%s has %d bytes, more than %d (ORCH_BACKUP_MAX_OBJECT; %d for config)", t, r.ContentLength, limit, maxConfig)
	}
	return nil
}
