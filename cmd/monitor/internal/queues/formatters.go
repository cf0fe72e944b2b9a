package queues

import (
	"encoding/json"
	"regexp"
)

// idOrNumber matches a store id or a number as JSON.
var idOrNumber = regexp.MustCompile(`^("[A-Za-z0-9._-]{1,63}"|[0-9]{1,19})$`)

// showPayload returns what the UI shows of a payload: the fields of this list, if they have the expected form. Everything else
// could be secret.
func showPayload(_ string, payload []byte) string {
	var all, shown map[string]json.RawMessage
	if err := json.Unmarshal(payload, &all); err != nil {
		return ""
	}
	shown = map[string]json.RawMessage{}
	for _, field := range []string{"store_id", "generation", "sequence"} {
		if value := all[field]; idOrNumber.Match(value) {
			shown[field] = value
		}
	}
	text, err := json.Marshal(shown)
	if err != nil || len(shown) == 0 {
		return ""
	}
	return string(text)
}

// showResult shows nothing, since no task has a result.
func showResult(string, []byte) string { return "" }
