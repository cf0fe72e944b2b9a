package callback

import (
	"encoding/base64"
	"strings"
	"testing"
)

// The example of the Standard Webhooks specification.
func TestSignThePublishedExample(t *testing.T) {
	s, err := newSigner(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := s.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestNewSenderRefusesInvalidSecretsAndDoesNotRepeatThem(t *testing.T) {
	of := func(bytes int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", bytes)))
	}
	for name, secret := range map[string]string{
		"too short": of(23), "too long": of(65), "only the prefix": "whsec_", "no base64": "whsec_not/base64!", "without padding": "whsec_" + strings.Repeat("a", 33),
	} {
		_, err := NewSender("http://backend", testToken, secret, TLSFiles{})
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if body := strings.TrimPrefix(secret, "whsec_"); body != "" && strings.Contains(err.Error(), body) {
			t.Errorf("%s: the error repeats the secret: %v", name, err)
		}
	}
	for _, bytes := range []int{24, 64} {
		if _, err := NewSender("http://backend", testToken, of(bytes), TLSFiles{}); err != nil {
			t.Errorf("%d bytes: %v", bytes, err)
		}
	}
}

func TestSignWithEachSecretWhileOneIsRotated(t *testing.T) {
	next := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
	sign := func(secrets string) string {
		t.Helper()
		s, err := newSigner(secrets)
		if err != nil {
			t.Fatal(err)
		}
		return s.sign("id", "1", []byte("{}"))
	}
	if got, want := sign(testSecret+", "+next), sign(testSecret)+" "+sign(next); got != want {
		t.Errorf("signatures %q, want %q", got, want)
	}
	if _, err := newSigner(testSecret + ","); err == nil {
		t.Error("an empty second secret is taken")
	}
}
