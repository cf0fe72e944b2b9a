package callback

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// keptOfBody is how much of each answer is kept with the attempt.
const keptOfBody = 256

// hide replaces the secrets that a backend might echo, also as they are written in JSON, in a URL and in HTML. Where the text was cut off, its end may
// be the beginning of one.
func hide(text string, cut bool, secrets []string) string {
	text = strings.ToValidUTF8(text, "") // first: it joins what was apart
	for _, form := range forms(secrets) {
		text = strings.ReplaceAll(text, form, "[hidden]")
		if cut {
			text = withoutBeginning(text, form)
		}
	}
	return strings.TrimSpace(text)
}

// forms are the ways in which secrets may be written, the longest first: one may hold another.
func forms(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret) // a string cannot fail
		slashed := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "/", `\/`).Replace(secret)
		plain := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
		all = append(all, secret, strings.TrimSuffix(strings.TrimPrefix(string(quoted), `"`), `"`), slashed, plain, url.QueryEscape(secret), url.PathEscape(secret))
		all = append(all, escaped(secret, `\u%04X`), escaped(secret, `\u%04x`), lowerPercent(url.QueryEscape(secret)), lowerPercent(url.PathEscape(secret)))
		for _, quotes := range [][2]string{{"&#34;", "&#39;"}, {"&quot;", "&#39;"}, {"&quot;", "&#x27;"}, {"&quot;", "&apos;"}, {"&quot;", "'"}} {
			all = append(all, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, quotes[0], "'", quotes[1]).Replace(secret))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}

// escaped writes each character of a secret that is no letter and no digit of ASCII by its number, as some encoders of JSON do.
func escaped(secret, format string) string {
	var b strings.Builder
	for _, c := range secret {
		if c < utf8.RuneSelf && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			b.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&b, format, unit)
		}
	}
	return b.String()
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerPercent(text string) string { return percent.ReplaceAllStringFunc(text, strings.ToLower) }

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
