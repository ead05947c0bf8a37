// Package web is the page that people open in a browser, built into the program
// that serves it. Begin with [Embedded], then serve [Site.Handler]:
//
//	site, err := web.Embedded()
//	mux.Handle("GET /", site.Handler(web.Options{Door: web.Worker}))
//
// The folder holds the page's source too: TypeScript and the core as WASM, which
// "make web" builds and packs into site/. A program that was built without that
// has no page, and Embedded returns [ErrNotBuilt].
package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// built is what "make web" left: the manifest, and each file as Brotli alone,
// for the core is 9 MB without.
//
//go:embed all:site
var built embed.FS

// ErrNotBuilt means that the program carries no page.
var ErrNotBuilt = errors.New("this program was built without the page for browsers: build it with make")

// manifestFile and suffix are names within the embedded folder.
const (
	manifestFile = "manifest.json"
	suffix       = ".br"
)

// Site is the page and all that it loads, ready to be served. It never changes.
type Site struct {
	manifest Manifest
	raw      []byte // the manifest, as it was signed
	files    map[string]*file
}

// file is one file of the page.
type file struct {
	listed File
	brotli []byte
}

// Embedded returns the page that this program was built with.
func Embedded() (*Site, error) {
	site, err := fs.Sub(built, "site")
	if err != nil {
		return nil, err
	}
	return Load(site)
}

// Load reads a page as the packer left it: a manifest, and beside it each file
// that it lists, compressed with Brotli. A folder without a manifest gives
// [ErrNotBuilt].
func Load(site fs.FS) (*Site, error) {
	raw, err := fs.ReadFile(site, manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	if err != nil {
		return nil, err
	}
	s := &Site{raw: raw, files: map[string]*file{}}
	if s.manifest, err = ParseManifest(raw); err != nil {
		return nil, err
	}
	for _, listed := range s.manifest.Files {
		compressed, err := fs.ReadFile(site, path.Clean(listed.Path[1:])+suffix)
		if err != nil {
			return nil, fmt.Errorf("reading the page: %w", err)
		}
		s.files[listed.Path] = &file{listed: listed, brotli: compressed}
	}
	if s.files[indexPath] == nil {
		return nil, fmt.Errorf("the manifest lists no %s", indexPath)
	}
	return s, nil
}

// Manifest returns what the page consists of. The caller must not change it.
func (s *Site) Manifest() Manifest { return s.manifest }

// ManifestJSON returns the manifest as it is signed. The caller must not change
// it.
func (s *Site) ManifestJSON() json.RawMessage { return s.raw }
