package stream_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"sconce/api"
)

// BenchmarkCall is a call and its answer over one stream, one at a time.
func BenchmarkCall(b *testing.B) {
	c := start(b, false).device(b, 1)
	body, err := api.Marshal(api.RenameRequest{Name: strings.Repeat("x", 1024)})
	must(b, err)
	frame, err := api.Marshal(api.Frame{Call: 1, Name: "echo", Body: body})
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		must(b, wsutil.WriteClientBinary(c.rw, frame))
		if _, err := ws.ReadFrame(c.rw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPush is what one push of 1 KiB costs the one who pushes, whether the
// device keeps up or not.
func BenchmarkPush(b *testing.B) {
	h := start(b, false)
	c := h.device(b, 1)
	sink := h.sink(b, 1)
	frame := push(b, api.LogID{1}, 1, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			f, err := ws.ReadFrame(c.rw)
			if err != nil || string(f.Payload) == "end" {
				return
			}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		sink.Push(api.LogID{1}, 1, frame)
	}
	c.conn.Close()
	<-done
}

// BenchmarkIdle measures what a silent stream costs the process, both ends of
// it being here; the client's end costs about as much. Memory that was used once
// is used again, so only the first round tells.
func BenchmarkIdle(b *testing.B) {
	b.Run("plain", func(b *testing.B) { idle(b, false) })
	b.Run("TLS", func(b *testing.B) { idle(b, true) })
}

func idle(b *testing.B, tls bool) {
	const streams = 2000
	h := start(b, tls)
	clients := make([]*client, streams)
	h.device(b, 255)
	debug.FreeOSMemory()
	before := resident(b)
	for i := range clients {
		clients[i] = h.device(b, byte(i/4%250))
		clients[i].rw = nil
	}
	debug.FreeOSMemory()
	after := resident(b)
	for b.Loop() { // the benchmark is over; this ends it
	}
	b.ReportMetric(float64(after-before)/streams, "KB/stream")
}

func resident(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("memory is read from /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	must(b, err)
	return kb
}
