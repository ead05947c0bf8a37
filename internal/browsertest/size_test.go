package browsertest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sconce/internal/browsertest"
	"sconce/web"
)

// budget is how many bytes a browser may download for the core, with Brotli.
const budget = 2_200_000

func TestCoreFitsTheBudget(t *testing.T) {
	root := browsertest.Root(t)
	if out, err := exec.Command(filepath.Join(root, "scripts", "wasm.sh")).CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	core, err := os.ReadFile(filepath.Join(root, "web/src/worker/gen/sconce.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	small := len(web.Compress(core, 11)) // as it is served
	t.Logf("%d bytes, %d with Brotli", len(core), small)
	if small > budget {
		t.Errorf("the core has %d bytes with Brotli, %d over the budget. Its packages, in bytes of code:\n%s",
			small, small-budget, strings.Join(packageSizes(t, root), "\n"))
	}
}
