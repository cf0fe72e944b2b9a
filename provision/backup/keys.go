// Package backup names the repositories of stores' backups, and derives the passwords that open them. Nothing of it is kept anywhere: after any loss
// the two lists of keys, the installation's name and the store's id are enough to read a backup again.
package backup

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// minKey is how many characters a key has at least.
const minKey = 32

// Keys is a list of keys, the newest first. It is printed as its length, by whatever verb.
type Keys struct{ keys []string }

// ParseKeys reads keys with commas between: the first is used, all are accepted. The error names a key by its place in the list.
func ParseKeys(text string) (Keys, error) {
	if text == "" {
		return Keys{}, errors.New("there is no key")
	}
	keys := strings.Split(text, ",")
	for i, key := range keys {
		switch first := slices.Index(keys, key); {
		case strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
			return Keys{}, fmt.Errorf("key %d of %d has a space, a line's end or a character that is not ASCII", i+1, len(keys))
		case len(key) < minKey:
			return Keys{}, fmt.Errorf("key %d of %d has %d characters; at least %d are needed, such as those of openssl rand -hex 32", i+1, len(keys), len(key), minKey)
		case first < i:
			return Keys{}, fmt.Errorf("key %d of %d is key %d again", i+1, len(keys), first+1)
		}
	}
	return Keys{keys}, nil
}

// UnmarshalText is [ParseKeys], for configurations.
func (k *Keys) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKeys(string(text))
	return err
}

// Format keeps the keys out of logs and errors.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%d keys", len(k.keys)) }

// IsZero says that there are no keys.
func (k Keys) IsZero() bool { return len(k.keys) == 0 }

// Shares says whether the two lists have a key in common.
func (k Keys) Shares(other Keys) bool {
	return slices.ContainsFunc(k.keys, func(key string) bool { return slices.Contains(other.keys, key) })
}

// RepositoryPasswords are the passwords of a store's repository, the newest key's first. They never change for the same key, installation and label.
func (k Keys) RepositoryPasswords(installation, storeLabel string) []string {
	return k.derive("repository", installation, storeLabel)
}

// GatePasswords are the passwords that the gate takes from a store, the newest key's first. They differ from [Keys.RepositoryPasswords] even of the same key.
func (k Keys) GatePasswords(installation, storeLabel string) []string {
	return k.derive("gate", installation, storeLabel)
}

// derive is HKDF-SHA256 without a salt. Neither an installation's name nor a label has the byte 0, so that what is derived from is unambiguous.
func (k Keys) derive(purpose, installation, storeLabel string) []string {
	passwords := make([]string, len(k.keys))
	for i, key := range k.keys {
		derived, err := hkdf.Key(sha256.New, []byte(key), nil, strings.Join([]string{"orchestrator/backup/" + purpose, installation, storeLabel}, "\x00"), sha256.Size)
		if err != nil { // of a length that HKDF cannot give, or a key too short for FIPS 140, which minKey is not
			panic(err)
		}
		passwords[i] = hex.EncodeToString(derived)
	}
	return passwords
}

// Path is where a store's repository is below the gate's address and below the storage's: /<installation>/<store label>/.
func Path(installation, storeLabel string) string { return "/" + installation + "/" + storeLabel + "/" }

// repository takes what ORCH_INSTALLATION may be, and labels as provision.StoreLabel makes them.
var repository = regexp.MustCompile(`^/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)/([0-9a-f]{32})/`)

// ParsePath takes a path apart into what [Path] made it of and the rest behind it, which may be anything. ok is false for a path that does not begin like that.
func ParsePath(path string) (installation, storeLabel, rest string, ok bool) {
	found := repository.FindStringSubmatch(path)
	if found == nil {
		return "", "", "", false
	}
	return found[1], found[2], path[len(found[0]):], true
}
