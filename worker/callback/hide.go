package callback

import (
	"cmp"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// keptOfBody is how much of each answer is kept with the attempt.
const keptOfBody = 256

// hide replaces the secrets that a backend might echo, also as they are written in JSON, in a URL and in HTML. Where the text was cut off, its end may
// be the beginning of one.
func hide(text string, cut bool, secrets []string) string {
	for _, form := range forms(secrets) {
		text = strings.ReplaceAll(text, form, "[hidden]")
		if cut {
			text = withoutBeginning(text, form)
		}
	}
	return strings.TrimSpace(strings.ToValidUTF8(text, ""))
}

// forms are the ways in which secrets may be written, the longest first: one may hold another.
func forms(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret) // a string cannot fail
		plain := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "/", `\/`).Replace(secret)
		unslashed := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
		all = append(all, secret, strings.Trim(string(quoted), `"`), plain, unslashed, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret))
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}

// withoutBeginning cuts a secret off the end that text holds only the beginning of: what is kept of an answer may end in
// the middle of it.
func withoutBeginning(text, secret string) string {
	for n := len(secret) - 1; n > 0; n-- {
		if rest, found := strings.CutSuffix(text, secret[:n]); found {
			return rest
		}
	}
	return text
}

// beginning is what is kept of an answer. What was hidden stays so: it is cut afterwards.
func beginning(said string) string {
	if len(said) <= keptOfBody {
		return said
	}
	cut := keptOfBody
	for !utf8.RuneStart(said[cut]) {
		cut--
	}
	return said[:cut]
}
