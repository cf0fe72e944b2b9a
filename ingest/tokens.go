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

// tokens are hashes: equal in length, so that comparing them tells nothing about the length of a token either.
type tokens [][sha256.Size]byte

func newTokens(plain []string) (tokens, error) {
	if len(plain) == 0 {
		return nil, errors.New("ingest: no token is given, so that every request would be refused")
	}
	var hashes tokens
	for i, token := range plain {
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, fmt.Errorf("ingest: token %d of %d is empty or has characters that no HTTP header can carry", i+1, len(plain))
		}
		hashes = append(hashes, sha256.Sum256([]byte(token)))
	}
	return hashes, nil
}

// accept compares with every token, so that the time it takes does not tell which one came close.
func (t tokens) accept(presented string) bool {
	hash := sha256.Sum256([]byte(presented))
	found := 0
	for _, known := range t {
		found |= subtle.ConstantTimeCompare(hash[:], known[:])
	}
	return found == 1
}

// authorize refuses a request before its body is read.
func (s *server) authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		presented := c.Request().Header.Values(tokenHeader)
		if len(presented) != 1 || !s.tokens.accept(presented[0]) {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, `ApiKey realm="orchestrator", header="`+tokenHeader+`"`)
			return unauthorized.problem("a valid token is needed in the header " + tokenHeader)
		}
		return next(c)
	}
}
