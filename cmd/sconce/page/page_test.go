package page

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sconce/client"
	"sconce/client/bridge"
)

// door answers every call with its name, and has events to give.
type door struct{ events chan client.Event }

func (door) Call(_ context.Context, method string, _ json.RawMessage) (json.RawMessage, *bridge.Error) {
	b, err := json.Marshal(method)
	if err != nil {
		return nil, bridge.Errorf(bridge.Failed, "%v", err)
	}
	return b, nil
}

func (d door) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return d.events, func() {}, nil
}

// served is a server on the loopback.
type served struct {
	*Server
	t     *testing.T
	url   string
	shown string // the proof that the newest session came with
}

func serve(t *testing.T) *served {
	t.Helper()
	h := httptest.NewUnstartedServer(nil)
	address := h.Listener.Addr().String()
	site := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	s := New(address, site, door{make(chan client.Event, 1)})
	h.Config.Handler = s
	h.Start()
	t.Cleanup(func() { s.Close(); h.Close() })
	return &served{Server: s, t: t, url: h.URL}
}

// ask makes a request with headers, of which Host is one.
func (s *served) ask(method, path, body string, headers ...string) (status int, answer string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return got.StatusCode, string(b)
}

func (s *served) token() string {
	_, token, _ := strings.Cut(s.Link(), "#")
	return token
}

// enter uses a new link as the page does.
func (s *served) enter() (session string) {
	s.t.Helper()
	status, answer := s.ask("POST", "/session", s.token(), "Origin", s.url)
	session, proof, _ := strings.Cut(answer, ".")
	if status != http.StatusOK || len(session) != secretLength || len(proof) != secretLength || proof == session {
		s.t.Fatalf("entering gives %d, %q", status, answer)
	}
	s.shown = proof
	return session
}

func (s *served) dial(session, origin string) (*websocket.Conn, error) {
	h := http.Header{}
	if origin != "" {
		h.Set("Origin", origin)
	}
	protocols := []string{protocol}
	if session != "" {
		protocols = append(protocols, sessionPrefix+session)
	}
	c, r, err := websocket.Dial(s.t.Context(), s.url+"/door", &websocket.DialOptions{HTTPHeader: h, Subprotocols: protocols})
	if r != nil && r.Body != nil {
		_ = r.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	if _, first, err := c.Read(s.t.Context()); err != nil || string(first) != s.shown {
		s.t.Errorf("the door begins with %q, %v; want its proof", first, err)
	}
	return c, nil
}

func (s *served) call(c *websocket.Conn, line string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(line)); err != nil {
		return "", err
	}
	_, answer, err := c.Read(ctx)
	return string(answer), err
}

func TestLinkOpensTheDoor(t *testing.T) {
	s := serve(t)
	c, err := s.dial(s.enter(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for line, want := range map[string]string{
		`{"id":1,"method":"me"}`:                `{"id":1,"result":"me"}`,
		"{\"id\":2,\n\"method\":\"rooms\"}\n\n": `{"id":2,"result":"rooms"}`,
	} {
		if got, err := s.call(c, line); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", line, got, err, want)
		}
	}
	if got, err := s.call(c, `{"id":3,"method":"subscribe"}`); err != nil || got != `{"id":3,"result":{}}` {
		t.Errorf("subscribing gives %q, %v", got, err)
	}
	select {
	case <-s.Began():
	default:
		t.Error("nobody was told that the link was used")
	}
}

func TestLinkOpensOnce(t *testing.T) {
	s := serve(t)
	old, token := s.token(), s.token()
	for name, try := range map[string]string{"an old link": old, "no link": "", "a wrong one": secret()} {
		if status, answer := s.ask("POST", "/session", try, "Origin", s.url); status != http.StatusForbidden {
			t.Errorf("%s gives %d, %q", name, status, answer)
		}
	}
	if status, _ := s.ask("POST", "/session", token, "Origin", s.url); status != http.StatusOK {
		t.Errorf("the link gives %d", status)
	}
	for _, try := range []string{token, ""} {
		if status, answer := s.ask("POST", "/session", try, "Origin", s.url); status != http.StatusForbidden {
			t.Errorf("a link that was used gives %d, %q", status, answer)
		}
	}
}

// Other pages in the same browser, and names that resolve to the loopback.
func TestOtherPagesGetNothing(t *testing.T) {
	s := serve(t)
	session := s.enter()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), ":")
	for name, a := range map[string]struct {
		method, path string
		headers      []string
		want         int
	}{
		"a name that was rebound":           {"GET", "/", []string{"Host", "evil.example:" + port}, http.StatusMisdirectedRequest},
		"a name for the loopback":           {"GET", "/", []string{"Host", "localhost:" + port}, http.StatusMisdirectedRequest},
		"the address without its port":      {"GET", "/", []string{"Host", "127.0.0.1"}, http.StatusMisdirectedRequest},
		"a rebound name at the door":        {"GET", "/door", []string{"Host", "evil.example:" + port, "Origin", "http://evil.example:" + port}, http.StatusMisdirectedRequest},
		"another site at the session":       {"POST", "/session", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"a local page on another port":      {"POST", "/session", []string{"Origin", "http://127.0.0.1:1"}, http.StatusForbidden},
		"no origin at the session":          {"POST", "/session", nil, http.StatusForbidden},
		"an origin that is hidden":          {"POST", "/session", []string{"Origin", "null"}, http.StatusForbidden},
		"another site loads our script":     {"GET", "/enter/x/enter.js", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, http.StatusForbidden},
		"a local page loads our script":     {"GET", "/enter/x/enter.js", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, http.StatusForbidden},
		"another site posts":                {"POST", "/session", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, http.StatusForbidden},
		"the page is opened from elsewhere": {"GET", "/enter/x/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, http.StatusOK},
	} {
		if got, answer := s.ask(a.method, a.path, s.token(), a.headers...); got != a.want {
			t.Errorf("%s: %d, %q; want %d", name, got, answer, a.want)
		}
	}
	for name, a := range map[string]struct{ session, origin string }{
		"another site with the session": {session, "https://evil.example"},
		"a local page on another port":  {session, "http://127.0.0.1:1"},
		"a program without an origin":   {session, ""},
		"the page without a session":    {"", s.url},
		"the page with another session": {secret(), s.url},
	} {
		if c, err := s.dial(a.session, a.origin); err == nil {
			_ = c.CloseNow()
			t.Errorf("%s came through the door", name)
		}
	}
}

// A session ends when the next link is used, and when the program ends: then no
// line gets through any more.
func TestOneSessionAtATime(t *testing.T) {
	s := serve(t)
	first := s.enter()
	c, err := s.dial(first, s.url)
	if err != nil {
		t.Fatal(err)
	}
	second := s.enter()
	if got, err := s.call(c, `{"id":1,"method":"me"}`); err == nil {
		t.Errorf("after the next one began, the first session gets %q", got)
	}
	if _, err := s.dial(first, s.url); err == nil {
		t.Error("the first session opens the door again")
	}
	if c, err = s.dial(second, s.url); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got, err := s.call(c, `{"id":1,"method":"me"}`); err == nil {
		t.Errorf("after the end, the session gets %q", got)
	}
	if _, err := s.dial(second, s.url); err == nil {
		t.Error("after the end, the session opens the door")
	}
}

func TestHugeLineEndsTheConnection(t *testing.T) {
	s := serve(t)
	c, err := s.dial(s.enter(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got, err := s.call(c, strings.Repeat("x", bridge.MaxParams+1)); err == nil {
		t.Errorf("a line over the limit gives %.60q", got)
	}
}

// The page that takes the secret runs only its own script, and nothing is kept.
func TestEntryPageIsClosed(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/enter/x/", "/enter/x/enter.js"} {
		r, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
		if got := r.Header.Get("Set-Cookie"); got != "" {
			t.Errorf("%s sets a cookie: %q", path, got)
		}
	}
}

// A browser may keep answers and a service worker of who was at this address
// before. What the link opens is at a path that nobody had; what is opened after
// it comes from here; and a worker that asks for its newer self gets one that goes.
func TestNothingOfAnEarlierPageAnswers(t *testing.T) {
	s := serve(t)
	first, _, _ := strings.Cut(s.Link(), "#")
	second, _, _ := strings.Cut(s.Link(), "#")
	if first == second || !strings.HasSuffix(first, "/") {
		t.Errorf("two links lead to %s and %s; want two paths", first, second)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/session", strings.NewReader(s.token()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", s.url)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got := answer.Header.Get("Clear-Site-Data"); got != `"cache"` {
		t.Errorf("with the session comes Clear-Site-Data %q", got)
	}
	for _, path := range []string{"/sw.js", "/anything", "/"} {
		status, script := s.ask("GET", path, "", "Service-Worker", "script", "Sec-Fetch-Site", "same-origin")
		if status != http.StatusOK || !strings.Contains(script, "registration.unregister()") {
			t.Errorf("a service worker at %s gets %d, %q; want one that goes", path, status, script)
		}
	}
}
