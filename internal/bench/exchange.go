//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sconce/api"
)

// exchange is one run of letters through the server.
type exchange struct {
	w      *world
	talks  []*talk
	each   int // letters in every talk
	flight int // of one sender that wait for their answers

	ledger  *ledger
	posts   [][]*posted
	senders []*stream
	others  []*stream // everyone else who is on

	answers atomic.Int64
	failed  atomic.Pointer[api.Error] // the first Append that was refused

	before, after load
	cpu           time.Duration // the server's, until what was acknowledged is erased from its tape
	calls         int64         // its reads and writes until then
}

// newExchange writes the letters, before any clock runs.
func (w *world) newExchange(talks []*talk, each, flight int) (*exchange, error) {
	x := &exchange{w: w, talks: talks, each: each, flight: flight, ledger: newLedger()}
	for _, k := range talks {
		letters, err := k.write(each)
		if err != nil {
			return nil, fmt.Errorf("encrypting: %w", err)
		}
		x.posts = append(x.posts, x.ledger.enter(api.LogID(k.id), letters))
	}
	return x, nil
}

// connect opens everyone's streams, or those of the senders alone.
func (x *exchange) connect(ctx context.Context, everyone bool) error {
	for _, k := range x.talks {
		s, err := x.connectOne(ctx, k.from, k)
		if err != nil {
			return err
		}
		x.senders = append(x.senders, s)
		if !everyone {
			continue
		}
		for _, d := range k.to {
			s, err := x.connectOne(ctx, d, k)
			if err != nil {
				return err
			}
			x.others = append(x.others, s)
		}
	}
	return nil
}

func (x *exchange) connectOne(ctx context.Context, d *device, k *talk) (*stream, error) {
	conn, err := dial(ctx, x.w.server.address, nil, d.token)
	if err != nil {
		return nil, err
	}
	return listen(conn, x.ledger, api.LogID(k.id), k.end, k.end+uint64(x.each)), nil
}

func (x *exchange) close() {
	closeAll(x.senders)
	closeAll(x.others)
}

// open begins to listen, and looks at the clocks.
func (x *exchange) open(onAnswer func(talk int)) error {
	for i, s := range x.senders {
		s.answered = func(_ *posted, _ api.AppendResponse, err *api.Error) {
			if err != nil {
				x.failed.CompareAndSwap(nil, err)
			}
			x.answers.Add(1)
			onAnswer(i)
		}
	}
	for _, s := range slices.Concat(x.senders, x.others) {
		s.start()
	}
	return x.begin()
}

// begin looks at the clocks.
func (x *exchange) begin() (err error) {
	if x.calls, err = ioCalls(x.w.server.pid); err != nil {
		return err
	}
	x.before, err = measureLoad(x.w.server.pid)
	return err
}

// end looks again. What the server still has to do for what it has answered is
// counted to what it spent, but not to the time that anybody waited.
func (x *exchange) end(ctx context.Context) (err error) {
	if x.after, err = measureLoad(x.w.server.pid); err != nil {
		return err
	}
	if err := x.awaitErased(ctx); err != nil {
		return err
	}
	used, err := processTime(x.w.server.pid)
	if err != nil {
		return err
	}
	calls, err := ioCalls(x.w.server.pid)
	x.cpu, x.calls = used-x.before.server, calls-x.calls
	return err
}

// awaitErased waits until nothing is on the server's tape. Its files begin with
// zeros then.
func (x *exchange) awaitErased(ctx context.Context) error {
	files, err := filepath.Glob(x.w.file("sconce.db-tape?"))
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(stalled); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left := 0
		for _, file := range files {
			some, err := beginsWithData(file)
			if err != nil {
				return err
			}
			if some {
				left++
			}
		}
		if left == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("the server's tape is not erased")
}

func beginsWithData(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var first [1]byte
	if _, err := f.Read(first[:]); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return first[0] != 0, nil
}

// closedLoop sends as fast as answers come.
func (x *exchange) closedLoop(ctx context.Context) error {
	next := make([]int, len(x.talks)) // each used by its sender's reader alone
	for talk := range next {
		next[talk] = min(x.flight, x.each)
	}
	post := func(talk int) {
		if i := next[talk]; i < x.each {
			next[talk]++
			p := x.posts[talk][i]
			p.sent.Store(time.Now().UnixNano())
			x.senders[talk].queue(p.letter.frame)
		}
	}
	if err := x.open(post); err != nil {
		return err
	}
	for talk, s := range x.senders {
		for _, p := range x.posts[talk][:min(x.flight, x.each)] {
			p.sent.Store(time.Now().UnixNano())
			s.queue(p.letter.frame)
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
	return x.finish(ctx)
}

// openLoop sends at a steady rate, whatever comes back.
func (x *exchange) openLoop(ctx context.Context, rate int) error {
	if err := x.open(func(int) {}); err != nil {
		return err
	}
	err := atRate(rate, x.each, len(x.senders), func(talk, i int) error {
		p, s := x.posts[talk][i], x.senders[talk]
		s.queue(p.letter.frame)
		p.sent.Store(time.Now().UnixNano())
		return s.flush()
	})
	if err != nil {
		return err
	}
	return x.finish(ctx)
}

// sleepUntil waits as exactly as the kernel can: the runtime's own timers round
// up to a millisecond where nothing else happens.
func sleepUntil(due time.Time) error {
	for {
		d := time.Until(due)
		if d <= 0 {
			return nil
		}
		t := unix.NsecToTimespec(int64(d))
		if err := unix.Nanosleep(&t, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// finish waits until everything is answered, delivered, acknowledged, and, where
// all who listen are on, gone from the server.
func (x *exchange) finish(ctx context.Context) error {
	if err := x.await(ctx, slices.Concat(x.senders, x.others), int64(len(x.talks)*x.each)); err != nil {
		return err
	}
	if len(x.others) > 0 {
		if err := x.awaitGone(ctx); err != nil {
			return err
		}
	}
	return x.end(ctx)
}

// stalled is after how long without any progress a run gives up, and counts what
// is missing as lost.
const stalled = 10 * time.Second

func (x *exchange) await(ctx context.Context, streams []*stream, answers int64) error {
	var moved uint64
	last := time.Now()
	for {
		sum, done := uint64(x.answers.Load()), x.answers.Load() >= answers
		for _, s := range streams {
			have := s.acked.Load()
			sum += have
			done = done && have >= s.end
			select {
			case <-s.done:
				return fmt.Errorf("a stream broke: %w", s.err)
			default:
			}
		}
		if e := x.failed.Load(); e != nil {
			return fmt.Errorf("a message was refused: %w", e)
		}
		if done {
			return nil
		}
		if sum != moved {
			moved, last = sum, time.Now()
		}
		if time.Since(last) > stalled {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// awaitGone asks for the last entry of each talk until its message is gone.
func (x *exchange) awaitGone(ctx context.Context) error {
	t, err := x.w.transport()
	if err != nil {
		return err
	}
	defer t.Close()
	deadline := time.Now().Add(stalled)
	for _, k := range x.talks {
		req := &api.ReadRequest{Log: api.LogID(k.id), After: k.end + uint64(x.each) - 1}
		for {
			resp, err := call(ctx, t, api.Read, k.from.token, req)
			if err != nil {
				return err
			}
			if len(resp.Entries) == 0 || resp.Entries[0].Gone {
				break
			}
			if time.Now().After(deadline) {
				return errors.New("messages that everyone acknowledged are not deleted")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// sample sums up what went wrong, and what the machine was like.
func (x *exchange) sample(streams ...*stream) (*sample, error) {
	s := &sample{duplicated: x.ledger.twice, lost: x.ledger.foreign + x.ledger.gone}
	for _, st := range streams {
		if have := st.has.Load(); have < st.end {
			s.lost += int(st.end - have)
		}
		s.duplicated += int(st.twice.Load())
	}
	s.lost += len(x.talks)*x.each - int(x.answers.Load())
	took := x.after.at.Sub(x.before.at)
	s.driver = (x.after.driver - x.before.driver).Seconds() / took.Seconds()
	s.ambient = ambient(x.before, x.after)
	var err error
	s.sync, err = syncTime(x.w.launch.data)
	return s, err
}

// advance notes that the talks' logs are longer now.
func (x *exchange) advance() {
	for _, k := range x.talks {
		k.end += uint64(x.each)
	}
}

// deliveries is how many there are in all: every letter, to everyone but its
// sender.
func (x *exchange) deliveries() float64 {
	n := 0
	for _, k := range x.talks {
		n += x.each * len(k.to)
	}
	return float64(n)
}

// took is how long they took.
func (x *exchange) took() time.Duration { return x.after.at.Sub(x.before.at) }
