package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transport connects to the storage: neither by a proxy of the environment, nor by anything that changes what comes and goes.
func Transport(atOnce int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: atOnce, // each request would open a connection otherwise, once two are idle
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
}

// urlOf is where a target is at the storage, without credentials.
func (g *Gate) urlOf(t target) *url.URL {
	return &url.URL{Scheme: g.Storage.Scheme, Host: g.Storage.Host, Path: strings.TrimSuffix(g.Storage.Path, "/") + t.path()}
}

// authorize sets the gate's own credentials.
func (g *Gate) authorize(r *http.Request) {
	if user := g.Storage.User; user != nil {
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
	}
}

// passed are the headers of a request that the storage gets; the client's credentials are not among them.
var passed = []string{"Accept", "Content-Type", "Range"}

// returned are the headers of an answer that the client gets.
var returned = []string{"Accept-Ranges", "Content-Length", "Content-Range", "Content-Type"}

func (g *Gate) rewrite(p *httputil.ProxyRequest) {
	t := exchangeOf(p.In).target
	p.Out.URL, p.Out.Host = g.urlOf(t), ""
	p.Out.URL.RawQuery = query(t)
	p.Out.Header = only(p.In.Header, passed)
	g.authorize(p.Out)
}

func only(h http.Header, names []string) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	return h
}

// answered looks at what the storage has answered before a byte of it goes to the client. Its error ends in failed.
func answered(response *http.Response) error {
	x := exchangeOf(response.Request)
	if refused := refusalOf(response, x); refused != nil {
		return refused
	}
	if err := lengthIsRight(response, x.target); err != nil {
		return refuseBecause(err, http.StatusBadGateway, "the storage has answered with another length than it should")
	}
	if x.method == http.MethodPost && x.target.isFile() && !x.upload.isWhole() {
		return refuse(http.StatusBadGateway, "the storage says that it has kept %s before it had all of it", x.target)
	}
	response.Header = only(response.Header, returned)
	return nil
}

// refusalOf is what the client is told instead of an answer that is no success, nil for one that is.
func refusalOf(response *http.Response, x *exchange) *refusal {
	post := x.method == http.MethodPost
	switch code := response.StatusCode; {
	case code == http.StatusOK, code == http.StatusPartialContent && x.method == http.MethodGet && response.Request.Header.Get("Range") != "":
		return nil
	case code == http.StatusNotFound && x.target.isList() && strings.HasPrefix(response.Header.Get("Server"), "rclone/"):
		// To restic a missing list is an empty one, unless it knows that the storage is rclone, which has no missing lists but errors that look like them.
		return strange(response)
	case code == http.StatusNotFound && !post:
		return refuse(code, "the storage does not have %s", x.target)
	case code == http.StatusForbidden && post && x.target.kind == config:
		return exists(x.target)
	case code == http.StatusForbidden && post && x.target.isFile():
		// It was not there a moment ago: a request before, whose answer was lost, was still at work.
		return later(http.StatusServiceUnavailable, "5", "%s has come meanwhile", x.target)
	case code == http.StatusRequestedRangeNotSatisfiable && x.method == http.MethodGet:
		return refuse(code, "%s is shorter than that", x.target)
	default:
		return strange(response)
	}
}

// seconds is a Retry-After that is a number, and 5 for any other.
func seconds(after string) string {
	if n, err := strconv.Atoi(after); err != nil || n < 0 || n > 3600 {
		return "5"
	}
	return after
}

func exists(t target) *refusal {
	return refuse(http.StatusForbidden, "%s is there already, and nothing that is there is replaced", t)
}

// strange is the refusal of an answer that means nothing to a client but that the storage has failed.
func strange(response *http.Response) *refusal {
	code := response.StatusCode
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return refuse(http.StatusBadGateway, "the storage refuses the gate: it has answered %d. ORCH_BACKUP_STORAGE needs a user and a password that it takes", code)
	case http.StatusInsufficientStorage:
		return refuse(code, "the storage is full")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return later(http.StatusServiceUnavailable, seconds(response.Header.Get("Retry-After")), "the storage is busy: it has answered %d", code)
	}
	return refuse(http.StatusBadGateway, "the storage has answered %d %s", code, http.StatusText(code))
}

// lengthIsRight refuses an answer of which the client could not tell whether it is whole, and a part that is not the one that was asked for.
func lengthIsRight(response *http.Response, t target) error {
	request, length := response.Request, response.ContentLength
	switch {
	case request.Method != http.MethodGet:
		return nil
	case length < 0 && !t.isList():
		return errors.New("it does not say how long the file is")
	case length < 0 && len(response.TransferEncoding) == 0:
		return errors.New("it ends where the connection does")
	case request.Header.Get("Range") == "":
		return nil
	}
	asked := byteRange.FindStringSubmatch(request.Header.Get("Range"))
	if response.StatusCode == http.StatusOK {
		if number(asked[1]) != 0 || asked[2] != "" && length > number(asked[2])+1 {
			return errors.New("it answers with the whole file where a part was asked for")
		}
		return nil
	}
	return partIsRight(response.Header.Get("Content-Range"), length, asked)
}

// partIsRight compares what was asked for, from and to, with Content-Range and the length of the answer.
func partIsRight(given string, length int64, asked []string) error {
	var from, to, size int64
	if n, _ := fmt.Sscanf(given, "bytes %d-%d/%d", &from, &to, &size); n != 3 {
		return fmt.Errorf("its Content-Range is %.60q", given)
	}
	last := size - 1
	if asked[2] != "" {
		last = min(last, number(asked[2]))
	}
	if from != number(asked[1]) || to != last || length != to-from+1 {
		return fmt.Errorf("bytes %s-%s were asked for, it answers with %d bytes, Content-Range %.60q", asked[1], asked[2], length, given)
	}
	return nil
}

// number reads digits of [byteRange], which fit.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// failed answers where the storage has not, or where answered has refused what it has.
func failed(w http.ResponseWriter, r *http.Request, err error) {
	exchangeOf(r).refuse(why(r.Context(), exchangeOf(r), err))
}

// clientLeft is what servers of HTTP write down for a client that did not wait for its answer.
const clientLeft = 499

// why says whose fault a failure is. What the transport says may have addresses in it and is for the log.
func why(ctx context.Context, x *exchange, err error) *refusal {
	if s, ok := errors.AsType[stalled](context.Cause(ctx)); ok {
		refused := refuseBecause(err, http.StatusGatewayTimeout, "%s", s)
		if s.client {
			refused.status = http.StatusRequestTimeout
		}
		// The watch has ended the connection's reads: to the server its client has left, and each later request on it would be ended before it began.
		refused.header = http.Header{"Connection": {"close"}}
		return refused
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if x.upload != nil && x.upload.failure() != nil {
		if errors.Is(x.upload.failure(), errOtherContent) {
			return refuseBecause(err, http.StatusBadRequest, "%s is not kept: the SHA-256 of its content is not its name", x.target)
		}
		return refuseBecause(x.upload.failure(), http.StatusBadRequest, "%s did not come to its end", x.target)
	}
	if ctx.Err() != nil {
		return refuseBecause(err, clientLeft, "the client has left")
	}
	return refuseBecause(err, http.StatusBadGateway, "the storage of backups cannot be reached (ORCH_BACKUP_STORAGE of the gate); nothing was kept of this request")
}
