package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is far more than the contract needs, and low enough that parsing stays cheap.
const maxDepth = 32

// object is a JSON object. Its keys are exactly as written, its values are valid JSON and not decoded yet.
type object map[string]jsontext.Value

// parse parses a body that must be exactly one JSON object. Its errors are written for the caller.
//
// Packages json and jsontext are encoding/json/v2, which refuses what encoding/json accepts: invalid UTF-8, unpaired
// surrogates and duplicate keys. docs/decisions/0012-strict-json.md says where they come from.
func parse(body []byte) (object, error) {
	if len(body) == 0 {
		return nil, errors.New("the body is empty; it must be a JSON object")
	}
	if err := check(body); err != nil {
		return nil, err
	}
	var top object
	err := json.Unmarshal(body, &top)
	if _, syntactic := errors.AsType[*jsontext.SyntacticError](err); syntactic {
		return nil, explain(err)
	}
	if err != nil || top == nil {
		return nil, errors.New("the body must be a JSON object")
	}
	return top, nil
}

// check reads every token of a body, however deep, and stops where it is nested too deep.
func check(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		_, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return explain(err)
		case dec.StackDepth() > maxDepth:
			return fmt.Errorf("the body is nested more than %d levels deep", maxDepth)
		}
	}
}

// explain says what is wrong with the syntax of a body and where, and quotes no more of it than that takes.
func explain(err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return fmt.Errorf("the body is not valid JSON: %w", err)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("the body has the duplicate key %.80q in one object", syntax.JSONPointer.LastToken())
	}
	return fmt.Errorf("the body is not valid JSON: %w, at byte %d", syntax.Err, syntax.ByteOffset)
}
