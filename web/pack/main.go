// Command pack makes what the page's build left ready to be embedded and served:
//
//	go run ./web/pack web/dist web/site
//
// Every script of the page gets its hash, so that a browser refuses any other;
// each file is compressed with Brotli; and a manifest lists them all. The same
// build gives the same bytes.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sconce/web"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack FROM TO")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// keep is the one file of the folder that is not made here: without any, a
// program without the page would not compile.
const keep = ".keep"

func run(from, to string) error {
	files, err := read(from)
	if err != nil {
		return err
	}
	scripts, err := seal(files)
	if err != nil {
		return err
	}
	m := web.Manifest{Version: 1, Headers: web.Headers(scripts...)}
	for _, f := range files { // WalkDir goes in order
		m.Files = append(m.Files, web.File{Path: f.path, Size: int64(len(f.content)), SHA384: web.Digest(f.content)})
	}
	sortFiles(m.Files)
	manifest, err := m.Encode()
	if err != nil {
		return err
	}
	if err := empty(to); err != nil {
		return err
	}
	if err := write(to, files); err != nil {
		return err
	}
	// Last: what has a manifest is whole.
	return os.WriteFile(filepath.Join(to, "manifest.json"), manifest, 0o644)
}

type source struct {
	path    string // as in the URL
	content []byte
}

func read(dir string) ([]*source, error) {
	var files []*source
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(p)
		files = append(files, &source{"/" + filepath.ToSlash(rel), content})
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is nothing to pack: build the page first")
	}
	return files, err
}

// empty removes what was packed before.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// write compresses every file, two at once.
func write(dir string, files []*source) error {
	var (
		running sync.WaitGroup
		turns   = make(chan struct{}, 2)
		errs    = make([]error, len(files))
	)
	for i, f := range files {
		running.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			path := filepath.Join(dir, filepath.FromSlash(f.path)) + ".br"
			if errs[i] = os.MkdirAll(filepath.Dir(path), 0o755); errs[i] == nil {
				errs[i] = os.WriteFile(path, web.Compress(f.content, level(f.path)), 0o644)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// level spares the time where it brings nothing.
func level(path string) int {
	for _, packed := range []string{".png", ".woff2"} {
		if strings.HasSuffix(path, packed) {
			return 1
		}
	}
	return 11
}
