package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"
)

const tokenHeader = "X-Orchestrator-Token"

// tokens are hashes of tokens. All have the same length, so that a comparison does not reveal the length of a token.
type tokens [][sha256.Size]byte

func newTokens(plain []string) (tokens, error) {
	if len(plain) == 0 {
		return nil, errors.New("ingest: no token is configured, so every request would be refused")
	}
	var hashes tokens
	for i, token := range plain {
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, fmt.Errorf("ingest: token %d of %d is empty or contains characters that are not allowed in an HTTP header", i+1, len(plain))
		}
		hashes = append(hashes, sha256.Sum256([]byte(token)))
	}
	return hashes, nil
}

// accept compares with every token, so that its duration does not reveal which token came close.
func (t tokens) accept(presented string) bool {
	hash := sha256.Sum256([]byte(presented))
	found := 0
	for _, known := range t {
		found |= subtle.ConstantTimeCompare(hash[:], known[:])
	}
	return found == 1
}

// authorize refuses a request without a valid token before its body is read.
func (s *server) authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		presented := c.Request().Header.Values(tokenHeader)
		if len(presented) != 1 || !s.tokens.accept(presented[0]) {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, `ApiKey realm="orchestrator", header="`+tokenHeader+`"`)
			return unauthorized.problem("send a valid token in the header " + tokenHeader)
		}
		return next(c)
	}
}
