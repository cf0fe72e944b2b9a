package engine

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestOnlyPublicRefusesAddressesOfNetworksOfTheirOwn(t *testing.T) {
	check := onlyPublic([]netip.Prefix{netip.MustParsePrefix("10.7.0.0/16"), netip.MustParsePrefix("fd00:7::/32")})
	for address, allowed := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true, "10.7.1.2:80": true, "[fd00:7::1]:443": true, "[::ffff:10.7.1.2]:443": true,
		"[64:ff9b::5db8:d822]:443": true, "[2002:5db8:d822::1]:443": true,
		"127.0.0.1:80": false, "127.9.9.9:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "0.0.0.0:80": false, "[::]:80": false,
		"169.254.169.254:80": false, "[fe80::1%eth0]:80": false, "[fd00:ec2::254]:80": false, "100.100.100.200:80": false,
		"10.0.0.1:443": false, "172.16.0.1:443": false, "172.31.255.255:443": false, "192.168.1.1:443": false, "10.8.0.1:443": false, "[fc00::1]:443": false,
		"192.0.0.192:80": false, "198.18.0.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "[ff02::1]:80": false,
		"[64:ff9b::a9fe:a9fe]:80": false, "[2002:7f00:1::]:80": false, "[2002:a00:1::]:80": false,
	} {
		err := check("tcp", address, nil)
		if (err == nil) != allowed {
			t.Errorf("%s: %v, want it allowed: %t", address, err, allowed)
		}
		if _, ok := errors.AsType[addressError](err); err != nil && !ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPublicClientRefusesToConnectToThisMachine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived") }))
	defer server.Close()
	resp, err := PublicClient(PublicAccess{}).Get(server.URL)
	if err == nil {
		resp.Body.Close()
	}
	if said := transportReason(err); !strings.Contains(said, "127.0.0.1, which is not a public address") {
		t.Errorf("%v is shown as %q", err, said)
	}
	answering := httptest.NewServer(http.NotFoundHandler())
	defer answering.Close()
	resp, err = PublicClient(PublicAccess{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).Get(answering.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
