package kube

import (
	"time"

	"golang.org/x/oauth2"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// APIServer is an API server that accepts short-lived tokens, and the source of those tokens.
type APIServer struct {
	Server string // https://…
	CA     []byte // PEM of the authority that has signed its certificate

	// Token returns a token and the time at which it expires. It is called again a minute before that, and after the API
	// server has rejected a token.
	Token func() (token string, expires time.Time, err error)
}

// refreshBefore is how long before its expiry a token is replaced: a request in flight must arrive with a valid token.
const refreshBefore = time.Minute

// restConfig authenticates every connection, those of port-forwards included.
func (a *APIServer) restConfig() *rest.Config {
	cfg := &rest.Config{Host: a.Server, TLSClientConfig: rest.TLSClientConfig{CAData: a.CA}}
	cfg.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedTokenSource(tokens{a})))
	return cfg
}

// tokens adapts APIServer.Token to the token cache of client-go.
type tokens struct{ api *APIServer }

func (t tokens) Token() (*oauth2.Token, error) {
	token, expires, err := t.api.Token()
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: token, Expiry: expires.Add(-refreshBefore)}, nil
}
