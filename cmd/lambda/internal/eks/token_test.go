package eks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"
)

var role = Role{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "session/token==", Region: "eu-central-1"}

// TestRoleTokenIsAPresignedRequest signs by the specification of Signature Version 4 and compares.
func TestRoleTokenIsAPresignedRequest(t *testing.T) {
	now := time.Date(2026, 11, 23, 7, 8, 9, 0, time.UTC)
	token, expires, err := role.Token("shops", now)
	if err != nil || expires.Sub(now) != 15*time.Minute {
		t.Fatalf("ends %s, %v", expires, err)
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1."))
	if err != nil || !strings.HasPrefix(token, "k8s-aws-v1.") {
		t.Fatalf("%q, %v", token, err)
	}
	u, err := url.Parse(string(text))
	if err != nil || u.Host != "sts.eu-central-1.amazonaws.com" || u.Path != "/" {
		t.Fatalf("%s, %v", text, err)
	}
	query := u.Query()
	signature := query.Get("X-Amz-Signature")
	query.Del("X-Amz-Signature")
	want := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Algorithm": {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential": {"AKIDEXAMPLE/20261123/eu-central-1/sts/aws4_request"}, "X-Amz-Date": {"20261123T070809Z"},
		"X-Amz-Expires": {"60"}, "X-Amz-Security-Token": {role.SessionToken}, "X-Amz-SignedHeaders": {"host;x-k8s-aws-id"}}
	if query.Encode() != want.Encode() {
		t.Errorf("asks\n%s, want\n%s", query.Encode(), want.Encode())
	}
	if by := byHand(want, "host:sts.eu-central-1.amazonaws.com\nx-k8s-aws-id:shops\n"); by != signature {
		t.Errorf("signature %s, want %s", signature, by)
	}
}

func byHand(query url.Values, headers string) string {
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	nothing := sha256.Sum256(nil)
	canonical := sha256.Sum256([]byte("GET\n/\n" + query.Encode() + "\n" + headers + "\nhost;x-k8s-aws-id\n" + hex.EncodeToString(nothing[:])))
	key := []byte("AWS4" + role.SecretAccessKey)
	for _, part := range []string{"20261123", "eu-central-1", "sts", "aws4_request"} {
		key = sum(key, part)
	}
	return hex.EncodeToString(sum(key, "AWS4-HMAC-SHA256\n20261123T070809Z\n20261123/eu-central-1/sts/aws4_request\n"+hex.EncodeToString(canonical[:])))
}

func TestRoleTokenIsValidForItsClusterOnly(t *testing.T) {
	now := time.Now()
	a, _, _ := role.Token("a", now)
	b, _, _ := role.Token("b", now)
	if a == b {
		t.Error("two clusters have the same token")
	}
	china := role
	china.Region = "cn-north-1"
	token, _, _ := china.Token("a", now)
	if text, _ := base64.RawURLEncoding.DecodeString(token[len("k8s-aws-v1."):]); !strings.Contains(string(text), "sts.cn-north-1.amazonaws.com.cn/") {
		t.Errorf("asks %s", text)
	}
}
