package main

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"orchestrator/ingest"
)

func TestTokenMakesALineThatIngestReads(t *testing.T) {
	code, out, errOut := orchestrator(t, "token", "on-call", "--scopes", "read,operate", "-o", "json")
	var made struct{ Token, Line string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
		t.Fatal(code, err, out, errOut)
	}
	tokens, err := ingest.ParseTokens(strings.NewReader(made.Line))
	if err != nil || len(tokens) != 1 || tokens[0].Name != "on-call" || !slices.Equal(tokens[0].Scopes, []ingest.Scope{ingest.ScopeRead, ingest.ScopeOperate}) ||
		tokens[0].Hash != sha256.Sum256([]byte(made.Token)) || len(made.Token) < 40 {
		t.Errorf("%+v, %v", tokens, err)
	}
	for args, says := range map[string]string{"token": "exactly one name", "token Big": "lower-case", "token x --scopes admin": "none of read, write and operate", "token backend": `not "backend"`} {
		if code, _, errOut := orchestrator(t, strings.Fields(args)...); code != 2 || !strings.Contains(errOut, says) {
			t.Errorf("%s: %d %s", args, code, errOut)
		}
	}
}
