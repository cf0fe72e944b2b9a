package engine

import (
	"context"
	"net/http"

	"orchestrator/provision"
)

// Static is a shop of static pages behind nginx: the smallest engine, without a database and without volumes.
type Static struct{}

var staticRules = settingsRules{currencies: "CHF EUR GBP USD"}

// Release implements [provision.Engine].
func (Static) Release(s provision.Store) (provision.Release, error) {
	origin, err := originOf(s)
	if err != nil {
		return provision.Release{}, err
	}
	set, err := resolveSettings(s, staticRules)
	if err != nil {
		return provision.Release{}, err
	}
	return provision.Release{
		Chart:       "static",
		Values:      commonValues(s, origin, set, "owner"),
		Credentials: []provision.Credential{rotating(secret(provision.AdminPassword, 24))},
	}, nil
}

// Verify implements [provision.Engine].
func (Static) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Outputs, error) {
	return nil, checkFrontPage(ctx, s, shop, false)
}

// VerifyPublic implements [provision.Engine].
func (Static) VerifyPublic(ctx context.Context, s provision.Store, shop provision.Shop) error {
	return checkFrontPage(ctx, s, shop, true)
}

func checkFrontPage(ctx context.Context, s provision.Store, shop provision.Shop, public bool) error {
	origin, err := originOf(s)
	if err != nil {
		return err
	}
	page, err := shopClient{client: shop.HTTP, origin: origin, public: public}.do(ctx, http.MethodGet, "/", nil, nil)
	if err == nil && page.status != http.StatusOK {
		return page.unexpected("the front page was expected")
	}
	return err
}
