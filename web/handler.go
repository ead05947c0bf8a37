package web

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// Door says what is behind the page: the core as WASM in a worker of the page's
// own, or a core that runs in the program that serves the page.
type Door string

// The two doors. [Worker] is what the page's source says.
const (
	Worker Door = "worker"
	Socket Door = "socket"
)

// Options say how a page is served.
type Options struct {
	Door Door
	// Secure adds what is only true where the page can be had by TLS alone.
	Secure bool
}

const (
	indexPath = "/index.html"
	doorMeta  = `<meta name="sconce-door" content="%s">`

	// assets are files whose name holds a hash of their content: they never change.
	assets = "/assets/"

	strictTransport = "Strict-Transport-Security"
)

// Headers are what a browser must be told with every file of the page. The
// packer adds the hash of the import map to script-src.
//
// No request may leave the origin, nothing inline may run, no string becomes
// code or markup, nobody may frame the page, and no other window shares its
// process.
func Headers(inlineScripts ...string) map[string]string {
	scripts := strings.Join(append([]string{"'self'", "'wasm-unsafe-eval'"}, inlineScripts...), " ")
	return map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src " + scripts + "; worker-src 'self'; connect-src 'self'; " +
			"style-src 'self'; img-src 'self' data: blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
			"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types app",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Permissions-Policy": "accelerometer=(), autoplay=(), camera=(self), display-capture=(), geolocation=(), gyroscope=(), " +
			"magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-create=(self), publickey-credentials-get=(self), usb=()",
	}
}

// Handler serves the page and what it loads, for GET and HEAD; other paths are
// not found. It is safe for concurrent use.
func (s *Site) Handler(o Options) http.Handler {
	index, err := s.index(o.Door)
	if err != nil {
		panic(err) // the packer made the file, and the program carries it
	}
	files := maps.Clone(s.files)
	files["/"], files[indexPath] = index, index
	files[ManifestPath] = newFile(ManifestPath, s.raw)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := files[r.URL.Path]
		if f == nil {
			http.Error(w, "there is no such file", http.StatusNotFound)
			return
		}
		s.serve(w, r, o, f)
	})
}

// ManifestPath is where a server shows what it serves. Who doubts the server
// compares with a manifest from elsewhere.
const ManifestPath = "/release.json"

// index gives the page itself, which names its door.
func (s *Site) index(door Door) (*file, error) {
	f := s.files[indexPath]
	if door == Worker {
		return f, nil
	}
	page, err := f.plain()
	if err != nil {
		return nil, err
	}
	was, is := fmt.Appendf(nil, doorMeta, Worker), fmt.Appendf(nil, doorMeta, door)
	if bytes.Count(page, was) != 1 {
		return nil, fmt.Errorf("%s does not say its door once", indexPath)
	}
	page = bytes.Replace(page, was, is, 1)
	return newFile(indexPath, page), nil
}

func (s *Site) serve(w http.ResponseWriter, r *http.Request, o Options, f *file) {
	h := w.Header()
	for name, value := range s.manifest.Headers {
		h.Set(name, value)
	}
	if o.Secure {
		h.Set(strictTransport, "max-age=63072000")
	}
	h.Set("Content-Type", contentType(f.listed.Path))
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(f.listed.Path, assets) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	tag := `"` + f.listed.SHA384[:22] + `"`
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if takesBrotli(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "br")
		h.Set("Content-Length", strconv.Itoa(len(f.brotli)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(f.brotli) // nobody is left to tell
		}
		return
	}
	h.Set("Content-Length", strconv.FormatInt(f.listed.Size, 10))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, brotli.NewReader(bytes.NewReader(f.brotli))) // nobody is left to tell
	}
}

// plain gives the file as it was before compression.
func (f *file) plain() ([]byte, error) {
	return io.ReadAll(brotli.NewReader(bytes.NewReader(f.brotli)))
}

func newFile(name string, content []byte) *file {
	return &file{listed: File{Path: name, Size: int64(len(content)), SHA384: Digest(content)}, brotli: Compress(content, 5)}
}

// Compress compresses with Brotli; 11 is the best level, and slow.
func Compress(b []byte, level int) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: level, LGWin: 24}) // the widest that every browser takes
	_, _ = w.Write(b)                                                                   // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// takesBrotli reads an Accept-Encoding: browsers that take Brotli name it, and
// do not weigh it.
func takesBrotli(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.TrimSpace(name) == "br" && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// contentType does not ask the machine, which may know types of its own.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".json":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
