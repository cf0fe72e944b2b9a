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
	// Verify asks the running shop whether a shopper can use it, and returns what it has learned. Of a shop that is Proven it
	// requires only what its owner cannot change. An error of a retried code means not yet; the caller asks again within the
	// readiness budget.
	Verify(context.Context, Store, Shop) (Facts, error)
	// Visit asks at the shop's public address what anybody may ask. It has and sends no credential; its errors are as those of
	// Verify, and say what is wrong on the way: DNS, TLS, or the answer.
	Visit(context.Context, Store, Shop) error
}

// Facts are what a shop has told the orchestrator that others may know. Nothing in them is secret.
type Facts map[string]string

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
	// Proven says that the shop has passed its check before, with the credentials that it has: from then on it is its owner's,
	// who may change the password, close the shop for a while, or move its pages.
	Proven bool
	// Facts are those of the check before.
	Facts Facts
}
