package engine

import (
	"fmt"
	"net/netip"
	"syscall"
)

// notPublic are addresses that are not on the internet although [netip.Addr] does not call them private or local.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared by a provider's customers (RFC 6598); some clouds have their metadata there
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

// translated are IPv6 addresses that lead to the IPv4 address in their last, or for 6to4 their next, four bytes.
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// addressError says that a name leads to an address that is not public.
type addressError struct{ addr netip.Addr }

func (e addressError) Error() string {
	return fmt.Sprintf("the name leads to %s, which is not a public address; if shops are there, allow it by ORCH_VERIFY_ALLOW_CIDRS", e.addr)
}

// onlyPublic returns a [net.Dialer] Control that refuses addresses which are not public, except those in allowed. It runs after the
// lookup, on the address that is connected to: a name cannot change between check and use.
func onlyPublic(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		addr := to.Addr().Unmap().WithZone("")
		for _, prefix := range allowed {
			if prefix.Contains(addr) {
				return nil
			}
		}
		if !public(addr) {
			return addressError{addr}
		}
		return nil
	}
}

func public(addr netip.Addr) bool {
	if addr.Is6() {
		bytes := addr.As16()
		switch {
		case nat64.Contains(addr):
			return public(netip.AddrFrom4([4]byte(bytes[12:])))
		case sixToFour.Contains(addr):
			return public(netip.AddrFrom4([4]byte(bytes[2:6])))
		}
	}
	for _, prefix := range notPublic {
		if prefix.Contains(addr) {
			return false
		}
	}
	return addr.IsGlobalUnicast() && !addr.IsPrivate()
}
