package cluster

import (
	"time"

	"golang.org/x/oauth2"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// API is an API server that is logged in to with tokens of short life, which somebody else makes.
type API struct {
	Server string // https://…
	CA     []byte // PEM of the authority that has signed its certificate

	// Token returns a token and when it ends to be good. It is called again a minute before that, and when the API server
	// refused a token.
	Token func() (token string, expires time.Time, err error)
}

// refreshBefore is how long before its end a token is replaced: a request that was sent with it has to arrive.
const refreshBefore = time.Minute

// restConfig logs every connection in, also those that port-forwards open.
func (a *API) restConfig() *rest.Config {
	cfg := &rest.Config{Host: a.Server, TLSClientConfig: rest.TLSClientConfig{CAData: a.CA}}
	cfg.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedTokenSource(tokens{a})))
	return cfg
}

// tokens is how client-go's cache asks for a token.
type tokens struct{ api *API }

func (t tokens) Token() (*oauth2.Token, error) {
	token, expires, err := t.api.Token()
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: token, Expiry: expires.Add(-refreshBefore)}, nil
}
