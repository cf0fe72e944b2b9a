package main

import (
	"encoding/json"
	"regexp"
)

// plain is a store id or a number as JSON, and nothing that could hold more.
var plain = regexp.MustCompile(`^("[A-Za-z0-9._-]{1,63}"|[0-9]{1,19})$`)

// showPayload is what the UI shows of a payload: the fields on this list, where they are what they should be.
func showPayload(_ string, payload []byte) string {
	var all, shown map[string]json.RawMessage
	if err := json.Unmarshal(payload, &all); err != nil {
		return ""
	}
	shown = map[string]json.RawMessage{}
	for _, field := range []string{"store_id", "generation", "sequence"} {
		if value := all[field]; plain.Match(value) {
			shown[field] = value
		}
	}
	text, err := json.Marshal(shown)
	if err != nil || len(shown) == 0 {
		return ""
	}
	return string(text)
}

// showResult shows nothing: no task has a result.
func showResult(string, []byte) string { return "" }
