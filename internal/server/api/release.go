package api

import "context"

type releaseKey struct{}

// withRelease lets a request that will stay long give up its place among the
// requests that are served at once.
func withRelease(ctx context.Context, release func()) context.Context {
	return context.WithValue(ctx, releaseKey{}, release)
}

// stays gives up the place: the request waits more than it works.
func stays(ctx context.Context) {
	if release, ok := ctx.Value(releaseKey{}).(func()); ok {
		release()
	}
}
