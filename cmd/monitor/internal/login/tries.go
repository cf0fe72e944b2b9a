package login

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A name, and an address, may be tried a few times at once, and then once in a while.
const (
	triesAtOnce = 5
	tryEvery    = 10 * time.Second
	triesKept   = 10_000 // names and addresses
)

// tries limits how often passwords are tried, by name and by address.
type tries struct {
	mu      sync.Mutex
	of      map[string]*rate.Limiter
	dropped time.Time // when the idle ones were
	now     func() time.Time
}

// allow takes one try of an address, and then one of a name; it answers false where either has none left. An address without tries takes none of a name, so that it
// locks out its own users only.
func (t *tries) allow(address, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.of) >= triesKept && now.Sub(t.dropped) >= time.Second {
		t.dropIdle(now)
	}
	return t.take("address "+address, now) && t.take("name "+hashed(name), now)
}

func (t *tries) take(key string, now time.Time) bool {
	if t.of[key] == nil {
		if len(t.of) >= triesKept {
			return false // so many are tried at once that it is an attack
		}
		if t.of == nil {
			t.of = map[string]*rate.Limiter{}
		}
		t.of[key] = rate.NewLimiter(rate.Every(tryEvery), triesAtOnce)
	}
	return t.of[key].AllowN(now, 1)
}

// dropIdle forgets those that have all their tries.
func (t *tries) dropIdle(now time.Time) {
	t.dropped = now
	maps.DeleteFunc(t.of, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= triesAtOnce })
}

// hashed is a name as it is kept: as short as any, and not in clear, since it may be a mistyped password.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// Peer is the address that a request came from, without its port.
func Peer(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// network is what counts as one address: a client has a whole /64 of IPv6.
func network(peer string) string {
	addr, err := netip.ParseAddr(peer)
	if err != nil || addr.Unmap().Is4() {
		return peer
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return peer
	}
	return prefix.String()
}
