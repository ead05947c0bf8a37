// Command sign is for who releases: it makes a release key, or signs a page's
// manifest with one. docs/release.md says how to keep the key.
//
//	go run ./web/sign new release.key
//	go run ./web/sign release.key web/site/manifest.json
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sconce/web"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sign new KEYFILE | sign KEYFILE MANIFEST")
		os.Exit(2)
	}
	run := sign
	if os.Args[1] == "new" {
		run = makeKey
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sign:", err)
		os.Exit(1)
	}
}

// makeKey writes a new key to a file that must not be there yet, and prints its
// public half.
func makeKey(_, path string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(private.Seed()) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	fmt.Println(base64.StdEncoding.EncodeToString(public))
	return nil
}

// sign adds a signature to MANIFEST.sig, beside those of other keys.
func sign(keyFile, path string) error {
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := web.ParseManifest(manifest)
	if err != nil {
		return err
	}
	var s web.Signatures
	switch raw, err := os.ReadFile(path + ".sig"); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("reading %s.sig: %w", path, err)
		}
	}
	s.Sign(key, manifest)
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".sig", append(out, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Printf("signed build %s, %d files\n", m.Build(), len(m.Files))
	return nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it, and think about who had it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no release key", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
