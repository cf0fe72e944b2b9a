package provision

import "context"

// Fence stops a run from writing once another run of the same store may have begun: the store's lease, as the cluster
// packages see it.
type Fence interface {
	// Check returns an error as soon as the lease may have expired by the local clock. It does no I/O and is cheap enough for
	// every request.
	Check() error
	// Confirm reads from the record whether this run still holds the lease and its generation is still the newest.
	Confirm(ctx context.Context) error
}

type fenceKey struct{}

// WithFence returns a context whose cluster writes are checked by f.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// FenceOf returns the fence of the run that ctx belongs to. Outside a run (a look-up, a test) it is one that always
// permits.
func FenceOf(ctx context.Context) Fence {
	if f, ok := ctx.Value(fenceKey{}).(Fence); ok {
		return f
	}
	return open{}
}

type open struct{}

func (open) Check() error                  { return nil }
func (open) Confirm(context.Context) error { return nil }

type maintenanceKey struct{}

// WithMaintenance returns a context whose cluster writes are maintenance: what customers ask for comes before them.
func WithMaintenance(ctx context.Context) context.Context {
	return context.WithValue(ctx, maintenanceKey{}, true)
}

// IsMaintenance reports whether ctx is from [WithMaintenance].
func IsMaintenance(ctx context.Context) bool { return ctx.Value(maintenanceKey{}) != nil }
