package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// maxDepth is far more than the contract needs, and low enough that parsing stays cheap.
const maxDepth = 32

// object is a JSON object, with its keys exactly as written. Values are nil, bool, string, json.Number, []any and object.
type object map[string]any

// parse parses a body that must be exactly one JSON object. Its errors are written for the caller. It is stricter than
// encoding/json, which replaces invalid UTF-8, takes the last of two duplicate keys and matches the fields of a struct
// regardless of case. docs/decisions/0012-strict-json.md says why this is not a library's.
func parse(body []byte) (object, error) {
	if len(body) == 0 {
		return nil, errors.New("the body is empty; it must be a JSON object")
	}
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	if err := checkSyntax(body); err != nil {
		return nil, err
	}
	p := parser{json.NewDecoder(bytes.NewReader(body))}
	p.dec.UseNumber()
	value, err := p.value(0)
	if err != nil {
		return nil, err
	}
	top, ok := value.(object)
	if !ok {
		return nil, errors.New("the body must be a JSON object")
	}
	return top, nil
}

// escapes matches every escape sequence of a JSON text. Its group matches an unpaired surrogate.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

func checkSyntax(body []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(body, &whole)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the body is not valid JSON: %w, at byte %d", syntax, syntax.Offset)
	}
	if err != nil {
		return fmt.Errorf("the body is not valid JSON: %w", err)
	}
	for _, escape := range escapes.FindAllSubmatch(body, -1) {
		if escape[1] != nil {
			return fmt.Errorf(`the body is not valid Unicode: \%s is an unpaired surrogate`, escape[1])
		}
	}
	return nil
}

// parser reads a text whose syntax has been checked.
type parser struct{ dec *json.Decoder }

func (p parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the body is nested more than %d levels deep", maxDepth)
	}
	token, err := p.dec.Token()
	switch token {
	case json.Delim('{'):
		return p.object(depth)
	case json.Delim('['):
		return p.array(depth)
	}
	return token, err
}

func (p parser) object(depth int) (any, error) {
	found := object{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if _, twice := found[key]; twice {
			return nil, fmt.Errorf("the body has the duplicate key %.80q in one object", key)
		}
		if found[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.Token() // the closing brace
	return found, err
}

func (p parser) array(depth int) (any, error) {
	found := []any{}
	for p.dec.More() {
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	_, err := p.dec.Token() // the closing bracket
	return found, err
}
