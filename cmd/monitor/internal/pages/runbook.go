package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/parser"

	"orchestrator/docs"
)

// otherDocument is a link to a document that is not served.
var otherDocument = regexp.MustCompile(`\[([^\]]+)\]\(([a-z0-9]+\.md)(#[^)]*)?\)`)

var (
	namedPage = regexp.MustCompile(`<code>(/[^< ]*)</code>`)
	// chosen is what the reader has to fill in: a link leads to the list to choose from.
	chosen = regexp.MustCompile(`(?:\?|&amp;)[a-z]+=(?:CODE|CREATOR|ENGINE|NAME)\b|/ID$`)
)

// linkPages makes links of the pages that the runbook names.
func linkPages(html []byte) []byte {
	return namedPage.ReplaceAllFunc(html, func(code []byte) []byte {
		path := chosen.ReplaceAll(namedPage.FindSubmatch(code)[1], nil)
		return fmt.Appendf(nil, `<a href="%s">%s</a>`, path, code)
	})
}

// runbookPage is the runbook, with what is wrong now above it.
type runbookPage struct {
	Wrong []check
	Text  template.HTML
}

// renderRunbook makes HTML of the runbook, once, whose headings are anchors in lower case. Its text is ours.
var renderRunbook = sync.OnceValues(func() (template.HTML, error) {
	text := otherDocument.ReplaceAll(docs.Runbook, []byte("$1 (`docs/$2`)"))
	var html bytes.Buffer
	err := goldmark.New(goldmark.WithParserOptions(parser.WithAutoHeadingID())).Convert(text, &html)
	return template.HTML(linkPages(html.Bytes())), err
})

// runbook is GET /runbook. It is shown without Redis, too.
func (p *Pages) runbook(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := reading(r)
	defer cancel()
	text, err := renderRunbook()
	if err != nil {
		p.unread(w, r, err)
		return
	}
	body := runbookPage{Text: text}
	if o, err := p.overviews.get(ctx, "", p.readOverview); err == nil {
		body.Wrong = o.Wrong
	}
	p.render.write(w, r, http.StatusOK, "runbook", page{Title: "Runbook", Nav: "/runbook", Body: body})
}
