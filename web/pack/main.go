// Command pack makes what the page's build left ready to be embedded and served:
//
//	go run ./web/pack web/dist web/site
//
// -level 5 compresses less, in a tenth of the time, while one works on the page.
//
// Every script of the page gets its hash, so that a browser refuses any other;
// each file is compressed with Brotli; and a manifest lists them all. The same
// build gives the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sconce/web"
)

func main() {
	level := flag.Int("level", best, "how hard Brotli tries, from 0 to 11")
	flag.Parse()
	if flag.NArg() != 2 || *level < 0 || *level > best {
		fmt.Fprintln(os.Stderr, "usage: pack [-level 0…11] FROM TO")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *level); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// keep is the one file of the folder that is not made here: without any, a
// program without the page would not compile.
const keep = ".keep"

// best is the level of what is released.
const best = 11

func run(from, to string, level int) error {
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
	if err := write(to, files, level); err != nil {
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
func write(dir string, files []*source, level int) error {
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
				errs[i] = os.WriteFile(path, web.Compress(f.content, spared(f.path, level)), 0o644)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// spared is the level for a file: the lowest where Brotli brings nothing.
func spared(path string, level int) int {
	for _, packed := range []string{".png", ".woff2"} {
		if strings.HasSuffix(path, packed) {
			return min(level, 1)
		}
	}
	return level
}
