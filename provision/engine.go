package provision

import (
	"context"
	"net/http"
)

// Engine is what is special about an e-commerce platform.
type Engine interface {
	// Release says what to install for the store. It is pure: equal stores give equal releases, and no secret is in it.
	// Its errors are of CodeInvalid.
	Release(Store) (Release, error)
	// Verify asks the running shop whether a shopper can use it. An error of a retried code means not yet; the caller asks
	// again within the readiness budget.
	Verify(context.Context, Store, Shop) error
}

// Release is a chart, its values and the credentials that its pods read.
type Release struct {
	Chart       string         // the folder below charts/store
	Values      map[string]any // over the chart's own, the environment's and the installation's values
	Credentials []Credential   // what the store's one Secret must hold before the chart is applied
}

// The store's Secret and the entry of it that the owner logs in with. Every engine has that entry.
const (
	CredentialsSecret = "store-credentials"
	AdminPassword     = "admin-password"
)

// Credential is one entry of the store's Secret. It is generated once, when missing, and never changed afterwards.
type Credential struct {
	Key    string
	Prefix string
	Length int    // characters after the prefix
	Chars  string // what they are drawn from
}

// Character sets for credentials that survive being part of a URL or a shell word unquoted.
const (
	Alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	Hex          = "0123456789abcdef"
)

// Shop is the way to a store's own pods, past DNS and ingress.
type Shop struct {
	// HTTP sends every request to the shop whatever the URL's host is; use the store's URL, so that Host is right. It does
	// not follow redirects and adds X-Forwarded-Proto from the URL's scheme.
	HTTP *http.Client
	// Credential returns an entry of the store's Secret.
	Credential func(ctx context.Context, key string) (string, error)
}
