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

// WriteClass is what a write to the cluster is for. Each class that waits for a write slot gets a share of them.
type WriteClass string

// The classes. A write of a context that names none finishes what has begun.
const (
	WriteFinish      WriteClass = "finish"      // of a store whose release is applied, and what is short besides
	WriteBegin       WriteClass = "begin"       // of a store until its release is applied
	WriteDelete      WriteClass = "delete"      // of a store that is deleted
	WriteMaintenance WriteClass = "maintenance" // that no customer has asked for
)

// Writes say what the writes of a context are for. Within a class, the ones with the lower Since go first.
type Writes struct {
	Class WriteClass
	Since int64 // the generation: when the request was accepted; 0: they go in the order in which they come
}

type writesKey struct{}

// WithWrites returns a context whose cluster writes are for w. What is begun as maintenance stays maintenance.
func WithWrites(ctx context.Context, w Writes) context.Context {
	if WritesOf(ctx).Class == WriteMaintenance {
		return ctx
	}
	return context.WithValue(ctx, writesKey{}, w)
}

// WritesOf returns what the cluster writes of ctx are for.
func WritesOf(ctx context.Context) Writes {
	if w, ok := ctx.Value(writesKey{}).(Writes); ok {
		return w
	}
	return Writes{Class: WriteFinish}
}
