package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
)

// Compare fetches every file of a manifest from a server, as a browser would
// and as a plain program would, and says in sentences what is not as the
// manifest has it. None means that the server served this caller the page of the
// manifest; what it serves to others, or at another time, nobody can know. A server
// that looks closely, as at how TLS is spoken, can tell this from a browser.
//
// The client should follow no redirects: a page of ours has none.
func Compare(ctx context.Context, c *http.Client, server string, m Manifest) (differences []string, err error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://chat.example.org", server)
	}
	root := slices.IndexFunc(m.Files, func(f File) bool { return f.Path == indexPath })
	if root < 0 {
		return nil, fmt.Errorf("the manifest lists no %s", indexPath)
	}
	differences, err = compareListing(ctx, c, base, m)
	if err != nil {
		return nil, err
	}
	front := m.Files[root]
	front.Path = "/" // what people open
	for _, f := range append([]File{front}, m.Files...) {
		for _, words := range []http.Header{asBrowser(f.Path), asProgram()} {
			wrong, err := compareFile(ctx, c, base, f, words, m.Headers)
			if err != nil {
				return differences, err
			}
			for _, w := range wrong {
				if w = f.Path + " " + w; !slices.Contains(differences, w) {
					differences = append(differences, w)
				}
			}
		}
	}
	return differences, nil
}

// asBrowser is what a common browser says when it asks for a file of the page.
func asBrowser(name string) http.Header {
	h := http.Header{
		"Accept":          {"*/*"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"},
		"Accept-Language": {"en-US,en;q=0.9"},
		"User-Agent":      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
		"Sec-Fetch-Site":  {"same-origin"},
		"Sec-Fetch-Mode":  {"cors"},
		"Sec-Fetch-Dest":  {"empty"},
	}
	switch path.Ext(name) {
	case "", ".html":
		h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8")
		h.Set("Sec-Fetch-Site", "none")
		h.Set("Sec-Fetch-Mode", "navigate")
		h.Set("Sec-Fetch-Dest", "document")
		h.Set("Sec-Fetch-User", "?1")
		h.Set("Upgrade-Insecure-Requests", "1")
	case ".js", ".mjs":
		h.Set("Sec-Fetch-Dest", "script")
	case ".css":
		h.Set("Accept", "text/css,*/*;q=0.1")
		h.Set("Sec-Fetch-Dest", "style")
	case ".woff2":
		h.Set("Sec-Fetch-Dest", "font")
	}
	if name == "/sw.js" {
		h.Set("Service-Worker", "script")
		h.Set("Sec-Fetch-Mode", "same-origin")
		h.Set("Sec-Fetch-Dest", "serviceworker")
	}
	return h
}

// asProgram is what a plain program says.
func asProgram() http.Header { return http.Header{"Accept-Encoding": {"identity"}} }

// compareListing compares what the server says that it serves, which tells more
// than a list of files that differ: another release, say, or a file too many. It
// also asks for a file that no release has.
func compareListing(ctx context.Context, c *http.Client, base *url.URL, m Manifest) (differences []string, err error) {
	resp, err := fetch(ctx, c, base, ManifestPath, asProgram())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return []string{fmt.Sprintf("%s is answered with %q", ManifestPath, resp.Status)}, nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, MaxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ManifestPath, err)
	}
	for _, w := range resp.steers() {
		differences = append(differences, ManifestPath+" "+w)
	}
	theirs, err := ParseManifest(raw)
	if err != nil {
		return append(differences, ManifestPath+" is none: "+err.Error()), nil
	}
	if theirs.Build() != m.Build() {
		differences = append(differences, fmt.Sprintf("%s is of build %s", ManifestPath, theirs.Build()))
	}
	for _, f := range theirs.Files {
		if !m.lists(f.Path) {
			differences = append(differences, fmt.Sprintf("%s lists %q, which is not in the manifest", ManifestPath, f.Path))
		}
	}
	none := assets + strings.ToLower(rand.Text()) + ".js"
	absent, err := fetch(ctx, c, base, none, asProgram())
	if err != nil {
		return nil, err
	}
	_ = absent.Body.Close()
	if absent.StatusCode == http.StatusOK {
		differences = append(differences, none+" is there, which no release has")
	}
	for _, w := range absent.steers() {
		differences = append(differences, "a file that no release has "+w)
	}
	return differences, nil
}

func (m Manifest) lists(path string) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return f.Path == path })
}

// reply is what a server says to a request.
type reply struct {
	*http.Response
	early http.Header // of responses before it, as of 103 Early Hints
}

func fetch(ctx context.Context, c *http.Client, base *url.URL, path string, words http.Header) (*reply, error) {
	early := http.Header{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			maps.Copy(early, http.Header(h))
			return nil
		},
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = words
	resp, err := c.Do(req)
	return &reply{resp, early}, err
}

func compareFile(ctx context.Context, c *http.Client, base *url.URL, f File, words http.Header, headers map[string]string) (wrong []string, err error) {
	resp, err := fetch(ctx, c, base, f.Path, words)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return []string{fmt.Sprintf("is answered with %q", resp.Status)}, nil
	}
	body, err := content(resp.Response, f.Size)
	if wrongBody, ok := errors.AsType[*bodyError](err); ok {
		return []string{wrongBody.why}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path, err)
	}
	if Digest(body) != f.SHA384 {
		wrong = append(wrong, "has other content")
	}
	for name, want := range headers {
		switch got := strings.Join(resp.Header.Values(name), ", "); {
		case got == want:
		case got == "":
			wrong = append(wrong, "comes without "+name)
		default:
			wrong = append(wrong, "comes with another "+name)
		}
	}
	kind := contentType(f.Path)
	if f.Path == "/" {
		kind = contentType(indexPath)
	}
	if resp.Header.Get("Content-Type") != kind {
		wrong = append(wrong, "comes with another Content-Type")
	}
	wrong = append(wrong, resp.steers()...)
	slices.Sort(wrong)
	return wrong, nil
}

// steering are headers that no page of ours comes with, and by which a browser
// would go elsewhere, now or at its next visit; load or run more than the page
// names; be confined less; or tell others of the page or of itself.
var steering = []string{
	"Refresh", "Location", "Alt-Svc", "Alternate-Protocol", "Content-Disposition", "Clear-Site-Data",
	"Link", "Speculation-Rules", "Service-Worker-Allowed", "SourceMap", "X-SourceMap", "Use-As-Dictionary",
	"Access-Control-Allow-Origin", "Document-Policy", "Feature-Policy", "Origin-Agent-Cluster", "X-DNS-Prefetch-Control",
	"Content-Security-Policy-Report-Only", "Report-To", "Reporting-Endpoints", "NEL", "Set-Cookie", "Accept-CH", "Critical-CH",
}

// steers says which headers lead a browser where the page does not.
func (r *reply) steers() (wrong []string) {
	for _, name := range steering {
		if len(r.Header.Values(name)) > 0 {
			wrong = append(wrong, "comes with "+name)
		}
		if len(r.early.Values(name)) > 0 {
			wrong = append(wrong, "is announced with "+name)
		}
	}
	if age := strings.ReplaceAll(strings.ToLower(r.Header.Get(strictTransport)), " ", ""); strings.Contains(age+";", "max-age=0;") || strings.Contains(age, `max-age="0"`) {
		wrong = append(wrong, "comes with "+strictTransport+" of no time")
	}
	return wrong
}

// bodyError is a body that can't be the file, whatever it holds.
type bodyError struct{ why string }

func (e *bodyError) Error() string { return e.why }

// content reads a body, and no more of it than the file may have.
func content(resp *http.Response, size int64) ([]byte, error) {
	const incompressible = 1 << 10 // what Brotli adds at most to a file of ours
	b, err := io.ReadAll(io.LimitReader(resp.Body, size+incompressible))
	if err != nil {
		return nil, err
	}
	switch coding := resp.Header.Get("Content-Encoding"); coding {
	case "", "identity":
	case "br":
		if b, err = io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(b)), size+1)); err != nil {
			return nil, &bodyError{"is not the Brotli that it is said to be"}
		}
	default:
		return nil, &bodyError{fmt.Sprintf("is encoded as %.20q, which was not asked for", coding)}
	}
	if int64(len(b)) > size {
		return nil, &bodyError{fmt.Sprintf("is longer than its %d bytes", size)}
	}
	return b, nil
}
