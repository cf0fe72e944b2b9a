package provision

import (
	"context"
	"time"
)

// minVerifyTime is how long one verification may take, whatever the deadline is. A run that starts after the budget, because
// Redis or its worker was down, still verifies once before it fails.
const minVerifyTime = 10 * time.Second

// verify verifies the shop until it passes or the deadline is reached, and saves the result.
func (r *Runner) verify(ctx context.Context, s Store, engine Engine, deadline time.Time) (Outputs, error) {
	every := r.VerifyEvery
	if every == 0 {
		every = 2 * time.Second
	}
	reason := "no request was sent"
	for {
		outputs, err := r.verifyOnce(ctx, s, engine, deadline)
		if err == nil {
			return outputs, r.Shops.SaveVerification(ctx, s, outputs)
		}
		if CodeOf(err).Final() || ctx.Err() != nil {
			return nil, err
		}
		reason = lastReason(err, reason)
		if time.Until(deadline) < every {
			return nil, Wrap(CodeTimeout, err, "the pods of %s are ready, but the shop did not pass its check in time: %s", s.Name, reason)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

func (r *Runner) verifyOnce(ctx context.Context, s Store, engine Engine, deadline time.Time) (Outputs, error) {
	if least := time.Now().Add(minVerifyTime); deadline.Before(least) {
		deadline = least
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	shop, closeShop, err := r.Shops.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	defer closeShop()
	// A shop that comes from a backup is its owner's, whatever the Secret of today says.
	shop.VerifiedBefore = (shop.VerifiedBefore || s.Restore != nil) && !s.Forced(ForceVerify)
	outputs, err := engine.Verify(ctx, s, shop)
	if err == nil && r.PublicClient != nil {
		err = engine.VerifyPublic(ctx, s, Shop{HTTP: r.PublicClient, VerifiedBefore: shop.VerifiedBefore})
	}
	return outputs, err
}

// lastReason is the message of the last error that has one: a request that was cut off at the deadline says nothing, and
// the one before it does.
func lastReason(err error, before string) string {
	if CodeOf(err) == CodeInternal {
		return before
	}
	return Public(err)
}
