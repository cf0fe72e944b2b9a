package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// signer signs as Standard Webhooks 1.0 says (standardwebhooks.com): HMAC-SHA256 over id.timestamp.body.
type signer struct{ key []byte }

// newSigner reads a secret of the form whsec_<base64>; "" means that nothing is signed.
func newSigner(secret string) (*signer, error) {
	if secret == "" {
		return &signer{}, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("ORCH_WEBHOOK_SECRET must be whsec_ followed by the base64 of 24 to 64 random bytes")
	}
	return &signer{key}, nil
}

func (s *signer) sign(id, timestamp string, body []byte) string {
	if s.key == nil {
		return ""
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
