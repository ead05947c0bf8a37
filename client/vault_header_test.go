package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"sconce/client"
	"sconce/client/clienttest"
)

var (
	hint   = client.PasskeyHint{Credential: []byte("credential"), Salt: bytes.Repeat([]byte{7}, 32)}
	secret = bytes.Repeat([]byte{9}, 32)
)

func openWith(disk *clienttest.Disk, k client.VaultKey) error {
	v, err := client.OpenVaultWith(disk.Store(), disk.Keyring(), k, client.VaultOptions{})
	if err == nil {
		err = v.Close()
	}
	return err
}

func TestEachWayOpensTheVaultAndNoOther(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "1"), kept("b", "2"))
	token, err := v.Handover()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.SetPasskey(client.PasskeyKey(hint, secret)); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	stranger := clienttest.NewDisk()
	other := create(t, stranger)
	foreign, _ := other.Handover()
	_ = other.Close()

	got, err := client.ReadVaultHint(disk.Store())
	if err != nil || !got.Passphrase || got.Passkey == nil || !bytes.Equal(got.Passkey.Credential, hint.Credential) || !bytes.Equal(got.Passkey.Salt, hint.Salt) {
		t.Fatalf("hint = %+v, %v", got, err)
	}
	wrong := bytes.Clone(secret)
	wrong[31]++
	for name, c := range map[string]struct {
		key  client.VaultKey
		want error
	}{
		"passphrase":       {client.PassphraseKey(pass), nil},
		"passkey":          {client.PasskeyKey(client.PasskeyHint{}, secret), nil},
		"handover":         {client.HandoverKey(token), nil},
		"wrong passphrase": {client.PassphraseKey([]byte("x")), client.ErrPassphrase},
		"wrong passkey":    {client.PasskeyKey(hint, wrong), client.ErrPassphrase},
		"another vault's":  {client.HandoverKey(foreign), client.ErrPassphrase},
		"half a token":     {client.HandoverKey(token[:16]), client.ErrPassphrase},
		"nothing":          {client.VaultKey{}, client.ErrPassphrase},
	} {
		if err := openWith(disk, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	if err := openWith(disk, client.PasskeyKey(hint, secret[:31])); err == nil {
		t.Error("31 bytes opened the vault")
	}
	v = open(t, disk)
	requireContent(t, v, map[string]string{"a": "1", "b": "2"})
	if err := v.DropPasskey(); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	if err := openWith(disk, client.PasskeyKey(hint, secret)); !errors.Is(err, client.ErrPassphrase) {
		t.Errorf("the dropped passkey: %v; want %v", err, client.ErrPassphrase)
	}
}

func TestVaultKeepsItsLastWayIn(t *testing.T) {
	disk := clienttest.NewDisk()
	v, err := client.CreateVaultWith(disk.Store(), disk.Keyring(), []client.VaultKey{client.PasskeyKey(hint, secret)}, cheap)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.DropPasskey(); err == nil {
		t.Fatal("the only way in was dropped")
	}
	if err := v.ChangePassphrase(nil, pass, cheap.Cost); err != nil {
		t.Fatalf("setting a passphrase: %v", err)
	}
	if err := v.ChangePassphrase([]byte("wrong"), []byte("x"), cheap.Cost); !errors.Is(err, client.ErrPassphrase) {
		t.Fatalf("ChangePassphrase with a wrong one = %v", err)
	}
	if err := v.DropPasskey(); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	_ = open(t, disk).Close()
	for _, keys := range [][]client.VaultKey{nil, {client.HandoverKey(secret)}, {client.PassphraseKey(pass), client.PassphraseKey(pass)},
		{client.PasskeyKey(client.PasskeyHint{}, secret)}, {client.PasskeyKey(hint, nil)}} {
		empty := clienttest.NewDisk()
		if _, err := client.CreateVaultWith(empty.Store(), empty.Keyring(), keys, cheap); err == nil {
			t.Errorf("CreateVaultWith took %d keys that are none", len(keys))
		}
	}
}

// Every byte of a header with two ways is authenticated by whichever way opens.
func TestHeaderIsAuthenticatedAsAWhole(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	if err := v.SetPasskey(client.PasskeyKey(hint, secret)); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	header, _ := disk.Store().Get([]byte("\x00header"))
	for i := range header {
		altered := bytes.Clone(header)
		altered[i] ^= 1
		disk.SetRow([]byte("\x00header"), altered)
		for _, k := range []client.VaultKey{client.PassphraseKey(pass), client.PasskeyKey(hint, secret)} {
			err := openWith(disk, k)
			if _, damaged := errors.AsType[*client.DamageError](err); !damaged && !errors.Is(err, client.ErrPassphrase) {
				t.Fatalf("byte %d altered: %v", i, err)
			}
		}
	}
}

// A vault of version 1 takes a passkey without its passphrase being asked for.
func TestOldHeaderMovesUp(t *testing.T) {
	disk, password := testdata(t, "testdata/vault-1.json")
	v, err := openVault(disk, password)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.SetPasskey(client.PasskeyKey(hint, secret)); err != nil {
		t.Fatal(err)
	}
	_ = v.Close()
	for _, k := range []client.VaultKey{client.PassphraseKey(password), client.PasskeyKey(hint, secret)} {
		if err := openWith(disk, k); err != nil {
			t.Error(err)
		}
	}
}

func TestDeriveIsThePlatforms(t *testing.T) {
	disk := clienttest.NewDisk()
	asked := 0
	opts := cheap
	opts.Derive = func(p, _ []byte, c client.PassphraseCost) ([]byte, error) {
		asked++
		if string(p) != string(pass) || c != cheap.Cost {
			t.Errorf("asked for %q at %+v", p, c)
		}
		return bytes.Clone(secret), nil
	}
	v := createWith(t, disk, opts)
	_ = v.Close()
	if _, err := client.OpenVault(disk.Store(), disk.Keyring(), pass, opts); err != nil || asked != 2 {
		t.Errorf("OpenVault = %v, asked %d times; want 2", err, asked)
	}
	opts.Derive = func([]byte, []byte, client.PassphraseCost) ([]byte, error) { return nil, errors.New("out of memory") }
	if _, err := client.OpenVault(disk.Store(), disk.Keyring(), pass, opts); err == nil || errors.Is(err, client.ErrPassphrase) {
		t.Errorf("OpenVault where deriving fails = %v; want that error", err)
	}
}

func TestVaultKeysDoNotPrint(t *testing.T) {
	k := client.PassphraseKey([]byte("attack at dawn"))
	if got := fmt.Sprintf("%v %+v %#v %s %x %q %d", k, k, k, &k, k, []client.VaultKey{k}, k); strings.Contains(got, "attack") || strings.Contains(got, "97 116") {
		t.Errorf("a key printed as %s", got)
	}
}

type savedVault struct {
	Passphrase string
	Rows       []client.Op
	Keyring    []byte
	Content    map[string]string
}

// testdata is the disk of a store that an earlier version wrote.
func testdata(t *testing.T, path string) (*clienttest.Disk, []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var old savedVault
	if err := json.Unmarshal(text, &old); err != nil {
		t.Fatal(err)
	}
	disk := clienttest.NewDisk()
	for _, r := range old.Rows {
		disk.SetRow(r.Key, r.Value)
	}
	disk.SetKeyringBytes(old.Keyring)
	return disk, []byte(old.Passphrase)
}

// Version 2 of the header, with a passphrase and a passkey.
func TestVaultOfVersion2Opens(t *testing.T) {
	disk, password := testdata(t, "testdata/vault-2.json")
	for _, k := range []client.VaultKey{client.PassphraseKey(password), client.PasskeyKey(hint, secret)} {
		v, err := client.OpenVaultWith(disk.Store(), disk.Keyring(), k, client.VaultOptions{})
		if err != nil {
			t.Fatal(err)
		}
		requireContent(t, v, map[string]string{"burns": "a value that can be erased", "kept": "a value that stays"})
		_ = v.Close()
	}
}
