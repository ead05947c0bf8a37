package browsertest_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"sconce/internal/browsertest"
)

var (
	pageDir  string
	building sync.Once
	built    bool
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sconce-page-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	pageDir = dir
	return m.Run()
}

// page builds the tests of client/browser once for all tests here.
func page(t *testing.T) string {
	t.Helper()
	building.Do(func() {
		browsertest.Build(t, "./client/browser", pageDir)
		built = true
	})
	if !built {
		t.Skip("the page was not built: the first test says why")
	}
	return pageDir
}
