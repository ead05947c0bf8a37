package bridge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sconce/client"
	"sconce/client/bridge"
)

// echo is a door that answers with what it got, for the tests of the framing.
type echo struct {
	atOnce, most atomic.Int32
	hold         chan struct{} // nil: do not hold
	events       chan client.Event
}

func (e *echo) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, *bridge.Error) {
	now := e.atOnce.Add(1)
	defer e.atOnce.Add(-1)
	for most := e.most.Load(); now > most && !e.most.CompareAndSwap(most, now); most = e.most.Load() {
	}
	if e.hold != nil {
		select {
		case <-e.hold:
		case <-ctx.Done():
			return nil, bridge.Errorf(bridge.Canceled, "canceled")
		}
	}
	if method != "echo" {
		return nil, bridge.Errorf(bridge.UnknownMethod, "there is no method %.40q", method)
	}
	if params == nil {
		params = json.RawMessage("{}")
	}
	return params, nil
}

func (e *echo) Subscribe(context.Context) (<-chan client.Event, func(), error) {
	return e.events, func() {}, nil
}

// serve gives what Serve answers to lines that end.
func serve(t *testing.T, d bridge.Door, lines string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := bridge.Serve(t.Context(), strings.NewReader(lines), &out, d); err != nil {
		t.Fatalf("Serve: %v", err)
	}
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	slices.Sort(got) // calls run at once
	return got
}

func TestEachRequestGetsItsAnswer(t *testing.T) {
	got := serve(t, new(echo), `{"id":1,"method":"echo","params":{"a":[1,"x"]}}

{"id":2,"method":"nothing"}
{"id":3,"method":"echo"}
{"method":"echo","params":{"no":"id"}}`)
	want := []string{
		`{"id":1,"result":{"a":[1,"x"]}}`,
		`{"id":2,"error":{"code":"unknown_method","message":"there is no method \"nothing\""}}`,
		`{"id":3,"result":{}}`,
		`{"result":{"no":"id"}}`,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBadLinesAreAnsweredAndSkipped(t *testing.T) {
	long := `{"id":7,"method":"` + strings.Repeat("x", bridge.MaxParams) + `"}`
	for name, c := range map[string]struct{ line, id, code, message string }{
		"no JSON":                 {`hello`, "null", "params", "invalid character"},
		"half":                    {`{"id":1,`, "1", "params", "ends in the middle"},
		"two":                     {`{"id":1,"method":"echo"}{}`, "1", "params", "goes on after its end"},
		"a list":                  {`[1]`, "null", "params", "the JSON is a array; want an object"},
		"unknown field":           {`{"id":1,"methode":"echo"}`, "1", "params", `unknown field "methode"`},
		"id of text":              {`{"id":"1","method":"echo"}`, "null", "params", "id can't be a string"},
		"id out of range":         {`{"id":99999999999999999999,"method":"echo"}`, "null", "params", "id can't be"},
		"id inside another":       {`{"x":{"id":3},"method":"echo","id":4}`, "4", "params", `unknown field "x"`},
		"too long":                {long, "7", "too_long", "a line has more than 1048576 bytes"},
		"too long, no id":         {strings.Repeat("x", 3*bridge.MaxParams), "null", "too_long", "a line has more than 1048576 bytes"},
		"too long, id at its end": {`{"method":"` + strings.Repeat("x", bridge.MaxParams) + `","id":7}`, "null", "too_long", "a line has more than 1048576 bytes"},
		"too long by one":         {`{"id":8,"method":"echo"}` + strings.Repeat(" ", bridge.MaxParams-23), "8", "too_long", "a line has more than 1048576 bytes"},
		"deep":                    {`{"id":1,"method":"echo","params":` + strings.Repeat("[", 20_000) + `}`, "1", "params", "max depth"},
	} {
		got := serve(t, new(echo), c.line+"\n"+`{"id":9,"method":"echo"}`)
		refused := func(line string) bool {
			return strings.HasPrefix(line, `{"id":`+c.id+`,"error":{"code":"`+c.code+`"`) && strings.Contains(strings.ReplaceAll(line, `\"`, `"`), c.message)
		}
		if len(got) != 2 || !slices.ContainsFunc(got, refused) || !slices.Contains(got, `{"id":9,"result":{}}`) {
			t.Errorf("%s: got %.300q; want id %s, code %s with %q, then the next answer", name, got, c.id, c.code, c.message)
		}
	}
}

// endless is a line of as many bytes, and then another one.
type endless struct {
	left int
	next io.Reader
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return e.next.Read(p)
	}
	n := min(e.left, len(p))
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func TestALineWithoutEndTakesNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	var out bytes.Buffer
	runtime.ReadMemStats(&before)
	in := &endless{left: 256 << 20, next: strings.NewReader("\n" + `{"id":9,"method":"echo"}`)}
	if err := bridge.Serve(t.Context(), io.MultiReader(strings.NewReader(`{"id":7,"method":"`), in), &out, new(echo)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16*bridge.MaxParams {
		t.Errorf("a line of 256 MiB took %d MiB", got>>20)
	}
	if got := out.String(); !strings.HasPrefix(got, `{"id":7,"error":{"code":"too_long"`) || !strings.HasSuffix(got, `{"id":9,"result":{}}`+"\n") {
		t.Errorf("the answers are %q", got)
	}
}

// An id that an answer carries is the one that the request began with.
func FuzzBadLineKeepsItsID(f *testing.F) {
	for _, seed := range []string{`,"method":5}`, `,"x":{"id":3}}`, `,"id":4,"method":"echo"`, "", `}{`, `,"`, "\x00"} {
		f.Add(int64(5), seed)
	}
	f.Fuzz(func(t *testing.T, id int64, rest string) {
		another := strings.ContainsAny(rest, "\n\\") || strings.Contains(strings.ToLower(rest), "id") || strings.ContainsAny(rest[:min(1, len(rest))], "0123456789.eE")
		if id == 0 || another {
			return // the line names more than this one id, or none
		}
		begin := fmt.Sprintf(`{"id":%d`, id)
		for _, line := range []string{begin + rest, begin + rest + strings.Repeat(" ", bridge.MaxParams)} {
			var out bytes.Buffer
			if err := bridge.Serve(t.Context(), strings.NewReader(line+"\n"), &out, new(echo)); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); !strings.HasPrefix(got, begin+",") && !strings.HasPrefix(got, `{"id":null,"error"`) {
				t.Fatalf("%.80q is answered with %q", line, got)
			}
		}
	})
}

func TestALineOfTheLimitPasses(t *testing.T) {
	head, tail := `{"id":1,"method":"echo","params":{"a":"`, `"}}`
	line := head + strings.Repeat("x", bridge.MaxParams-len(head)-len(tail)) + tail
	for _, end := range []string{"", "\n", "\r\n"} {
		if got := serve(t, new(echo), line+end); !strings.HasPrefix(got[0], `{"id":1,"result"`) {
			t.Fatalf("a line of %d bytes ending in %q = %.100s", len(line), end, got[0])
		}
	}
	if got := serve(t, new(echo), line+" \n"); !strings.Contains(got[0], "too_long") {
		t.Fatalf("a line with a byte more = %.100s", got[0])
	}
}

func TestCallsRunAtOnceUpToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{hold: make(chan struct{})}
		lines := new(strings.Builder)
		for i := range 100 {
			fmt.Fprintf(lines, `{"id":%d,"method":"echo"}`+"\n", i+1)
		}
		done := make(chan []string, 1)
		go func() { done <- serve(t, e, lines.String()) }()
		synctest.Wait()
		if got := e.atOnce.Load(); got != 32 {
			t.Errorf("%d calls run at once; want 32", got)
		}
		close(e.hold)
		if got := <-done; len(got) != 100 {
			t.Errorf("%d answers; want 100", len(got))
		}
		if got := e.most.Load(); got != 32 {
			t.Errorf("%d calls ran at once; want 32", got)
		}
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, feed := io.Pipe()
		defer feed.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- bridge.Serve(ctx, in, io.Discard, &echo{hold: make(chan struct{})}) }()
		_, _ = io.WriteString(feed, `{"id":1,"method":"echo"}`+"\n")
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("Serve = %v; want %v", err, context.Canceled)
		}
		in.Close()
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestServeEndsWhenNobodyReads(t *testing.T) {
	in, feed := io.Pipe()
	defer in.Close()
	go func() { _, _ = io.WriteString(feed, `{"id":1,"method":"echo"}`+"\n") }()
	if err := bridge.Serve(t.Context(), in, brokenWriter{}, new(echo)); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("Serve = %v; want %v", err, io.ErrClosedPipe)
	}
}

// remote connects a Remote with a door.
func remote(t *testing.T, d bridge.Door) *bridge.Remote {
	t.Helper()
	near, far := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() {
		defer far.Close()
		_ = bridge.Serve(t.Context(), far, far, d)
	})
	r := bridge.NewRemote(near)
	t.Cleanup(func() { _ = r.Close(); serving.Wait() })
	return r
}

func TestRemoteIsTheSameDoor(t *testing.T) {
	r := remote(t, new(echo))
	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			params := json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))
			if got, err := r.Call(t.Context(), "echo", params); err != nil || string(got) != string(params) {
				t.Errorf("Call = %s, %v; want %s", got, err, params)
			}
		})
	}
	calls.Wait()
	if _, err := r.Call(t.Context(), "nothing", nil); err == nil || err.Code != bridge.UnknownMethod {
		t.Errorf("Call = %v; want %s", err, bridge.UnknownMethod)
	}
}

func TestEventsArriveInOrderUntilTheyEnd(t *testing.T) {
	e := &echo{events: make(chan client.Event, 100)}
	r := remote(t, e)
	events, cancel, err := r.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	if _, _, err := r.Subscribe(t.Context()); err == nil {
		t.Error("a second subscription succeeded")
	}
	for i := range 100 {
		e.events <- client.Event{Message: &client.MessageView{ID: fmt.Sprint(i), Text: "line\nbreak"}}
	}
	for i := range 100 {
		if got := <-events; got.Message == nil || got.Message.ID != fmt.Sprint(i) || got.Message.Text != "line\nbreak" {
			t.Fatalf("event %d = %+v", i, got)
		}
	}
	close(e.events) // the client cut the subscriber off
	if _, open := <-events; open {
		t.Fatal("an event came after the end")
	}
	e.events = make(chan client.Event, 1)
	again, cancel, err := r.Subscribe(t.Context())
	if err != nil {
		t.Fatalf("Subscribe again: %v", err)
	}
	cancel()
	if _, open := <-again; open {
		t.Fatal("an event came after cancel")
	}
}

func TestCallsEndWhenTheOtherProcessDoes(t *testing.T) {
	near, far := net.Pipe()
	r := bridge.NewRemote(near)
	go func() {
		_, _ = bufio.NewReader(far).ReadString('\n')
		_ = far.Close()
	}()
	for range 2 {
		_, err := r.Call(t.Context(), "echo", nil)
		if err == nil || err.Message != "the process that held the store has ended" {
			t.Fatalf("Call = %v", err)
		}
	}
	_ = r.Close()
}

func TestCancelledCallReturns(t *testing.T) {
	r := remote(t, &echo{hold: make(chan struct{})})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Call(ctx, "echo", nil); err == nil || err.Code != bridge.Offline {
		t.Fatalf("Call = %v; want %s", err, bridge.Offline)
	}
	_ = r.Close()
}

// Params are refused before a client is asked, so these need none.
func TestParamsAreStrict(t *testing.T) {
	d := bridge.New(nil)
	for _, c := range []struct{ method, params, want string }{
		{"send", `{"room":"a","text":"b","txet":"c"}`, `unknown field "txet"`},
		{"send", `{"room":1}`, "room can't be a number"},
		{"send", `[]`, "the JSON is a array; want an object"},
		{"send", `{"room":"a"} {}`, "the JSON goes on after its end"},
		{"send", `{"room":"a"`, "the JSON ends in the middle"},
		{"me", `{"user":"x"}`, `unknown field "user"`},
		{"newRoom", `{"users":"bob"}`, "users can't be a string"},
		{"messages", `{"room":"a","limit":501}`, "limit is 1 to 500"},
		{"messages", `{"room":"a","before":-1}`, "limit is 1 to 500"},
	} {
		_, err := d.Call(t.Context(), c.method, json.RawMessage(c.params))
		if err == nil || err.Code != bridge.Params || !strings.Contains(err.Message, c.want) {
			t.Errorf("%s %s = %v; want %s with %q", c.method, c.params, err, bridge.Params, c.want)
		}
	}
	if _, err := d.Call(t.Context(), "Send", nil); err == nil || err.Code != bridge.UnknownMethod {
		t.Errorf("Call of a method that is not there = %v; want %s", err, bridge.UnknownMethod)
	}
	long := json.RawMessage(`{"room":"` + strings.Repeat("x", bridge.MaxParams) + `"}`)
	if _, err := d.Call(t.Context(), "send", long); err == nil || err.Code != bridge.Params {
		t.Errorf("Call with %d bytes = %v; want %s", len(long), err, bridge.Params)
	}
}

func TestMethodNamesAreUnique(t *testing.T) {
	seen := map[string]bool{"subscribe": true, "unsubscribe": true} // these are the framing's
	for _, m := range bridge.Methods() {
		if seen[m.Name] {
			t.Errorf("there are two methods %q", m.Name)
		}
		seen[m.Name] = true
	}
}

// However lines are cut up, each well-formed one gets one answer.
func TestAnswersMatchRequests(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOfN(rapid.Int64Min(1), 0, 20).Draw(rt, "ids")
		var lines bytes.Buffer
		for _, id := range ids {
			fmt.Fprintf(&lines, `{"id":%d,"method":"echo"}`, id)
			lines.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(rt, "end"))
		}
		var out bytes.Buffer
		if err := bridge.Serve(t.Context(), oneByte{&lines}, &out, new(echo)); err != nil {
			rt.Fatal(err)
		}
		var got []int64
		for line := range strings.Lines(out.String()) {
			var a struct{ ID int64 }
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				rt.Fatal(err)
			}
			got = append(got, a.ID)
		}
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			rt.Fatalf("answers to %v; want %v", got, ids)
		}
	})
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// Nothing that comes in makes Serve panic, hang, or write what is not lines of
// JSON.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"method":"echo","params":{"a":1}}`, `{"method":"subscribe"}`, "{\"id\":1,\"method\":\"subscribe\"}\n{\"method\":\"unsubscribe\"}",
		"\n\n", "\x00", `{"id":1e2}`, `[`, "{\"id\":-1,\"method\":\"\xff\"}", `{"id":1,"method":"echo","params":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		e := &echo{events: make(chan client.Event)}
		if err := bridge.Serve(t.Context(), bytes.NewReader(in), &out, e); err != nil {
			t.Fatalf("Serve: %v", err)
		}
		for line := range bytes.Lines(out.Bytes()) {
			if !json.Valid(line) || line[len(line)-1] != '\n' {
				t.Fatalf("Serve wrote %q", line)
			}
		}
	})
}

// Nothing that the other process sends makes a Remote panic or hang.
func FuzzRemote(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"result":{}}`, `{"id":1,"error":{"code":"x","message":"y"}}`, `{"event":{"online":true}}`, `{"end":"x"}`,
		"{\"event\":{}}\n{\"id\":2}", "null", "\n", `{"id":1,"result":{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bridge.NewRemote(struct {
			io.Reader
			io.Writer
			io.Closer
		}{bytes.NewReader(in), io.Discard, io.NopCloser(nil)})
		events, cancel, err := r.Subscribe(t.Context())
		if err == nil {
			cancel()
			for range events {
			}
		}
		_, _ = r.Call(t.Context(), "echo", nil)
		_ = r.Close()
	})
}
