package pages

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"orchestrator/provision"
)

// rowsEach is how many stores a page of a list has.
const rowsEach = 50

// list is a page of stores, with the counts of all of them for the tabs.
type list struct {
	Filter  provision.StoreFilter
	Stores  []row
	Next    string // the address of the next page
	Summary provision.Summary
	Engines []string
	Tabs    []tab
}

// row is a store with why it is where it is.
type row struct {
	provision.State
	Why provision.Explanation
}

type tab struct {
	Name, Link string
	Count      int64
	Here       bool
}

func (p *Pages) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	text := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	f := provision.StoreFilter{Status: provision.Status(text("status")), Code: provision.Code(text("code")), Engine: text("engine"), Cluster: text("cluster"),
		Creator: text("creator"), Query: text("q")}
	cursor := q.Get("cursor")
	if f.Query != "" && f == (provision.StoreFilter{Query: f.Query}) && cursor == "" && p.goTo(w, r, f.Query) {
		return
	}
	load := func(ctx context.Context) (list, error) { return p.readList(ctx, f, cursor) }
	show(p, w, r, &p.lists, fmt.Sprintf("%q %q", f, cursor), load, "list", page{Title: "Stores", Nav: "/stores", Query: f.Query})
}

// goTo goes to the page of a store whose whole id was typed.
func (p *Pages) goTo(w http.ResponseWriter, r *http.Request, id string) bool {
	ctx, cancel := reading(r)
	defer cancel()
	if provision.CheckStoreID(id) != "" {
		return false
	}
	s, found, err := p.Stores.Store(ctx, id)
	if err == nil && found {
		http.Redirect(w, r, "/stores/"+s.StoreID, http.StatusSeeOther)
	}
	return err == nil && found
}

func (p *Pages) readList(ctx context.Context, f provision.StoreFilter, cursor string) (l list, err error) {
	if err := checkFilter(f); err != nil {
		return l, err
	}
	if l.Summary, err = p.Fleet.Summary(ctx, p.Engines); err != nil {
		return l, err
	}
	found, err := p.Stores.Find(ctx, f, cursor, rowsEach)
	if err != nil {
		return l, err
	}
	l.Filter, l.Engines, l.Tabs = f, p.Engines, tabs(f, l.Summary)
	l.Stores = p.rows(found.Stores)
	if found.Next != "" {
		l.Next = "/stores" + query([]string{"status", string(f.Status), "code", string(f.Code), "engine", f.Engine, "cluster", f.Cluster, "creator", f.Creator, "q", f.Query, "cursor", found.Next})
	}
	return l, nil
}

func (p *Pages) rows(stores []provision.State) []row {
	rows := make([]row, len(stores))
	for i, s := range stores {
		rows[i] = row{s, provision.Explain(s, p.now())}
	}
	return rows
}

// checkFilter refuses what no store can be, so that a link with a mistake is not an empty list.
func checkFilter(f provision.StoreFilter) error {
	switch {
	case f.Status != "" && !slices.Contains(provision.Statuses, f.Status):
		return provision.Errorf(provision.CodeInvalid, "there is no status %q", f.Status)
	case f.Code != "" && !slices.Contains(provision.Codes, f.Code):
		return provision.Errorf(provision.CodeInvalid, "there is no code %q", f.Code)
	}
	return nil
}

// tabs are the statuses with the counts of all stores. What is typed or chosen beside them stays, but for the cause, which is of one status.
func tabs(f provision.StoreFilter, s provision.Summary) []tab {
	link := func(status provision.Status) string {
		return "/stores" + query([]string{"status", string(status), "engine", f.Engine, "cluster", f.Cluster, "creator", f.Creator, "q", f.Query})
	}
	all := []tab{{"All", link(""), s.Stores, f.Status == ""}}
	for _, status := range []provision.Status{provision.StatusFailed, provision.StatusProvisioning, provision.StatusReady, provision.StatusSuspended, provision.StatusDeleting,
		provision.StatusDeleteFailed} {
		all = append(all, tab{string(status), link(status), s.Status[status], f.Status == status})
	}
	return all
}
