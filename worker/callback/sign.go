package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// signer signs as Standard Webhooks 1.0 says (standardwebhooks.com): HMAC-SHA256 over id.timestamp.body, once with each key. While
// a secret is rotated there are two: a receiver that knows either of them accepts the callback.
type signer struct{ keys [][]byte }

// newSigner reads secrets of the form whsec_<base64>, separated by commas; "" means that nothing is signed.
func newSigner(secrets string) (*signer, error) {
	s := &signer{}
	if secrets == "" {
		return s, nil
	}
	for secret := range strings.SplitSeq(secrets, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("ORCH_WEBHOOK_SECRET must be whsec_ followed by the base64 of 24 to 64 random bytes; while it is rotated two of them, separated by a comma")
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// sign returns the signatures, separated by spaces, or "".
func (s *signer) sign(id, timestamp string, body []byte) string {
	var signatures []string
	for _, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}
