package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sconce/web"
)

func compare(t *testing.T, h http.Handler, m web.Manifest) []string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	got, err := web.Compare(t.Context(), server.Client(), server.URL, m)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPageAsReleasedShowsNoDifference(t *testing.T) {
	s, _ := site(t, whole())
	if got := compare(t, s.Handler(web.Options{Door: web.Worker, Secure: true}), s.Manifest()); len(got) > 0 {
		t.Errorf("differences: %q", got)
	}
}

func TestEveryChangeOfThePageShows(t *testing.T) {
	s, _ := site(t, whole())
	for name, change := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a byte of a script": {map[string]string{"/assets/a.js": "ruN()"}, []string{"/assets/a.js has other content"}},
		"a longer script":    {map[string]string{"/assets/a.js": "run();steal()"}, []string{"/assets/a.js is longer than its 5 bytes"}},
		"a shorter script":   {map[string]string{"/assets/a.js": "run"}, []string{"/assets/a.js has other content"}},
		"another page":       {map[string]string{"/index.html": "hello"}, []string{"/ has other content", "/index.html has other content"}},
		"one file more":      {map[string]string{"/assets/b.js": "steal()"}, []string{`/release.json lists "/assets/b.js", which is not in the manifest`}},
		"no service worker":  {map[string]string{"/sw.js": ""}, []string{`/sw.js is answered with "404 Not Found"`}},
	} {
		files := whole()
		for path, content := range change.files {
			files[path] = content
			if content == "" {
				delete(files, path)
			}
		}
		other, _ := site(t, files)
		want := append([]string{"/release.json is of build " + other.Manifest().Build()}, change.want...)
		if got := compare(t, other.Handler(web.Options{Door: web.Worker}), s.Manifest()); !slices.Equal(got, want) {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}

// A server could serve what was released and switch off what confines it, or
// serve something else only to browsers.
func TestOtherHeadersAndOtherBytesForBrowsersShow(t *testing.T) {
	s, _ := site(t, whole())
	honest := s.Handler(web.Options{Door: web.Worker})
	lax := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		honest.ServeHTTP(&changed{ResponseWriter: w, header: "Content-Security-Policy", value: "default-src *"}, r)
	})
	if got := compare(t, lax, s.Manifest()); !slices.Contains(got, "/ comes with another Content-Security-Policy") {
		t.Errorf("a lax policy: got %q", got)
	}
	// The bytes and the policy of the release, and a browser that shows another page
	// all the same.
	for header, value := range map[string]string{
		"Refresh": "0; url=/other.html", "Link": "</other.css>; rel=stylesheet", "Speculation-Rules": `"/other.json"`,
		"Reporting-Endpoints": `all="https://evil.example"`, "Content-Type": "text/html; charset=iso-2022-jp",
		"Alt-Svc": `h3="evil.example:443"; ma=86400`, "Set-Cookie": "seen=1", "Origin-Agent-Cluster": "?0",
		"Access-Control-Allow-Origin": "*", "X-DNS-Prefetch-Control": "on", "Content-Disposition": "attachment",
	} {
		led := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			honest.ServeHTTP(&changed{ResponseWriter: w, header: header, value: value}, r)
		})
		got := compare(t, led, s.Manifest())
		if !slices.ContainsFunc(got, func(d string) bool { return strings.HasPrefix(d, "/ comes with") && strings.HasSuffix(d, header) }) {
			t.Errorf("%s: got %q", header, got)
		}
	}
	files := whole()
	files["/assets/a.js"] = "ruN()"
	evil, _ := site(t, files)
	twofaced := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := honest
		if strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
			h = evil.Handler(web.Options{Door: web.Worker})
		}
		h.ServeHTTP(w, r)
	})
	if got, want := compare(t, twofaced, s.Manifest()), []string{"/assets/a.js has other content"}; !slices.Equal(got, want) {
		t.Errorf("two faces: got %q; want %q", got, want)
	}
}

// Some of what a server says holds for all of its pages, whichever it says it with.
func TestWhatLeadsABrowserElsewhereShowsWithAnyAnswer(t *testing.T) {
	s, _ := site(t, whole())
	honest := s.Handler(web.Options{Door: web.Worker, Secure: true})
	lead := func(at func(*http.Request) bool, how func(http.ResponseWriter)) []string {
		return compare(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if at(r) {
				how(w)
			}
			honest.ServeHTTP(w, r)
		}), s.Manifest())
	}
	elsewhere := func(w http.ResponseWriter) { w.Header().Set("Alt-Svc", `h3="evil.example:443"`) }
	for _, tt := range []struct {
		want string
		at   func(*http.Request) bool
		how  func(http.ResponseWriter)
	}{
		{"/release.json comes with Alt-Svc", func(r *http.Request) bool { return r.URL.Path == web.ManifestPath }, elsewhere},
		{"a file that no release has comes with Alt-Svc", func(r *http.Request) bool { return len(r.URL.Path) > len("/assets/a.js")+8 }, elsewhere},
		{"/assets/a.js comes with Alt-Svc", func(r *http.Request) bool { return r.URL.Path == "/assets/a.js" }, elsewhere},
		{"/ is announced with Link", func(r *http.Request) bool { return r.URL.Path == "/" }, func(w http.ResponseWriter) {
			w.Header().Set("Link", "<https://evil.example/>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
		}},
	} {
		if got := lead(tt.at, tt.how); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
	for value, weak := range map[string]bool{"max-age=0": true, "includeSubDomains; Max-Age = 0": true, `max-age="0"`: true, "max-age=05184000": false, "max-age=600": false} {
		plain := s.Handler(web.Options{Door: web.Worker})
		got := compare(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Strict-Transport-Security", value)
			plain.ServeHTTP(w, r)
		}), s.Manifest())
		if slices.Contains(got, "/ comes with Strict-Transport-Security of no time") != weak {
			t.Errorf("%s: got %q", value, got)
		}
	}
}

type changed struct {
	http.ResponseWriter
	header, value string
}

func (c *changed) Write(b []byte) (int, error) {
	c.Header().Set(c.header, c.value)
	return c.ResponseWriter.Write(b)
}

func TestAddressThatIsNoneIsRefused(t *testing.T) {
	s, _ := site(t, whole())
	for _, bad := range []string{"", "chat.example.org", "ftp://chat.example.org", "https://", ":"} {
		if _, err := web.Compare(t.Context(), http.DefaultClient, bad, s.Manifest()); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A server need not look closely to tell a browser by what it asks with.
func TestOtherPageForWhatAsksLikeABrowserShows(t *testing.T) {
	s, _ := site(t, whole())
	honest := s.Handler(web.Options{Door: web.Worker})
	for name, browser := range map[string]func(*http.Request) bool{
		"its name":              func(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "Mozilla/") },
		"where it shows it":     func(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Dest") == "document" },
		"what it takes":         func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Accept"), "text/html") },
		"its languages":         func(r *http.Request) bool { return r.Header.Get("Accept-Language") != "" },
		"what it has unpacked":  func(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") },
		"that it is no browser": func(r *http.Request) bool { return !strings.HasPrefix(r.UserAgent(), "Go-http-client") },
	} {
		two := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" && browser(r) {
				w = &changed{ResponseWriter: w, header: "Content-Security-Policy", value: "default-src *"}
			}
			honest.ServeHTTP(w, r)
		})
		if got := compare(t, two, s.Manifest()); !slices.Contains(got, "/ comes with another Content-Security-Policy") {
			t.Errorf("a server that knows a browser by %s: got %q", name, got)
		}
	}
}
