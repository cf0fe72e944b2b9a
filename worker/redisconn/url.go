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

// parseURL understands what go-redis does, and two schemes of ours in the form that other Redis tools use:
// redis-sentinel://[:password@]host:port[,host:port…]/master and redis-cluster://[:password@]host:port[,host:port…], each
// with options behind a question mark, and as rediss-… with TLS.
func parseURL(raw string) (*options, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.Contains(raw, "#") { // an unescaped '#' would end the URL, and what is before it be taken for hosts
		return nil, errURL
	}
	secure := strings.HasPrefix(scheme, "rediss")
	switch scheme {
	case "redis", "rediss", "unix":
		return parseSingle(raw, secure)
	case "redis-sentinel", "rediss-sentinel":
		return parseSentinel(rest, secure)
	case "redis-cluster", "rediss-cluster":
		return parseCluster(rest, secure)
	}
	return nil, errURL
}

// errURL says what is right, not what is wrong: where a password holds characters that should have been escaped, any
// part of the URL may be a part of the password.
var errURL = errors.New("want redis[s]://[user:password@]host[:port][/db], unix://[:password@]/path[?db=n], " +
	"redis[s]-sentinel://[user:password@]host:port[,host:port…]/master[?db=n] or redis[s]-cluster://[user:password@]host:port[,host:port…], " +
	"with special characters in user and password percent-encoded")

func parseSingle(raw string, secure bool) (*options, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errURL
	}
	query := u.RawQuery
	u.RawQuery, u.ForceQuery = "", false
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errURL
	}
	t := &options{UniversalOptions: redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password}, tls: secure}
	return t, t.apply(query, forDatabase, forAll)
}

func parseSentinel(rest string, secure bool) (*options, error) {
	t, u, err := parseMany(rest, secure)
	if err != nil {
		return nil, err
	}
	t.MasterName = strings.Trim(u.Path, "/")
	if t.MasterName == "" || strings.ContainsAny(t.MasterName, "/@:") {
		return nil, errURL
	}
	return t, t.apply(u.RawQuery, forDatabase, forSentinel, forAll)
}

func parseCluster(rest string, secure bool) (*options, error) {
	t, u, err := parseMany(rest, secure)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errURL
	}
	t.IsClusterMode = true
	return t, t.apply(u.RawQuery, forCluster, forAll)
}

// parseMany reads user, password and a list of hosts, which net/url does not take as one host.
func parseMany(rest string, secure bool) (*options, *url.URL, error) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], strings.TrimPrefix(rest[end:], "/")
	user, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, hosts = authority[:at+1], authority[at+1:]
	}
	u, err := url.Parse("redis://" + user + "host/" + tail)
	if err != nil {
		return nil, nil, errURL
	}
	t := &options{UniversalOptions: redis.UniversalOptions{Username: u.User.Username()}, tls: secure}
	t.Password, _ = u.User.Password()
	for host := range strings.SplitSeq(hosts, ",") {
		if !hasPort(host) {
			return nil, nil, errURL
		}
		t.Addrs = append(t.Addrs, host)
	}
	return t, u, nil
}

func hasPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
