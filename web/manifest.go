package web

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// manifestVersion is the format of a [Manifest].
const manifestVersion = 1

// Limits of a manifest that comes from outside.
const (
	MaxManifest = 1 << 20
	maxFiles    = 4096
	maxFile     = 64 << 20
)

// Manifest is what a release's page consists of, to the byte, and the headers
// without which a browser would treat those bytes differently. It is what
// release keys sign.
type Manifest struct {
	Version int    `json:"version"`
	Files   []File `json:"files"` // in order of their paths
	// Headers come with every file of the page.
	Headers map[string]string `json:"headers"`
}

// File is one file of the page.
type File struct {
	Path   string `json:"path"`   // as in the URL, from the first slash
	Size   int64  `json:"size"`   // bytes before compression
	SHA384 string `json:"sha384"` // of those bytes, in base64
}

// Digest is the SHA-384 that a [File] carries.
func Digest(b []byte) string {
	sum := sha512.Sum384(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Encode returns the one encoding of a manifest.
func (m Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	if _, err := ParseManifest(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Build names the page by its content: the same page has the same name,
// whoever built it.
func (m Manifest) Build() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// ParseManifest reads a manifest from anywhere.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxManifest {
		return m, fmt.Errorf("manifest: longer than %d bytes", MaxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, errors.New("manifest: goes on after its end")
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func (m Manifest) check() error {
	if m.Version != manifestVersion {
		return fmt.Errorf("has version %d; this program knows %d", m.Version, manifestVersion)
	}
	if len(m.Files) > maxFiles {
		return fmt.Errorf("lists more than %d files", maxFiles)
	}
	if !slices.IsSortedFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) }) {
		return errors.New("its files are not in order")
	}
	for i, f := range m.Files {
		switch sum, err := base64.StdEncoding.Strict().DecodeString(f.SHA384); {
		case f.Path == "" || f.Path[0] != '/' || f.Path != path.Clean(f.Path) || len(f.Path) < 2:
			return fmt.Errorf("%q is not the path of a file", f.Path)
		case i > 0 && m.Files[i-1].Path == f.Path:
			return fmt.Errorf("%q is listed twice", f.Path)
		case err != nil || len(sum) != sha512.Size384:
			return fmt.Errorf("the hash of %q is not SHA-384 in base64", f.Path)
		case f.Size < 0 || f.Size > maxFile:
			return fmt.Errorf("%q can't have %d bytes", f.Path, f.Size)
		}
	}
	return nil
}

// Signatures are what release keys say of one manifest. They are kept beside
// it, in a file of their own.
type Signatures struct {
	Signatures []Signature `json:"signatures"`
}

// Signature is one key's.
type Signature struct {
	Key       string `json:"key"`       // Ed25519 public key in base64
	Signature string `json:"signature"` // in base64
}

// signed is what a release key signs: a label, so that the signature means
// nothing elsewhere, and the manifest's very bytes.
func signed(manifest []byte) []byte {
	return append([]byte("sconce web release 1\x00"), manifest...)
}

// Sign adds a release key's signature of the manifest's bytes, or replaces the
// one it made before.
func (s *Signatures) Sign(key ed25519.PrivateKey, manifest []byte) {
	public := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	s.Signatures = slices.DeleteFunc(s.Signatures, func(old Signature) bool { return old.Key == public })
	s.Signatures = append(s.Signatures, Signature{
		Key:       public,
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, signed(manifest))),
	})
}

// Check tells whether at least threshold of the trusted keys signed the
// manifest's bytes. Signatures of other keys count for nothing.
func (s Signatures) Check(manifest []byte, trusted []ed25519.PublicKey, threshold int) error {
	if threshold < 1 || threshold > len(trusted) {
		return fmt.Errorf("%d signatures of %d keys can't be asked for", threshold, len(trusted))
	}
	good := 0
	for i, key := range trusted {
		if slices.ContainsFunc(trusted[:i], func(other ed25519.PublicKey) bool { return key.Equal(other) }) {
			return errors.New("a trusted key is given twice")
		}
		name := base64.StdEncoding.EncodeToString(key)
		if slices.ContainsFunc(s.Signatures, func(sig Signature) bool {
			raw, err := base64.StdEncoding.DecodeString(sig.Signature)
			return sig.Key == name && err == nil && ed25519.Verify(key, signed(manifest), raw)
		}) {
			good++
		}
	}
	if good < threshold {
		return fmt.Errorf("signed by %d of the trusted keys; want %d", good, threshold)
	}
	return nil
}
