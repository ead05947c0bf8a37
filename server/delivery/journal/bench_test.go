package journal_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sconce/api"
	"sconce/internal/sqldb/sqldbtest"
)

// acker is a receiver that acknowledges all it gets.
type acker struct {
	r      *rig
	device api.DeviceID
	got    *atomic.Int64
}

func (a *acker) Push(log api.LogID, last uint64, _ []byte) {
	a.got.Add(1)
	if err := a.r.Ack(context.Background(), a.device, log, last); err != nil {
		panic(err)
	}
}

// benchmarkDelivery sends 1 KiB messages in rooms of the given size from many
// senders at once, until all are delivered, acknowledged and deleted.
func benchmarkDelivery(b *testing.B, rooms, members, senders int) {
	r := start(b, sqldbtest.SQLite(b), nil)
	var got atomic.Int64
	ids := make([]api.LogID, rooms)
	for i := range ids {
		ids[i] = r.room(b, members)
	}
	for _, d := range deviceIDs(members) {
		defer r.Subscribe(d, &acker{r, d, &got})()
	}
	text := string(bytes.Repeat([]byte("x"), 1024))
	cpu := cpuTime(b)
	b.ResetTimer()
	var next atomic.Int64
	done := make(chan error, senders)
	for range senders {
		go func() {
			for {
				n := next.Add(1) - 1
				if n >= int64(b.N) {
					done <- nil
					return
				}
				if _, err := r.Write(b.Context(), message(ids[n%int64(rooms)], 0, text)); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range senders {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	eventually(b, "all is deleted", func() bool { return r.count(b, "SELECT count(*) FROM entry") == 0 })
	b.StopTimer()
	deliveries := float64(b.N) * float64(max(members-1, 1)) // the sender's own copy is not counted
	b.ReportMetric(deliveries/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*100_000/deliveries, "cpu-s/100k")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkAppend1to1(b *testing.B)   { benchmarkDelivery(b, 256, 2, 256) }
func BenchmarkFanout200(b *testing.B)    { benchmarkDelivery(b, 1, 200, 4) }
func BenchmarkFanout200x16(b *testing.B) { benchmarkDelivery(b, 16, 200, 64) }

// fill appends 1 KiB messages that nobody acknowledges, from many senders at once.
func fill(b *testing.B, r *rig, rooms []api.LogID, n int) {
	text := string(bytes.Repeat([]byte("x"), 1024))
	const senders = 256
	var next atomic.Int64
	done := make(chan error, senders)
	for range senders {
		go func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					done <- nil
					return
				}
				if _, err := r.Write(b.Context(), message(rooms[i%int64(len(rooms))], 0, text)); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range senders {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStore is messages for devices that are off, until all are in the
// tables.
func BenchmarkStore(b *testing.B) {
	r := start(b, sqldbtest.SQLite(b), nil)
	rooms := make([]api.LogID, 32)
	for i := range rooms {
		rooms[i] = r.room(b, 2)
	}
	cpu := cpuTime(b)
	b.ResetTimer()
	fill(b, r, rooms, b.N)
	if err := r.Expire(b.Context()); err != nil { // which waits for the tables
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*100_000/float64(b.N), "cpu-s/100k")
}

// BenchmarkDrain reads, encodes and acknowledges what is in the tables.
func BenchmarkDrain(b *testing.B) {
	r := start(b, sqldbtest.SQLite(b), nil)
	rooms := make([]api.LogID, 32)
	for i := range rooms {
		rooms[i] = r.room(b, 1)
	}
	fill(b, r, rooms, b.N)
	if err := r.Expire(b.Context()); err != nil {
		b.Fatal(err)
	}
	cpu := cpuTime(b)
	b.ResetTimer()
	for _, id := range rooms {
		for after := uint64(0); ; {
			entries, last, _, err := r.Read(b.Context(), device(0), id, after, 500)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := api.Marshal(&api.ReadResponse{Entries: entries, Last: last}); err != nil {
				b.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			after = entries[len(entries)-1].Seq
			r.ack(b, id, 0, after)
		}
	}
	eventually(b, "all is deleted", func() bool { return r.count(b, "SELECT count(*) FROM entry") == 0 })
	b.StopTimer()
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*100_000/float64(b.N), "cpu-s/100k")
}
