package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sconce/web"
)

// The tags that a build puts into the page, as it writes them.
var (
	loads   = regexp.MustCompile(`<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"[^>]*>`)
	modules = regexp.MustCompile(`<script\b[^>]*\btype="module"[^>]*>`)
)

// seal gives every script and style that the page loads its hash: those that it
// names, by an attribute, and those that scripts load later, by an import map.
// It returns what script-src must allow for the map, which is inline.
func seal(files []*source) (scripts []string, err error) {
	index := find(files, "/index.html")
	if index == nil {
		return nil, errors.New("the build has no index.html")
	}
	page := string(index.content)
	var wrong error
	page = loads.ReplaceAllStringFunc(page, func(tag string) string {
		target := loads.FindStringSubmatch(tag)[1]
		if !needsHash(tag) || strings.Contains(tag, "integrity=") {
			return tag
		}
		f := find(files, path.Join("/", target))
		if f == nil {
			wrong = fmt.Errorf("the page loads %s, which the build has not", target)
			return tag
		}
		end := ">"
		if strings.HasSuffix(tag, "/>") {
			end = "/>"
		}
		return strings.TrimSpace(strings.TrimSuffix(tag, end)) + ` integrity="` + integrity(f) + `"` + end
	})
	if wrong != nil {
		return nil, wrong
	}
	first := modules.FindStringIndex(page)
	if first == nil {
		return nil, errors.New("the page loads no module")
	}
	importMap, err := integrityMap(files)
	if err != nil {
		return nil, err
	}
	page = page[:first[0]] + `<script type="importmap">` + importMap + "</script>\n    " + page[first[0]:]
	index.content = []byte(page)
	sum := sha256.Sum256([]byte(importMap))
	return []string{"'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"}, nil
}

// needsHash tells scripts and styles from icons and the like, which run nothing.
func needsHash(tag string) bool {
	return strings.HasPrefix(tag, "<script") || strings.Contains(tag, `rel="stylesheet"`) || strings.Contains(tag, `rel="modulepreload"`)
}

func integrity(f *source) string { return "sha384-" + web.Digest(f.content) }

// integrityMap is an import map that maps nothing and vouches for every script.
func integrityMap(files []*source) (string, error) {
	hashes := map[string]string{}
	for _, f := range files {
		if path.Ext(f.path) == ".js" {
			hashes[f.path] = integrity(f)
		}
	}
	b, err := json.Marshal(map[string]map[string]string{"integrity": hashes}) // in order of the keys
	return string(b), err
}

func find(files []*source, path string) *source {
	for _, f := range files {
		if f.path == path {
			return f
		}
	}
	return nil
}

func sortFiles(files []web.File) {
	slices.SortFunc(files, func(a, b web.File) int { return strings.Compare(a.Path, b.Path) })
}
