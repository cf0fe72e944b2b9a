package login

import (
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
	mu  sync.Mutex
	of  map[string]*rate.Limiter
	now func() time.Time
}

// allow takes one try of each key, and answers false where one has none left.
func (t *tries) allow(keys ...string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil || len(t.of) > triesKept {
		t.of = map[string]*rate.Limiter{}
	}
	allowed := true
	for _, key := range keys {
		if t.of[key] == nil {
			t.of[key] = rate.NewLimiter(rate.Every(tryEvery), triesAtOnce)
		}
		allowed = t.of[key].AllowN(t.now(), 1) && allowed
	}
	return allowed
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
