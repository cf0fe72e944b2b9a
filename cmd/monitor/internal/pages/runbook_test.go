package pages

import (
	"regexp"
	"strings"
	"testing"

	"orchestrator/docs"
)

// pagePath finds the pages that the runbook names.
var pagePath = regexp.MustCompile("`(/[^` ]*)`")

// A page that is called otherwise by now is of no use at 3 a.m. Those of asynq's own UI are routes of its scripts.
func TestRunbookNamesPagesThatExist(t *testing.T) {
	site := newSite(t, busy())
	text, err := renderRunbook()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range pagePath.FindAllSubmatch(docs.Runbook, -1) {
		path := strings.NewReplacer("/ID", "/shop-1", "=CODE", "=image", "=NAME", "=eu", "=ENGINE", "=medusa", "=CREATOR", "=42").Replace(string(m[1]))
		if found++; strings.HasPrefix(path, "/queues/") {
			continue
		}
		if w := site.get(path); w.Code != 200 {
			t.Errorf("the runbook names %s: %d", m[1], w.Code)
		}
	}
	if found < 60 {
		t.Errorf("only %d pages are found", found)
	}
	for _, link := range []string{`<a href="/attention?kind=hold"><code>`, `<a href="/stores"><code>/stores/ID`, `<a href="/stores?status=FAILED"><code>/stores?status=FAILED&amp;code=CODE<`,
		`<a href="/queues/servers"><code>`} {
		if !strings.Contains(string(text), link) {
			t.Errorf("the runbook has no %s", link)
		}
	}
}
