package mls

import (
	"crypto/fips140"
	"os"
	"testing"
)

// TestVariantIsTheOneAskedFor keeps scripts/variants.sh from testing what is
// built anyway.
func TestVariantIsTheOneAskedFor(t *testing.T) {
	want := os.Getenv("SCONCE_TEST_FIPS")
	if want == "" {
		t.Skip("no FIPS module is asked for: see scripts/variants.sh")
	}
	if !fips140.Enabled() || fips140.Version() != want {
		t.Errorf("FIPS mode is on: %t, with module %s; want %s", fips140.Enabled(), fips140.Version(), want)
	}
}

// TestSecretsAreWipedWhereThatIsAskedFor is the same for runtime/secret.
func TestSecretsAreWipedWhereThatIsAskedFor(t *testing.T) {
	if os.Getenv("SCONCE_TEST_WIPING") == "" {
		t.Skip("runtime/secret is not asked for: see scripts/variants.sh")
	}
	if !wipes {
		t.Error("the package was built without runtime/secret")
	}
}
