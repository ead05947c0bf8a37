package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/sqldb"
	"sconce/internal/sqldb/sqldbtest"
	"sconce/server"
)

// node is a server that runs, and the log it writes.
type node struct {
	*server.Server
	log  *lines
	http *http.Client
	stop func()
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, c server.Config) *node {
	t.Helper()
	log := &lines{}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := server.New(t.Context(), c)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n := &node{Server: s, log: log, http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}}
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		must(t, s.Close())
	})
	t.Cleanup(n.stop)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call makes one call over HTTP, as any program could.
func call[Req, Resp any](t testing.TB, n *node, e api.Endpoint[Req, Resp], token []byte, req Req) (Resp, *api.Error) {
	t.Helper()
	var resp Resp
	body, err := api.Marshal(req)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+e.Path(), bytes.NewReader(body))
	must(t, err)
	if token != nil {
		r.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(token))
	}
	status, answer := n.do(t, r)
	if status != http.StatusOK {
		var refused api.Error
		must(t, api.Unmarshal(answer, &refused))
		if refused.Code.Status() != status {
			t.Errorf("code %s came with status %d", refused.Code, status)
		}
		return resp, &refused
	}
	must(t, api.Unmarshal(answer, &resp))
	return resp, nil
}

func (n *node) do(t testing.TB, r *http.Request) (int, []byte) {
	t.Helper()
	resp, err := n.http.Do(r)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, b
}

// member is a person with a device that has joined and logged in.
type member struct {
	log    *identity.Log
	device *identity.DeviceSecrets
	token  []byte
}

func (n *node) join(t *testing.T, name string) *member {
	t.Helper()
	invite, err := n.Invite(t.Context(), name)
	must(t, err)
	d, err := identity.NewDeviceSecrets("phone", nil)
	must(t, err)
	genesis, err := identity.NewGenesis(n.Network(), time.Now(), identity.NewRecoveryKey(), d)
	must(t, err)
	log, err := identity.Open(n.Network(), [][]byte{genesis})
	must(t, err)
	if _, refused := call(t, n, api.Join, nil, api.JoinRequest{Invite: []byte(invite.Token.Reveal()), Genesis: genesis}); refused != nil {
		t.Fatal(refused)
	}
	m := &member{log: log, device: d}
	m.login(t, n)
	return m
}

func (m *member) login(t *testing.T, n *node) {
	t.Helper()
	user, id := api.UserID(m.log.User()), api.DeviceID(m.device.Keys().ID())
	challenge, refused := call(t, n, api.Challenge, nil, api.ChallengeRequest{User: user, Device: id})
	if refused != nil {
		t.Fatal(refused)
	}
	signature, err := identity.SignLogin(m.device, n.Network(), challenge.Challenge)
	must(t, err)
	login, refused := call(t, n, api.Login, nil, api.LoginRequest{User: user, Device: id, Challenge: challenge.Challenge, Signature: signature})
	if refused != nil {
		t.Fatal(refused)
	}
	m.token = login.Token
}

func (m *member) remove(t *testing.T, n *node) {
	t.Helper()
	entry, err := m.log.RemoveDevice(m.device, time.Now(), m.device.Keys().ID())
	must(t, err)
	if _, refused := call(t, n, api.AppendLog, nil, api.AppendLogRequest{User: api.UserID(m.log.User()), Entry: entry}); refused != nil {
		t.Fatal(refused)
	}
}

func TestPeopleJoinLogInAndFindEachOtherAcrossARestart(t *testing.T) {
	data := t.TempDir()
	n := start(t, server.Config{Data: data})
	if !n.FirstStart() {
		t.Error("an empty folder is not a first start")
	}
	ada := n.join(t, "Ada")
	n.join(t, "Bob")
	network := n.Network()
	n.stop()

	n = start(t, server.Config{Data: data})
	if n.FirstStart() || n.Network() != network {
		t.Error("the second start began anew")
	}
	people, refused := call(t, n, api.People, ada.token, api.PeopleRequest{})
	if refused != nil {
		t.Fatal(refused)
	}
	if len(people.People) != 2 || people.People[1].Name != "Bob" || people.People[1].LogLength != 1 {
		t.Errorf("got %+v", people.People)
	}
}

func TestDeviceSendsFewBodiesAtOnce(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	ada, bob := n.join(t, "Ada"), n.join(t, "Bob")
	bearer := "Bearer " + base64.RawURLEncoding.EncodeToString(ada.token)
	address := strings.TrimPrefix(n.URL(), "http://")
	for range 32 {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST /v1/people HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: 8000000\r\n\r\nx", address, bearer)
		must(t, err)
	}
	limited := false
	for range 100 {
		if _, refused := call(t, n, api.People, ada.token, api.PeopleRequest{}); refused != nil && refused.Code == api.RateLimited {
			limited = true
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !limited {
		t.Error("a device may send any number of bodies at once")
	}
	if _, refused := call(t, n, api.People, bob.token, api.PeopleRequest{}); refused != nil {
		t.Errorf("another device: %v", refused)
	}
}

func TestStrangersBehindAProxyAreLimited(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	status := 0
	for range 700 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+api.AppendLog.Path(), nil)
		must(t, err)
		r.Header.Set("X-Forwarded-For", "203.0.113.5, 198.51.100.1")
		if status, _ = n.do(t, r); status == http.StatusTooManyRequests {
			break
		}
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("the last of 700 calls got status %d", status)
	}
}

func TestTwoNodesServeOnePostgres(t *testing.T) {
	dsn, schema := sqldbtest.Postgres(t)
	node := func() *node {
		return start(t, server.Config{Data: t.TempDir(), Database: dsn, DatabaseOptions: []sqldb.Option{sqldb.WithSchema(schema)}})
	}
	first, second := node(), node()
	if first.Network() != second.Network() {
		t.Fatal("the nodes are of two networks")
	}
	ada := first.join(t, "Ada")
	if _, refused := call(t, second, api.People, ada.token, api.PeopleRequest{}); refused != nil {
		t.Fatal(refused)
	}
	ada.login(t, second)
	if _, refused := call(t, first, api.People, ada.token, api.PeopleRequest{}); refused != nil {
		t.Fatal(refused)
	}
}

func TestFullDiskIsSaidAndHealsByItself(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	ada := n.join(t, "Ada")
	must(t, n.LimitPages(t.Context(), 10))
	var err error
	for range 2000 { // there is room for some yet
		if _, err = n.Invite(t.Context(), ""); err != nil {
			break
		}
	}
	refused := n.Explain(t.Context(), err)
	if refused.Code != api.Unavailable || !strings.Contains(refused.Message, "disk is full") {
		t.Errorf("got %v", refused)
	}
	if _, refused := call(t, n, api.People, ada.token, api.PeopleRequest{}); refused != nil {
		t.Errorf("reading from a full disk: %v", refused)
	}
	must(t, n.LimitPages(t.Context(), 1<<30))
	n.join(t, "Bob")
}

func TestRemovedDeviceLosesItsStream(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	ada := n.join(t, "Ada")
	conn, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(n.URL(), "http")+api.StreamPath)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	body, err := api.Marshal(api.AuthenticateRequest{Token: ada.token})
	must(t, err)
	frame, err := api.Marshal(api.Frame{Call: 1, Name: api.Authenticate.Name, Body: body})
	must(t, err)
	must(t, wsutil.WriteClientBinary(conn, frame))
	answer, err := wsutil.ReadServerBinary(conn)
	must(t, err)
	var f api.Frame
	must(t, api.Unmarshal(answer, &f))
	if f.Error != nil {
		t.Fatal(f.Error)
	}
	ada.remove(t, n)
	for err == nil {
		var last ws.Frame
		if last, err = ws.ReadFrame(conn); err == nil && last.Header.OpCode == ws.OpClose {
			if code, _ := ws.ParseCloseFrameData(last.Payload); code != ws.StatusPolicyViolation {
				t.Errorf("closed with %d", code)
			}
			break
		}
	}
	must(t, err)
	if _, refused := call(t, n, api.People, ada.token, api.PeopleRequest{}); refused == nil || refused.Code != api.Unauthenticated {
		t.Errorf("a removed device's call got %v", refused)
	}
}

func TestHTTPRefusesAbuse(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	request := func(method, path string, body []byte, headers ...string) (int, api.Code) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, n.URL()+path, bytes.NewReader(body))
		must(t, err)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		status, answer := n.do(t, r)
		var refused api.Error
		_ = api.Unmarshal(answer, &refused) // some answers are plain text
		return status, refused.Code
	}
	ok := []byte{0xa0}
	for _, tt := range []struct {
		name, method, path string
		body               []byte
		headers            []string
		status             int
		code               api.Code
	}{
		{"hello", "POST", "/v1/hello", ok, nil, 200, ""},
		{"no body", "POST", "/v1/hello", nil, nil, 200, ""},
		{"garbage", "POST", "/v1/hello", []byte("garbage"), nil, 400, api.Invalid},
		{"unknown endpoint", "POST", "/v1/nothing", ok, nil, 404, api.NotFound},
		{"authenticate is the stream's", "POST", "/v1/authenticate", ok, nil, 404, api.NotFound},
		{"without login", "POST", "/v1/people", ok, nil, 401, api.Unauthenticated},
		{"wrong token", "POST", "/v1/hello", ok, []string{"Authorization", "Bearer AAAA"}, 401, api.Unauthenticated},
		{"no token", "POST", "/v1/hello", ok, []string{"Authorization", "Basic AAAA"}, 401, api.Unauthenticated},
		{"large body of a stranger", "POST", "/v1/join", make([]byte, 200<<10), nil, 413, api.TooLarge},
		{"GET", "GET", "/v1/hello", nil, nil, 405, ""},
		{"no such page", "GET", "/", nil, nil, 404, ""},
		{"page of another site", "POST", "/v1/hello", ok, []string{"Origin", "https://elsewhere.example"}, 403, ""},
		{"page of another site, in its words", "POST", "/v1/hello", ok, []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"stream without upgrade", "GET", "/v1/stream", nil, nil, 400, ""},
		{"alive", "GET", "/livez", nil, nil, 200, ""},
		{"ready", "GET", "/readyz", nil, nil, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, code := request(tt.method, tt.path, tt.body, tt.headers...)
			if status != tt.status || code != tt.code {
				t.Errorf("got status %d and code %q, want %d and %q", status, code, tt.status, tt.code)
			}
		})
	}
}

func TestConfigurationsThatExposePeopleAreRefused(t *testing.T) {
	for name, c := range map[string]server.Config{
		"no data":                  {},
		"plain on every address":   {Data: t.TempDir(), Listen: "0.0.0.0:0"},
		"plain on no host":         {Data: t.TempDir(), Listen: ":0"},
		"plain on a name":          {Data: t.TempDir(), Listen: "example.org:0"},
		"certificate without key":  {Data: t.TempDir(), TLSCert: "cert.pem"},
		"certificate not there":    {Data: t.TempDir(), Listen: "127.0.0.1:0", TLSCert: "/no/cert.pem", TLSKey: "/no/key.pem"},
		"TLS everywhere, no URL":   {Data: t.TempDir(), Listen: ":0", TLSCert: "cert.pem", TLSKey: "key.pem"},
		"not an address":           {Data: t.TempDir(), Listen: "localhost"},
		"URL with a path":          {Data: t.TempDir(), Listen: "127.0.0.1:0", URL: "https://example.org/chat"},
		"unknown kind of database": {Data: t.TempDir(), Listen: "127.0.0.1:0", Database: "mysql"},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := server.New(t.Context(), c); err == nil {
				s.Close()
				t.Error("the server opened")
			}
		})
	}
}

func TestOneServerUsesADataFolder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := start(t, server.Config{Data: data})
	if s, err := server.New(t.Context(), server.Config{Data: data, Listen: "127.0.0.1:0"}); err == nil {
		s.Close()
		t.Fatal("a second server opened the folder")
	}
	info, err := os.Stat(data)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode().Perm())
	}
	n.stop()
	start(t, server.Config{Data: data})
}

func TestInviteIsMadeBesideTheRunningServerAndWithoutIt(t *testing.T) {
	data := t.TempDir()
	if _, err := server.Invite(t.Context(), data, "Ada"); err == nil {
		t.Fatal("an invite to no server was made")
	}
	n := start(t, server.Config{Data: data, URL: "https://chat.example.org"})
	beside, err := server.Invite(t.Context(), data, "Ada")
	must(t, err)
	if beside.Server != "https://chat.example.org" || beside.Network != n.Network() {
		t.Errorf("got %v", beside)
	}
	n.stop()
	without, err := server.Invite(t.Context(), data, "Bob")
	must(t, err)
	if without.Network != beside.Network || without.Token == beside.Token {
		t.Errorf("got %v", without)
	}
	if _, err := server.Invite(t.Context(), data, "Bad\x00Name"); err == nil {
		t.Error("an unprintable name was taken")
	}
}

func TestLogsHoldNoPeopleKeysOrAddresses(t *testing.T) {
	n := start(t, server.Config{Data: t.TempDir()})
	ada := n.join(t, "Canary Name")
	call(t, n, api.Rename, ada.token, api.RenameRequest{Name: "Canary Two"})
	ada.remove(t, n)
	n.stop()
	log := n.log.String()
	for _, canary := range []string{"Canary", ada.log.User().String(), "127.0.0.1", base64.RawURLEncoding.EncodeToString(ada.token)} {
		if strings.Contains(log, canary) {
			t.Errorf("the log holds %q:\n%s", canary, log)
		}
	}
}

func TestTLSServes(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	server.WriteCertificate(t, cert, key, 1)
	n := start(t, server.Config{Data: filepath.Join(dir, "data"), TLSCert: cert, TLSKey: key})
	if !strings.HasPrefix(n.URL(), "https://") {
		t.Errorf("the URL is %s", n.URL())
	}
	if got := serial(t, n); got != 1 {
		t.Fatalf("serves certificate %d", got)
	}
	n.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if _, refused := call(t, n, api.Hello, nil, api.Empty{}); refused != nil {
		t.Error(refused)
	}
	old := tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	if conn, err := tls.Dial("tcp", n.Addr().String(), &old); err == nil {
		conn.Close()
		t.Error("TLS 1.2 was taken")
	}
}

func serial(t *testing.T, n *node) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", n.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestStartTakesLittleTime(t *testing.T) {
	data := t.TempDir()
	n := start(t, server.Config{Data: data})
	n.stop()
	begin := time.Now()
	s, err := server.New(t.Context(), server.Config{Data: data, Listen: "127.0.0.1:0"})
	must(t, err)
	took := time.Since(begin)
	must(t, s.Close())
	// The goal is 200 ms; a machine that also runs other tests gets more.
	if took > time.Second {
		t.Errorf("opening took %v", took)
	}
	t.Logf("opening took %v", took)
}
