package redisconn

import (
	"strings"
	"testing"
)

// FuzzParseURL reads arbitrary URLs around a password: no error shows it, and what is read has an address.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"redis://user:PASS@host:6379/1", "rediss-sentinel://u:PASS@a:1,b:2/m?db=3", "redis-cluster://:PASS@a,b", "unix://:PASS@/run/redis?db=1",
		"redis://PASS", "redis://u:PASS@h#x", "redis-sentinel://PASS/", "redis://%zzPASS@h", "redis://h/PASS", "redis://h?sentinel_password=PASS"} {
		f.Add(seed)
	}
	const password = "c0rrect-h0rse"
	f.Fuzz(func(t *testing.T, pattern string) {
		raw := strings.ReplaceAll(pattern, "PASS", password)
		o, err := parseURL(raw)
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("the error of %q shows the password: %v", pattern, err)
		}
		if err == nil && len(o.Addrs) == 0 {
			t.Errorf("%q has no address", pattern)
		}
	})
}
