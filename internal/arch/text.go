package arch

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxText is the size beyond which a file is taken for data and not read.
const maxText = 4 << 20

// The patterns below are put together from pieces, so that this file does not
// hold what it forbids.
var (
	// A path of one machine: true on no other. What stands before it must not
	// be a path's or a word's character, so that ../../root/x and base64 pass.
	machinePath = regexp.MustCompile(`(?:^|[^\w.+/~-]|file://)(/(?:` + strings.Join([]string{"work", "root", "home"}, "|") + `)/[^\s"'` + "`" + `]*)`)

	// A registry's host: where a module comes from is the business of whoever
	// builds. An npm lock file is written with --omit-lockfile-registry-resolved.
	registryHost = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
		`proxy\.` + `golang\.org`,
		`sum\.` + `golang\.org`,
		`registry\.` + `npmjs\.org`,
		`registry\.` + `yarnpkg\.com`,
		`(?:deb|security)\.` + `debian\.org`,
		`registry-1\.` + `docker\.io`,
		`(?:index|static)\.` + `crates\.io`,
		`files\.` + `pythonhosted\.org`,
	}, "|") + `)\b`)
)

// TextFaults returns what no file of the repository may say, with the lines.
func TextFaults(text []byte) []string {
	var found []string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if m := machinePath.FindSubmatch(line); m != nil {
			found = append(found, fmt.Sprintf("%d: the path of a machine: %s", number, m[1]))
		}
		if m := registryHost.FindSubmatch(line); m != nil {
			found = append(found, fmt.Sprintf("%d: the host of a registry: %s", number, m[1]))
		}
	}
	return found
}

// skipDir tells whether a folder holds what a build or a run left behind, as
// .gitignore has it.
func skipDir(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return false
	}
	rel = filepath.ToSlash(rel)
	return filepath.Base(dir) == "node_modules" || slices.Contains([]string{".git", "bin", "data", "dist", "web/dist", "web/build", "web/site"}, rel)
}

// eachText calls fn with every text file below root and its path from there.
func eachText(root string, fn func(path string, text []byte) error) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return vanished(err)
		case d.IsDir() && p != root && skipDir(root, p):
			return fs.SkipDir
		case !d.Type().IsRegular(), d.Name() == ".git": // a file, in a further work tree
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxText {
			return vanished(err)
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return vanished(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil // a picture, a database, a program
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(rel), text)
	})
}

// Unnamed returns the folders that a description of the tree leaves out. A
// folder is named by its name and a slash.
func Unnamed(description string, folders []string) []string {
	return slices.DeleteFunc(slices.Clone(folders), func(folder string) bool {
		return regexp.MustCompile(`(?m)(?:^|[^\w/.-])` + regexp.QuoteMeta(folder) + `/`).MatchString(description)
	})
}

// topFolders returns the names of the folders at the root of the repository
// that are part of the project.
func topFolders(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' && !skipDir(root, filepath.Join(root, e.Name())) {
			folders = append(folders, e.Name())
		}
	}
	return folders, nil
}
