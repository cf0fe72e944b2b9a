package ingest

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// The second spelling is that of the service that this one replaces.
const (
	tokenHeader           = "X-Orchestrator-Token"
	tokenHeaderUnderscore = "X_Orchestrator_Token"
)

// Scope is what a token is good for.
type Scope string

// The scopes. None contains another one.
const (
	ScopeRead    Scope = "read"    // show stores and dead letters
	ScopeWrite   Scope = "write"   // provision, change and delete stores
	ScopeOperate Scope = "operate" // replay dead letters, list orphans, list, give up and take back clusters
)

var allScopes = []Scope{ScopeRead, ScopeWrite, ScopeOperate}

// backendName is the name of the tokens of [Config.Tokens] in the audit log and in the record.
const backendName = "backend"

// NamedToken is a token that is known by its SHA-256 alone. Tokens are random and long, so that a hash cannot be guessed from.
type NamedToken struct {
	Name   string
	Scopes []Scope
	Hash   [sha256.Size]byte
}

var tokenName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// ParseTokens reads a file of tokens: a line for each, with its name, its scopes separated by commas, and its SHA-256 in hexadecimal. Empty
// lines and those that begin with # are skipped. A name may stand in several lines, so that its token can be rotated. All mistakes are
// reported at once, by line; no error contains what stands in the place of the hash.
func ParseTokens(r io.Reader) ([]NamedToken, error) {
	var all []NamedToken
	var bad []error
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		token, err := parseToken(strings.Fields(text))
		if err != nil {
			bad = append(bad, fmt.Errorf("line %d: %w", n, err))
		}
		all = append(all, token)
	}
	if err := lines.Err(); err != nil {
		bad = append(bad, err)
	}
	return all, errors.Join(bad...)
}

func parseToken(words []string) (t NamedToken, err error) {
	if len(words) != 3 {
		return t, errors.New("want a name, scopes and the SHA-256 of the token, separated by spaces")
	}
	t.Name = words[0]
	if !tokenName.MatchString(t.Name) || t.Name == backendName {
		return t, fmt.Errorf("the name must be lower-case letters, digits, '-', '_' and '.', at most 63, and not %q", backendName)
	}
	for scope := range strings.SplitSeq(words[1], ",") {
		if !slices.Contains(allScopes, Scope(scope)) {
			return t, fmt.Errorf("token %s: a scope is none of read, write and operate", t.Name)
		}
		t.Scopes = append(t.Scopes, Scope(scope))
	}
	hash, err := hex.DecodeString(words[2])
	if err != nil || len(hash) != sha256.Size {
		return t, fmt.Errorf("token %s: the third word must be its SHA-256, 64 hexadecimal digits; `orchestrator token` makes both", t.Name)
	}
	copy(t.Hash[:], hash)
	return t, nil
}

// tokens are all that are accepted. Hashes have the same length, so that a comparison does not reveal the length of a token.
type tokens []NamedToken

// newTokens gives the tokens of the backend all scopes; operate only while no other token has it.
func newTokens(plain []string, named []NamedToken) (tokens, error) {
	if len(plain) == 0 {
		return nil, errors.New("ingest: no token is configured, so every request would be refused")
	}
	scopes := allScopes
	if slices.ContainsFunc(named, func(t NamedToken) bool { return slices.Contains(t.Scopes, ScopeOperate) }) {
		scopes = []Scope{ScopeRead, ScopeWrite}
	}
	all := tokens(slices.Clone(named))
	for i, token := range plain {
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, fmt.Errorf("ingest: token %d of %d is empty or contains characters that are not allowed in an HTTP header", i+1, len(plain))
		}
		all = append(all, NamedToken{backendName, scopes, sha256.Sum256([]byte(token))})
	}
	return all, nil
}

// find compares with every token, so that its duration does not reveal which token came close.
func (t tokens) find(presented string) (found NamedToken, ok bool) {
	hash := sha256.Sum256([]byte(presented))
	for _, known := range t {
		if subtle.ConstantTimeCompare(hash[:], known.Hash[:]) == 1 {
			found, ok = known, true
		}
	}
	return found, ok
}

const callerKey = "caller"

// authorize refuses a request without a valid token, or whose token lacks the scope, before its body is read.
func (s *server) authorize(scope Scope) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Request().Header
			presented := slices.Concat(h.Values(tokenHeader), h.Values(tokenHeaderUnderscore))
			var caller NamedToken
			known := len(presented) == 1
			if known {
				caller, known = s.tokens.find(presented[0])
			}
			if !known {
				c.Response().Header().Set(echo.HeaderWWWAuthenticate, `ApiKey realm="orchestrator", header="`+tokenHeader+`"`)
				return unauthorized.problem("send a valid token in the header " + tokenHeader)
			}
			c.Set(callerKey, caller.Name)
			if !slices.Contains(caller.Scopes, scope) {
				return forbidden.problem(fmt.Sprintf("the token %s lacks the scope %s", caller.Name, scope))
			}
			return next(c)
		}
	}
}

// callerOf is the name of the request's token, or "" where it has no valid one.
func callerOf(c echo.Context) string {
	name, _ := c.Get(callerKey).(string)
	return name
}
