package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
)

// isKept says whether the storage has the file of this upload already: the answer to a request before was lost then, and restic has sent it again. What is there is not replaced; it is read, and
// is an error unless it is what its name says. The client sends all of the file in any case.
func (g *Gate) isKept(ctx context.Context, x *exchange) (bool, error) {
	there, err := g.has(ctx, x.target)
	if err != nil || !there {
		return false, err
	}
	response, err := g.ask(ctx, http.MethodGet, x.target)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, strange(response)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(storageBody{response.Body, x.watch}, g.MaxObject+1)); err != nil {
		return false, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != x.target.name {
		return false, refuse(http.StatusForbidden, "%s is there already with another content than its name says, and nothing that is there is replaced", x.target)
	}
	_, err = io.Copy(io.Discard, x.upload)
	return err == nil, err
}

// has asks the storage whether it has a file.
func (g *Gate) has(ctx context.Context, t target) (bool, error) {
	response, err := g.ask(ctx, http.MethodHead, t)
	if err != nil {
		return false, err
	}
	response.Body.Close()
	switch response.StatusCode {
	case http.StatusNotFound:
		return false, nil
	case http.StatusOK:
		return true, nil
	default:
		return false, strange(response)
	}
}

// ask sends the storage a request of the gate's own.
func (g *Gate) ask(ctx context.Context, method string, t target) (*http.Response, error) {
	request := (&http.Request{Method: method, URL: g.urlOf(t), Header: http.Header{"User-Agent": nil}}).WithContext(ctx)
	g.authorize(request)
	return g.proxy.Transport.RoundTrip(request)
}

// storageBody tells the watch that the storage sends something which no client takes.
type storageBody struct {
	io.Reader
	watch *watch
}

func (b storageBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.watch.moves(n)
	return n, err
}
