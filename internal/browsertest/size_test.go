package browsertest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"sconce/internal/browsertest"
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
	var small bytes.Buffer
	w := brotli.NewWriterLevel(&small, brotli.BestCompression)
	if _, err := w.Write(core); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d with Brotli", len(core), small.Len())
	if small.Len() > budget {
		t.Errorf("the core has %d bytes with Brotli, %d over the budget. Its packages, in bytes of code:\n%s",
			small.Len(), small.Len()-budget, strings.Join(packageSizes(t, root), "\n"))
	}
}
