package redisconn

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// options is what a URL says.
type options struct {
	redis.UniversalOptions
	tls        bool
	skipVerify bool
}

// errURL says what is right, not what is wrong: where a password holds characters that should have been escaped, any
// part of the URL may be a part of the password. go-redis quotes such parts, so its errors are never passed on.
var errURL = errors.New("want redis[s]://[user:password@]host[:port][/db], unix://[:password@]/path[?db=n], " +
	"redis[s]-sentinel://[user:password@]host:port[,host:port…]/master[?db=n] or redis[s]-cluster://[user:password@]host:port[,host:port…], " +
	"with special characters in user and password percent-encoded")

// parseURL takes the URLs that go-redis takes, and two schemes of ours in the form that other Redis tools use:
// redis-sentinel://[:password@]host:port[,host:port…]/master and redis-cluster://[:password@]host:port[,host:port…], each
// with options behind a question mark, and as rediss-… with TLS.
func parseURL(raw string) (*options, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.Contains(raw, "#") { // an unescaped '#' would end the URL, and what is before it be taken for hosts
		return nil, errURL
	}
	switch scheme {
	case "redis", "rediss", "unix":
		u, err := url.Parse(raw)
		if err != nil {
			return nil, errURL
		}
		o, _, err := parse(u, databaseOptions)
		return o, err
	case "redis-sentinel", "rediss-sentinel":
		return parseSentinel(strings.TrimSuffix(scheme, "-sentinel"), rest)
	case "redis-cluster", "rediss-cluster":
		return parseCluster(strings.TrimSuffix(scheme, "-cluster"), rest)
	}
	return nil, errURL
}

func parseSentinel(scheme, rest string) (*options, error) {
	u, hosts, err := splitHosts(scheme, rest)
	if err != nil {
		return nil, err
	}
	master := strings.Trim(u.Path, "/")
	if master == "" || strings.ContainsAny(master, "/@:") {
		return nil, errURL
	}
	u.Path = ""
	o, own, err := parse(u, sentinelOptions, "sentinel_username", "sentinel_password")
	if err != nil {
		return nil, err
	}
	o.Addrs, o.MasterName = hosts, master
	o.SentinelUsername, o.SentinelPassword = own.Get("sentinel_username"), own.Get("sentinel_password")
	return o, nil
}

func parseCluster(scheme, rest string) (*options, error) {
	u, hosts, err := splitHosts(scheme, rest)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errURL
	}
	o, own, err := parse(u, clusterOptions, "max_redirects")
	if err != nil {
		return nil, err
	}
	o.Addrs, o.IsClusterMode = hosts, true
	if own.Has("max_redirects") {
		if o.MaxRedirects, err = strconv.Atoi(own.Get("max_redirects")); err != nil {
			return nil, errOption("max_redirects", number)
		}
	}
	return o, nil
}

// splitHosts takes the list of hosts out of what follows a scheme, which neither net/url nor go-redis takes for one host,
// and returns the URL with another host in its place.
func splitHosts(scheme, rest string) (*url.URL, []string, error) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], strings.TrimPrefix(rest[end:], "/")
	at := strings.LastIndex(authority, "@") + 1
	u, err := url.Parse(scheme + "://" + authority[:at] + "host/" + tail)
	if err != nil {
		return nil, nil, errURL
	}
	hosts := strings.Split(authority[at:], ",")
	for _, host := range hosts {
		if !hasPort(host) {
			return nil, nil, errURL
		}
	}
	return u, hosts, nil
}

func hasPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
