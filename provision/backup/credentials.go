package backup

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// The pod of a restore seals the entries of a Secret that it has found in a backup, since its message can be read by all who may read pods. It has no other tool for
// that than openssl: enc -aes-256-cbc -pbkdf2 -iter 100000 -md sha256 -salt -a -A, with the password of the store's repository.
const (
	sealedMagic      = "Salted__"
	sealedSalt       = 8
	sealedIterations = 100_000
	sealedFirstLine  = "credentials 1"
)

var errSealed = errors.New("it was not sealed with the password of the store's repository, or is cut off")

// OpenCredentials opens what was sealed: the entries of a store's Secret, by their keys.
func OpenCredentials(password, sealed string) (map[string]string, error) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	head := len(sealedMagic) + sealedSalt
	if len(data) <= head || len(data)%aes.BlockSize != 0 || string(data[:len(sealedMagic)]) != sealedMagic {
		return nil, errSealed
	}
	key, err := pbkdf2.Key(sha256.New, password, data[len(sealedMagic):head], sealedIterations, 32+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return nil, err
	}
	text := data[head:]
	cipher.NewCBCDecrypter(block, key[32:]).CryptBlocks(text, text)
	return entriesOf(text)
}

// entriesOf reads the lines below the first, each a key and a value; the last byte says how many at the end are no text.
func entriesOf(text []byte) (map[string]string, error) {
	fill := int(text[len(text)-1])
	if fill < 1 || fill > aes.BlockSize {
		return nil, errSealed
	}
	first, rest, _ := strings.Cut(string(text[:len(text)-fill]), "\n")
	if first != sealedFirstLine {
		return nil, errSealed
	}
	entries := map[string]string{}
	for line := range strings.Lines(rest) {
		key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !found {
			return nil, errSealed
		}
		entries[key] = value
	}
	return entries, nil
}
