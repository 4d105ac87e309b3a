// Package testkit gives tests what is slow to make: the installed local
// runtime, shared by all packages.
package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Home is the data directory that holds the tests' runtime:
// SPARKWRIGHT_TEST_HOME, else sparkwright-test in the user's cache.
func Home(tb testing.TB) string {
	tb.Helper()
	if home := os.Getenv("SPARKWRIGHT_TEST_HOME"); home != "" {
		return home
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(cache, "sparkwright-test")
}

// Runtime installs the local runtime, or finds it installed.
func Runtime(tb testing.TB) *localruntime.Runtime {
	tb.Helper()
	rt, err := localruntime.Install(tb.Context(), localruntime.Options{
		Home: Home(tb), MavenURL: MavenURL(tb), Progress: func(text string) { tb.Log(text) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

// MavenURL is the Maven repository that the environment names, else the
// default one.
func MavenURL(tb testing.TB) string {
	tb.Helper()
	s, err := settings.Load(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return s.Runtime.MavenURL
}
