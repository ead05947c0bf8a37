package stream_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"sconce/api"
	"sconce/internal/duty"
	"sconce/server/stream"
)

var (
	echo = api.Endpoint[api.RenameRequest, api.RenameRequest]{Name: "echo"}
	slow = api.Endpoint[api.Empty, api.Empty]{Name: "slow"}
	much = api.Endpoint[api.Empty, api.ChallengeResponse]{Name: "much"}
	who  = api.Endpoint[api.Empty, api.ChallengeRequest]{Name: "who"}
)

// host is a stream service with a few endpoints and devices.
type host struct {
	*stream.Service
	server  *httptest.Server
	release chan struct{} // lets slow calls go
	much    atomic.Int64  // large answers given

	mu      sync.Mutex
	removed bool
	sinks   map[api.DeviceID]stream.Sink
}

func (h *host) Authenticate(_ context.Context, token []byte) (duty.Caller, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.removed || len(token) != 1 {
		return duty.Caller{}, api.Errorf(api.Unauthenticated, "no")
	}
	return duty.Caller{User: api.UserID{token[0]}, Device: api.DeviceID{token[0]}}, nil
}

func (h *host) Subscribe(c duty.Caller, s stream.Sink) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sinks[c.Device] = s
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.sinks[c.Device] == s {
			delete(h.sinks, c.Device)
		}
	}
}

func (h *host) sink(t testing.TB, device byte) stream.Sink {
	t.Helper()
	for range 500 {
		h.mu.Lock()
		s := h.sinks[api.DeviceID{device}]
		h.mu.Unlock()
		if s != nil {
			return s
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the device did not subscribe")
	return nil
}

func start(t testing.TB, tls bool) *host {
	t.Helper()
	h := &host{release: make(chan struct{}), sinks: map[api.DeviceID]stream.Sink{}}
	log := slog.New(slog.DiscardHandler)
	r := duty.NewRegistry(log)
	duty.Handle(r, echo, func(_ context.Context, _ duty.Caller, req *api.RenameRequest) (*api.RenameRequest, error) {
		return req, nil
	})
	large := make([]byte, 3<<20)
	duty.Handle(r, much, func(context.Context, duty.Caller, *api.Empty) (*api.ChallengeResponse, error) {
		h.much.Add(1)
		return &api.ChallengeResponse{Challenge: large}, nil
	})
	duty.Handle(r, who, func(_ context.Context, c duty.Caller, _ *api.Empty) (*api.ChallengeRequest, error) {
		return &api.ChallengeRequest{User: c.User, Device: c.Device}, nil
	})
	duty.Handle(r, slow, func(ctx context.Context, _ duty.Caller, _ *api.Empty) (*api.Empty, error) {
		select {
		case <-h.release:
			return &api.Empty{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	h.Service = stream.New(stream.Config{Registry: r, Auth: h, Delivery: h, Clock: time.Now, Logger: log})
	h.server = httptest.NewUnstartedServer(h.Service)
	if tls {
		h.server.StartTLS()
	} else {
		h.server.Start()
	}
	t.Cleanup(func() {
		h.Service.Close()
		h.server.Close()
	})
	return h
}

// client is the other end of a stream.
type client struct {
	t    testing.TB
	conn net.Conn
	rw   io.ReadWriter
	call uint64
}

func (h *host) dial(t testing.TB, headers ...string) (*client, error) {
	t.Helper()
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header), Timeout: 5 * time.Second}
	if h.server.TLS != nil {
		d.TLSConfig = h.server.Client().Transport.(*http.Transport).TLSClientConfig
	}
	conn, rest, _, err := d.Dial(t.Context(), "ws"+strings.TrimPrefix(h.server.URL, "http"))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn}
	var r io.Reader = conn
	if rest != nil {
		r = io.MultiReader(rest, conn)
	}
	c.rw = struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(r), conn}
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return c, nil
}

func (h *host) client(t testing.TB) *client {
	t.Helper()
	c, err := h.dial(t)
	must(t, err)
	return c
}

// device is a client that has logged in.
func (h *host) device(t testing.TB, id byte) *client {
	t.Helper()
	c := h.client(t)
	c.send(api.Authenticate.Name, api.AuthenticateRequest{Token: []byte{id}})
	if f := c.frame(); f.Error != nil || f.Call != 1 {
		t.Fatalf("logging in: %+v", f)
	}
	h.sink(t, id)
	return c
}

func (c *client) send(name string, body any) {
	c.t.Helper()
	b, err := api.Marshal(body)
	must(c.t, err)
	c.call++
	frame, err := api.Marshal(api.Frame{Call: c.call, Name: name, Body: b})
	must(c.t, err)
	must(c.t, wsutil.WriteClientBinary(c.rw, frame))
}

func (c *client) frame() api.Frame {
	c.t.Helper()
	b, op, err := wsutil.ReadServerData(c.rw)
	must(c.t, err)
	if op != ws.OpBinary {
		c.t.Fatalf("got a message of kind %v", op)
	}
	var f api.Frame
	must(c.t, api.Unmarshal(b, &f))
	return f
}

// closed reads until the server closes, and gives its reason.
func (c *client) closed() ws.StatusCode {
	c.t.Helper()
	for {
		f, err := ws.ReadFrame(c.rw)
		if err != nil {
			c.t.Fatalf("got %v, want the server to say goodbye", err)
		}
		if f.Header.OpCode == ws.OpClose {
			code, _ := ws.ParseCloseFrameData(f.Payload)
			return code
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCallsAreAnsweredWithAndWithoutTLS(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			c := start(t, tls).device(t, 7)
			for _, size := range []int{0, 1, 125, 126, 5000, 65_535, 65_536, 3 << 20} {
				want := strings.Repeat("x", size)
				c.send("echo", api.RenameRequest{Name: want})
				f := c.frame()
				var got api.RenameRequest
				if f.Error != nil || f.Call != c.call {
					t.Fatalf("size %d: got %+v", size, f.Error)
				}
				must(t, api.Unmarshal(f.Body, &got))
				if got.Name != want {
					t.Errorf("size %d: got %d bytes", size, len(got.Name))
				}
			}
			c.send("who", api.Empty{})
			var me api.ChallengeRequest
			must(t, api.Unmarshal(c.frame().Body, &me))
			if me.Device != (api.DeviceID{7}) {
				t.Errorf("the call was made for device %x", me.Device)
			}
			c.send("nothing", api.Empty{})
			if f := c.frame(); f.Error == nil || f.Error.Code != api.NotFound {
				t.Errorf("unknown endpoint: got %+v", f)
			}
		})
	}
}

func TestManyCallsInOneWriteAreAllAnswered(t *testing.T) {
	c := start(t, true).device(t, 1)
	var all []byte
	const calls = 200
	for i := range calls {
		body, err := api.Marshal(api.RenameRequest{Name: strings.Repeat("y", i)})
		must(t, err)
		frame, err := api.Marshal(api.Frame{Call: uint64(i + 100), Name: "echo", Body: body})
		must(t, err)
		b, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame(frame)))
		must(t, err)
		all = append(all, b...)
	}
	go c.conn.Write(all) //nolint:errcheck // the answers tell
	seen := map[uint64]bool{}
	for range calls {
		seen[c.frame().Call] = true
	}
	if len(seen) != calls {
		t.Errorf("%d of %d calls were answered", len(seen), calls)
	}
}

func TestFirstMessageMustLogIn(t *testing.T) {
	h := start(t, false)
	for name, send := range map[string]func(*client){
		"another call":  func(c *client) { c.send("echo", api.RenameRequest{Name: "x"}) },
		"a bad token":   func(c *client) { c.send(api.Authenticate.Name, api.AuthenticateRequest{Token: []byte("bad")}) },
		"garbage":       func(c *client) { must(t, wsutil.WriteClientBinary(c.rw, []byte("garbage"))) },
		"nothing in it": func(c *client) { must(t, wsutil.WriteClientBinary(c.rw, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := h.client(t)
			send(c)
			if code := c.closed(); code != ws.StatusPolicyViolation {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

func TestClientsThatBreakTheProtocolAreClosed(t *testing.T) {
	h := start(t, false)
	for name, tt := range map[string]struct {
		frame ws.Frame
		want  ws.StatusCode
	}{
		"text":            {ws.MaskFrame(ws.NewTextFrame([]byte("hello"))), ws.StatusUnsupportedData},
		"no mask":         {ws.NewBinaryFrame([]byte{0xa0}), ws.StatusProtocolError},
		"not a frame":     {ws.MaskFrame(ws.NewBinaryFrame([]byte("hello"))), ws.StatusInvalidFramePayloadData},
		"not a call":      {ws.MaskFrame(ws.NewBinaryFrame([]byte{0xa0})), ws.StatusPolicyViolation},
		"continuation":    {ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, []byte("x"))), ws.StatusProtocolError},
		"reserved":        {ws.MaskFrame(ws.NewFrame(0x3, true, []byte("x"))), ws.StatusProtocolError},
		"fragmented ping": {ws.MaskFrame(ws.NewFrame(ws.OpPing, false, []byte("x"))), ws.StatusProtocolError},
		"goodbye":         {ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))), ws.StatusNormalClosure},
		"too large":       {ws.Frame{Header: ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 1 << 40}}, ws.StatusMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			c := h.device(t, 1)
			must(t, ws.WriteFrame(c.conn, tt.frame))
			if code := c.closed(); code != tt.want {
				t.Errorf("closed with %d, want %d", code, tt.want)
			}
		})
	}
}

func TestStrangerCannotMakeTheServerHoldMuch(t *testing.T) {
	c := start(t, false).client(t)
	must(t, ws.WriteHeader(c.conn, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 5000}))
	if code := c.closed(); code != ws.StatusMessageTooBig {
		t.Errorf("closed with %d", code)
	}
}

func TestFragmentsMakeOneMessageWithPingsBetween(t *testing.T) {
	c := start(t, false).device(t, 1)
	body, err := api.Marshal(api.RenameRequest{Name: strings.Repeat("z", 300)})
	must(t, err)
	frame, err := api.Marshal(api.Frame{Call: 9, Name: "echo", Body: body})
	must(t, err)
	must(t, ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewFrame(ws.OpBinary, false, frame[:100]))))
	must(t, ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewPingFrame([]byte("there?")))))
	must(t, ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewFrame(ws.OpContinuation, false, frame[100:200]))))
	must(t, ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, frame[200:]))))
	pong, err := ws.ReadFrame(c.rw)
	must(t, err)
	if pong.Header.OpCode != ws.OpPong || string(pong.Payload) != "there?" {
		t.Errorf("got %v %q, want a pong", pong.Header.OpCode, pong.Payload)
	}
	if f := c.frame(); f.Call != 9 || f.Error != nil {
		t.Errorf("got %+v", f)
	}
}

func TestSlowCallsDoNotHoldUpOthersUntilThereAreThirtyTwo(t *testing.T) {
	h := start(t, false)
	c := h.device(t, 1)
	for range 31 {
		c.send("slow", api.Empty{})
	}
	c.send("echo", api.RenameRequest{Name: "quick"})
	if f := c.frame(); f.Call != c.call {
		t.Fatalf("call %d was answered first", f.Call)
	}
	c.send("slow", api.Empty{})
	c.send("echo", api.RenameRequest{Name: "waits"})
	waits := c.call
	must(t, c.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if _, _, err := wsutil.ReadServerData(c.rw); err == nil {
		t.Error("a call beyond the limit was answered")
	}
	must(t, c.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	close(h.release)
	seen := map[uint64]bool{}
	for range 33 {
		seen[c.frame().Call] = true
	}
	if !seen[waits] {
		t.Error("the waiting call was not answered")
	}
}

func TestPushesArriveInOrder(t *testing.T) {
	h := start(t, false)
	c := h.device(t, 1)
	sink := h.sink(t, 1)
	for i := range uint64(100) {
		sink.Push(api.LogID{1}, i, push(t, api.LogID{1}, i, 10))
	}
	for i := range uint64(100) {
		if f := c.frame(); f.Push == nil || f.Push.Last != i {
			t.Fatalf("got %+v, want push %d", f.Push, i)
		}
	}
}

func push(t testing.TB, log api.LogID, last uint64, size int) []byte {
	t.Helper()
	b, err := api.Marshal(api.Frame{Push: &api.Push{Log: log, Last: last, Entries: []api.Entry{{Seq: last, Message: make([]byte, size)}}}})
	must(t, err)
	return b
}

func TestSlowDeviceLosesPushesNotTheNewsOfThem(t *testing.T) {
	h := start(t, false)
	c := h.device(t, 1)
	sink := h.sink(t, 1)
	const pushes = 400 // of 100 kB, more than sockets and queue hold
	begin := time.Now()
	for i := range uint64(pushes) {
		sink.Push(api.LogID{byte(i % 2)}, i, push(t, api.LogID{byte(i % 2)}, i, 100_000))
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("pushing to a device that reads nothing took %v", took)
	}
	last := map[api.LogID]uint64{}
	hints := 0
	for last[api.LogID{0}] != pushes-2 || last[api.LogID{1}] != pushes-1 {
		f := c.frame()
		if f.Push.Last < last[f.Push.Log] {
			t.Fatalf("push %d of a log came after %d", f.Push.Last, last[f.Push.Log])
		}
		last[f.Push.Log] = f.Push.Last
		if len(f.Push.Entries) == 0 {
			hints++
		}
	}
	if hints == 0 {
		t.Error("no hint came: the test did not fill the queue")
	}
	sink.Push(api.LogID{0}, pushes, push(t, api.LogID{0}, pushes, 10))
	if f := c.frame(); len(f.Push.Entries) != 1 {
		t.Error("entries do not flow again after the hints")
	}
}

func TestRemovedDeviceIsClosedWithItsCalls(t *testing.T) {
	h := start(t, false)
	c, other := h.device(t, 1), h.device(t, 2)
	c.send("slow", api.Empty{})
	must(t, h.CloseDevice(t.Context(), [32]byte{1}, [32]byte{1}))
	if code := c.closed(); code != ws.StatusPolicyViolation {
		t.Errorf("closed with %d", code)
	}
	other.send("echo", api.RenameRequest{})
	other.frame()
}

func TestDeviceHasFewStreamsAtOnce(t *testing.T) {
	h := start(t, false)
	first := h.device(t, 1)
	for range 4 {
		h.device(t, 1)
	}
	if code := first.closed(); code != ws.StatusPolicyViolation {
		t.Errorf("the oldest stream was closed with %d", code)
	}
}

func TestDeviceHasFewStreamsHoweverFastItOpensThem(t *testing.T) {
	h := start(t, false)
	var all []*client
	for range 12 {
		all = append(all, h.device(t, 1))
	}
	for i, c := range all[:8] {
		must(t, c.conn.SetDeadline(time.Now().Add(3*time.Second)))
		if code := c.closed(); code != ws.StatusPolicyViolation {
			t.Errorf("stream %d was closed with %d", i, code)
		}
	}
	for _, c := range all[8:] {
		c.send("echo", api.RenameRequest{})
		c.frame()
	}
}

func TestAnswersThatNobodyTakesAreBounded(t *testing.T) {
	h := start(t, false)
	c := h.device(t, 1)
	const calls = 25
	for range calls {
		c.send("much", api.Empty{}) // what is answered waits, since nothing is read
	}
	for h.much.Load() < calls {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // they are being encoded
	refused := 0
	for range calls {
		if f := c.frame(); f.Error != nil {
			if f.Error.Code != api.Unavailable {
				t.Errorf("got %v", f.Error)
			}
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("%d MiB of answers were kept for a device that reads nothing", calls*3)
	}
	c.send("much", api.Empty{})
	if f := c.frame(); f.Error != nil {
		t.Errorf("after all was read: got %v", f.Error)
	}
}

func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	h := start(t, false)
	for _, origin := range []string{"https://elsewhere.example", "null", "http://127.0.0.1:1"} {
		if _, err := h.dial(t, "Origin", origin); err == nil {
			t.Errorf("a page of %s got a stream", origin)
		}
	}
	if _, err := h.dial(t, "Origin", h.server.URL); err != nil {
		t.Errorf("our own page: %v", err)
	}
	resp, err := http.Get(h.server.URL) // no upgrade at all
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Errorf("a plain request got status %d", resp.StatusCode)
	}
}

func TestCloseEndsEveryGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	h := start(t, false)
	for i := range 20 {
		c := h.device(t, byte(i))
		c.send("slow", api.Empty{})
	}
	h.client(t)
	h.Service.Close()
	h.server.Close()
	for range 200 {
		if runtime.NumGoroutine() <= before+1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), b[:runtime.Stack(b, true)])
}
