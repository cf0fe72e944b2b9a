package provision

import "context"

// Fence keeps a run from writing once another run may have begun: the lease of the store's gate, seen from below.
type Fence interface {
	// Check returns an error as soon as the lease may have run out by the local clock. It asks nobody and is cheap enough
	// for every request.
	Check() error
	// Confirm asks the record whether this run still holds the gate and its generation is still wanted.
	Confirm(ctx context.Context) error
}

type fenceKey struct{}

// WithFence returns a context whose cluster writes pass through f.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// FenceOf returns the fence of the run that ctx belongs to. Outside a run (a look-up, a test) it is one that always
// agrees.
func FenceOf(ctx context.Context) Fence {
	if f, ok := ctx.Value(fenceKey{}).(Fence); ok {
		return f
	}
	return open{}
}

type open struct{}

func (open) Check() error                  { return nil }
func (open) Confirm(context.Context) error { return nil }
