package native_test

import (
	"errors"
	"path/filepath"
	"testing"

	"sconce/client"
	"sconce/client/native"
)

// The same words as two systems type them: é as one character, and as an e with
// an accent after it.
const (
	composed   = "caf\u00e9 cr\u00e8me"
	decomposed = "cafe\u0301 cre\u0300me"
)

func opens(dir, passphrase string) error {
	v, err := native.OpenDir(dir, []byte(passphrase), cheap)
	if err != nil {
		return err
	}
	return v.Close()
}

func TestPassphraseOpensHoweverItIsTyped(t *testing.T) {
	for _, typed := range []string{composed, decomposed} {
		dir := filepath.Join(t.TempDir(), "s")
		v, err := native.CreateDir(dir, []byte(typed), cheap)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for _, again := range []string{composed, decomposed} {
			if err := opens(dir, again); err != nil {
				t.Errorf("made with %+q, typed as %+q: %v", typed, again, err)
			}
		}
		for _, wrong := range []string{"cafe creme", "caf\u00e9 creme", composed + "\xff"} {
			if err := opens(dir, wrong); !errors.Is(err, client.ErrPassphrase) {
				t.Errorf("made with %+q, typed as %+q: %v", typed, wrong, err)
			}
		}
	}
}

// oldStore makes a store as versions did that took a passphrase as it was typed.
func oldStore(t *testing.T, passphrase string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := native.OpenStore(filepath.Join(dir, "store.db"))
	keyring, ringErr := native.OpenKeyring(filepath.Join(dir, "keyring"))
	if err := errors.Join(err, ringErr); err != nil {
		t.Fatal(err)
	}
	v, err := client.CreateVault(store, keyring, []byte(passphrase), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStoreFromBeforeNormalisationOpens(t *testing.T) {
	for _, passphrase := range []string{composed, decomposed, "plain", "a key\xff\x00"} {
		dir := oldStore(t, passphrase)
		if err := opens(dir, passphrase); err != nil {
			t.Errorf("%+q: %v", passphrase, err)
		}
		if err := opens(dir, passphrase+" "); !errors.Is(err, client.ErrPassphrase) {
			t.Errorf("%+q and a space: %v", passphrase, err)
		}
	}
}

func TestChangedPassphraseOpensHoweverItIsTyped(t *testing.T) {
	dir := oldStore(t, decomposed)
	v, err := native.OpenDir(dir, []byte(decomposed), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if err := native.ChangePassphrase(v, []byte("wrong\u0301"), []byte("new"), cheap.Cost); !errors.Is(err, client.ErrPassphrase) {
		t.Errorf("with a wrong one: %v", err)
	}
	err = native.ChangePassphrase(v, []byte(decomposed), []byte("nai\u0308ve"), cheap.Cost)
	if err := errors.Join(err, v.Close()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(opens(dir, "na\u00efve"), opens(dir, "nai\u0308ve")); err != nil {
		t.Error(err)
	}
	if err := opens(dir, decomposed); !errors.Is(err, client.ErrPassphrase) {
		t.Errorf("the old one: %v", err)
	}
}
