package ingest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // embeds the page and its style
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// openAPIJSON is GET /openapi.json.
func openAPIJSON(c echo.Context) error {
	text, err := describedAsJSON()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
}

var describedAsJSON = sync.OnceValues(func() ([]byte, error) {
	var described map[string]any
	if err := yaml.Unmarshal(openAPIYAML, &described); err != nil {
		return nil, fmt.Errorf("the description of the API does not parse: %w", err)
	}
	return json.Marshal(described)
})

// docs is GET /docs: the description for people. It loads nothing from elsewhere.
func docs(c echo.Context) error {
	page, err := renderedDocs()
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentSecurityPolicy, docsPolicy())
	return c.Blob(http.StatusOK, "text/html", page) // the page itself says its charset
}

// docsPolicy lets the page have its own style, and nothing else.
var docsPolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'"
})

var renderedDocs = sync.OnceValues(func() ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(openAPIYAML, &root); err != nil {
		return nil, fmt.Errorf("the description of the API does not parse: %w", err)
	}
	page, err := template.New("docs").Funcs(template.FuncMap{"code": withCode}).Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, docsOf(node{root.Content[0], root.Content[0]}))
	return out.Bytes(), err
})

// What the page shows, in the order of the description.
type (
	docsPage struct {
		Title   string
		Style   template.CSS
		About   []string
		Groups  []docsGroup
		Schemas []docsSchema
	}
	docsGroup struct {
		ID, Name   string
		About      []string
		Operations []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary string
		About                     []string
		Parameters, Responses     []docsField
		Body                      []docsType // one of them
	}
	docsSchema struct {
		Name, About string
		Type        docsType
		Properties  []docsField
	}
	docsField struct {
		Name, Where, About string
		Required           bool
		Type               docsType
	}
	docsType struct{ Before, Schema string } // "array of " and the name of a schema, or "string" alone
)

func docsOf(d node) docsPage {
	p := docsPage{Title: d.get("info", "title").text(), Style: template.CSS(docsCSS), About: paragraphs(d.get("info", "description"))}
	for _, tag := range d.get("tags").items() {
		p.Groups = append(p.Groups, docsGroup{ID: anchor(tag.get("name").text()), Name: tag.get("name").text(), About: paragraphs(tag.get("description"))})
	}
	d.get("paths").each(func(path string, item node) {
		item.each(func(method string, op node) {
			if method == "parameters" {
				return
			}
			tag := op.get("tags").items()[0].text()
			at := slices.IndexFunc(p.Groups, func(g docsGroup) bool { return g.Name == tag })
			p.Groups[at].Operations = append(p.Groups[at].Operations, operationOf(strings.ToUpper(method), path, item, op))
		})
	})
	d.get("components", "schemas").each(func(name string, s node) {
		p.Schemas = append(p.Schemas, docsSchema{Name: name, About: s.get("description").text(), Type: typeOf(s), Properties: propertiesOf(s)})
	})
	return p
}

func operationOf(method, path string, item, op node) docsOperation {
	o := docsOperation{ID: anchor(method + path), Method: method, Path: path, Summary: op.get("summary").text(), About: paragraphs(op.get("description"))}
	for _, parameter := range append(item.get("parameters").items(), op.get("parameters").items()...) {
		parameter = parameter.resolved()
		o.Parameters = append(o.Parameters, docsField{Name: parameter.get("name").text(), Where: "in " + parameter.get("in").text(),
			About: parameter.get("description").text(), Type: typeOf(parameter.get("schema"))})
	}
	if schema := op.get("requestBody").resolved().get("content", "application/json", "schema"); schema.is() {
		for _, one := range append(schema.get("oneOf").items(), schema) {
			if body := typeOf(one); body != (docsType{}) {
				o.Body = append(o.Body, body)
			}
		}
	}
	op.get("responses").each(func(status string, response node) {
		response = response.resolved()
		field := docsField{Name: status, About: response.get("description").text()}
		response.get("content").each(func(_ string, content node) { field.Type = typeOf(content.get("schema")) })
		same := slices.IndexFunc(o.Responses, func(known docsField) bool { return known.About == field.About && known.Type == field.Type })
		if same >= 0 {
			o.Responses[same].Name += ", " + status
			return
		}
		o.Responses = append(o.Responses, field)
	})
	return o
}

func propertiesOf(s node) (fields []docsField) {
	required := s.get("required").texts()
	s.get("properties").each(func(name string, property node) {
		fields = append(fields, docsField{Name: name, About: property.get("description").text(), Required: slices.Contains(required, name), Type: typeOf(property)})
	})
	return fields
}

// typeOf names what a schema allows.
func typeOf(s node) docsType {
	switch ref := s.get("$ref").text(); {
	case ref != "":
		return docsType{Schema: ref[strings.LastIndex(ref, "/")+1:]}
	case s.get("allOf").is():
		return typeOf(s.get("allOf").items()[0])
	case s.get("items").is():
		of := typeOf(s.get("items"))
		return docsType{"array of " + of.Before, of.Schema}
	case s.get("enum").is():
		return docsType{Before: strings.Join(s.get("enum").texts(), ", ")}
	case len(s.get("type").items()) > 0:
		return docsType{Before: strings.Join(s.get("type").texts(), " or ")}
	}
	return docsType{Before: strings.TrimSpace(s.get("type").text() + " " + s.get("format").text())}
}

// withCode makes code of what is between two backticks.
func withCode(text string) template.HTML {
	var out strings.Builder
	for i, part := range strings.Split(text, "`") {
		escaped := template.HTMLEscapeString(part)
		if i%2 == 1 {
			escaped = "<code>" + escaped + "</code>"
		}
		out.WriteString(escaped)
	}
	return template.HTML(out.String())
}

// paragraphs are those of a text.
func paragraphs(n node) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(n.text()), "\n\n"), func(p string) bool { return p == "" })
}

var notAnchor = regexp.MustCompile(`[^a-zA-Z0-9]+`)

func anchor(text string) string {
	return cmp.Or(strings.Trim(notAnchor.ReplaceAllString(text, "-"), "-"), "root")
}
