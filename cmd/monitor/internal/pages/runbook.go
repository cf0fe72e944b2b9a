package pages

import (
	"bytes"
	"html/template"
	"net/http"
	"regexp"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/parser"

	"orchestrator/docs"
)

// otherDocument is a link to a document that is not served.
var otherDocument = regexp.MustCompile(`\[([^\]]+)\]\(([a-z0-9]+\.md)(#[^)]*)?\)`)

// runbookPage is the runbook, with what is wrong now above it.
type runbookPage struct {
	Wrong []check
	Text  template.HTML
}

// renderRunbook makes HTML of the runbook, whose headings are anchors in lower case. Its text is ours.
func renderRunbook() (template.HTML, error) {
	text := otherDocument.ReplaceAll(docs.Runbook, []byte("$1 (`docs/$2`)"))
	var html bytes.Buffer
	err := goldmark.New(goldmark.WithParserOptions(parser.WithAutoHeadingID())).Convert(text, &html)
	return template.HTML(html.String()), err
}

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
