//go:build goexperiment.runtimesecret

package mls

import (
	"runtime"
	"runtime/secret"
	"testing"
)

func TestSecretsAreWipedBehindTheirUse(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("the runtime wipes nothing on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	inside := false
	wiping(func() { inside = secret.Enabled() })
	if !inside || secret.Enabled() {
		t.Errorf("wiping is on inside: %t, and outside: %t", inside, secret.Enabled())
	}
}
