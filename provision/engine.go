package provision

import (
	"context"
	"net/http"
)

// Engine is what is special about an e-commerce platform.
type Engine interface {
	// Release returns what to install for the store. It is pure: equal stores give equal releases, and no secret is in it.
	// Its errors are of CodeInvalid.
	Release(Store) (Release, error)
	// Verify checks that a shopper can use the running shop, and returns its outputs. Of a shop that was VerifiedBefore it
	// requires only what its owner cannot change. An error with a retried code means not yet; the caller tries again within
	// the readiness budget.
	Verify(context.Context, Store, Shop) (Outputs, error)
	// VerifyPublic checks the shop at its public address, with requests that need no credential. It has and sends none. Its
	// errors are as those of Verify, and name what is wrong between client and shop: DNS, TLS, or the response.
	VerifyPublic(context.Context, Store, Shop) error
}

// Outputs are values that the orchestrator reads from a running shop and publishes. None of them is secret.
type Outputs map[string]string

// Release is a chart, its values and the credentials that its pods read.
type Release struct {
	Chart       string         // the folder below charts/store
	Values      map[string]any // override the chart's own, the environment's and the installation's values
	Credentials []Credential   // the entries that the store's Secret must have before the chart is applied
}

// The store's Secret, and the entry with the owner's password. Every engine has that entry.
const (
	CredentialsSecret = "store-credentials"
	AdminPassword     = "admin-password"
)

// BackupAccessSecret is the Secret with what opens a store's backups. It exists while one is made, and no longer.
const BackupAccessSecret = "store-backup-access"

// Credential is one entry of the store's Secret. It is generated once, when missing, and not changed afterwards but by a rotation.
type Credential struct {
	Key    string
	Prefix string
	Length int    // characters after the prefix
	Chars  string // what they are drawn from
	// Rotates says that the chart has a job for it: templates/rotate.yaml gives the running shop the value of the entry that is named by the key
	// and [NextSuffix].
	Rotates bool
	// Initial says that what is started with it never changes it, such as the password of a database's directory: a restore leaves it. All others are in the
	// shop's database too, or sign what is in it, and come back with it.
	Initial bool
}

// NextSuffix is the end of the names of entries that a rotation has drawn and the shop may not have yet.
const NextSuffix = "-next"

// Character sets for credentials that survive being part of a URL or a shell word unquoted.
const (
	Alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	Hex          = "0123456789abcdef"
)

// Shop gives access to a store's own pods, without DNS and ingress.
type Shop struct {
	// HTTP sends every request to the shop, whatever the URL's host is; use the store's URL, so that Host is right. It does
	// not follow redirects, and sets X-Forwarded-Proto to the URL's scheme.
	HTTP *http.Client
	// Credential returns an entry of the store's Secret.
	Credential func(ctx context.Context, key string) (string, error)
	// VerifiedBefore says that the shop has passed its verification before, with the credentials that it has. From then on the
	// owner may change the password, close the shop for a while, or move its pages.
	VerifiedBefore bool
	// Outputs are those of the verification before.
	Outputs Outputs
}
