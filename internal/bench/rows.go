//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// oneToOne is everyone in pairs, one writing to the other as fast as answers
// come.
func (w *world) oneToOne(ctx context.Context, s size, name string) (*sample, error) {
	x, err := w.newExchange(w.pairs, s.messages/len(w.pairs), s.flight)
	if err != nil {
		return nil, err
	}
	return x.push(ctx, name)
}

// fanOut is one person writing to a room of many.
func (w *world) fanOut(ctx context.Context, s size, name string) (*sample, error) {
	x, err := w.newExchange([]*talk{w.crowd}, s.news, s.flight)
	if err != nil {
		return nil, err
	}
	return x.push(ctx, name)
}

// push runs an exchange in which everyone is on.
func (x *exchange) push(ctx context.Context, name string) (*sample, error) {
	defer x.close()
	if err := x.connect(ctx, true); err != nil {
		return nil, err
	}
	if err := x.closedLoop(ctx); err != nil {
		return nil, err
	}
	out, err := x.sample(slices.Concat(x.senders, x.others)...)
	if err != nil {
		return nil, err
	}
	out.add(name, "delivered/s", x.deliveries()/x.took().Seconds())
	out.add("CPU, "+name, "s/100,000", x.cpu.Seconds()/x.deliveries()*100_000)
	out.add("reads and writes, "+name, "calls each", float64(x.calls)/x.deliveries())
	x.advance()
	return out, x.readFirst()
}

// readFirst decrypts what the first talk said: what the server carried can be
// read by those who were meant to.
func (x *exchange) readFirst() error {
	k := x.talks[0]
	for i, p := range x.posts[0] {
		if err := k.read(i, p.letter); err != nil {
			return err
		}
	}
	k.reader.Drain()
	return nil
}

// slowDisk is oneToOne with a millisecond more for every sync.
func (w *world) slowDisk(ctx context.Context, s size) (*sample, error) {
	if err := w.restart(ctx, func(l *launch) { l.slowDisk = true }); err != nil {
		return nil, err
	}
	out, err := w.oneToOne(ctx, s, "1 to 1, +1 ms a sync")
	if err != nil {
		return nil, err
	}
	out.figures = out.figures[:1] // what a traced process uses says nothing
	return out, w.restart(ctx, nil)
}

// steadyRate is how many letters a second are no strain.
const steadyRate = 1000

// steady is how long a letter takes at a rate that is no strain: from the call
// that sends it to the other device having it.
func (w *world) steady(ctx context.Context, s size) (*sample, error) {
	// The sender sleeps in the kernel: it needs a place of its own, so that the
	// others go on.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	x, err := w.newExchange(w.pairs, max(1, s.seconds*steadyRate/len(w.pairs)), 0)
	if err != nil {
		return nil, err
	}
	defer x.close()
	if err := x.connect(ctx, true); err != nil {
		return nil, err
	}
	took := make([][]time.Duration, len(x.others))
	for i, o := range x.others {
		o.received = func(p *posted, now time.Time) {
			took[i] = append(took[i], time.Duration(now.UnixNano()-p.sent.Load()))
		}
	}
	if err := x.openLoop(ctx, steadyRate); err != nil {
		return nil, err
	}
	out, err := x.sample(slices.Concat(x.senders, x.others)...)
	if err != nil {
		return nil, err
	}
	x.close() // the readers are done with took
	all := slices.Concat(took...)
	slices.Sort(all)
	out.add("1,000/s, p50", "ms", milliseconds(quantile(all, 0.50)))
	out.add("1,000/s, p99", "ms", milliseconds(quantile(all, 0.99)))
	x.advance()
	return out, x.readFirst()
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// off has the receivers away while letters are stored, and then come back to
// read them all.
func (w *world) off(ctx context.Context, s size) (*sample, error) {
	x, err := w.newExchange(w.pairs, s.off/len(w.pairs), s.flight)
	if err != nil {
		return nil, err
	}
	defer x.close()
	if err := x.connect(ctx, false); err != nil {
		return nil, err
	}
	if err := x.closedLoop(ctx); err != nil {
		return nil, err
	}
	stored, err := x.sample(x.senders...)
	if err != nil {
		return nil, err
	}
	stored.add("stored for who is off", "stored/s", float64(len(x.talks)*x.each)/x.took().Seconds())
	storing := x.cpu.Seconds() / float64(len(x.talks)*x.each) * 100_000
	if err := x.drain(ctx); err != nil {
		return nil, err
	}
	drained, err := x.sample(x.others...)
	if err != nil {
		return nil, err
	}
	stored.add("drained after", "delivered/s", x.deliveries()/x.took().Seconds())
	stored.add("CPU, storing", "s/100,000", storing)
	stored.add("CPU, draining", "s/100,000", x.cpu.Seconds()/x.deliveries()*100_000)
	stored.lost += drained.lost
	stored.duplicated += drained.duplicated
	stored.driver = max(stored.driver, drained.driver)
	stored.ambient = max(stored.ambient, drained.ambient)
	x.advance()
	return stored, x.readFirst()
}

// drain brings the receivers back, who read and acknowledge all they missed.
func (x *exchange) drain(ctx context.Context) error {
	for _, k := range x.talks {
		for _, d := range k.to {
			s, err := x.connectOne(ctx, d, k)
			if err != nil {
				return err
			}
			s.known = s.end
			x.others = append(x.others, s)
		}
	}
	if err := x.begin(); err != nil {
		return err
	}
	for _, s := range x.others {
		if err := s.proceed(); err != nil {
			return err
		}
		s.start()
	}
	return x.finish(ctx)
}

// left counts the bodies on the disk that everyone has acknowledged, and as the
// control those that nobody has yet.
func (w *world) left(ctx context.Context, s size) (*sample, error) {
	x, err := w.newExchange(w.pairs, max(1, s.off/len(w.pairs)/10), s.flight)
	if err != nil {
		return nil, err
	}
	defer x.close()
	if err := x.connect(ctx, false); err != nil {
		return nil, err
	}
	if err := x.closedLoop(ctx); err != nil {
		return nil, err
	}
	before, err := w.bodies()
	if err != nil {
		return nil, err
	}
	if stored := len(x.talks) * x.each; before < stored {
		return nil, fmt.Errorf("of %d stored bodies only %d are found: the count is no good", stored, before)
	}
	if err := x.drain(ctx); err != nil {
		return nil, err
	}
	out, err := x.sample(slices.Concat(x.senders, x.others)...)
	if err != nil {
		return nil, err
	}
	x.advance()
	after, err := w.checkpointed(ctx)
	if err != nil {
		return nil, err
	}
	out.add("acknowledged bodies left on disk", "bodies", float64(after))
	return out, x.readFirst()
}

// checkpointed waits for the server's own checkpoint, and counts what bodies are
// left after it.
func (w *world) checkpointed(ctx context.Context) (n int, err error) {
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); {
		if n, err = w.bodies(); err != nil || n == 0 {
			return n, err
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return n, nil
}

func (w *world) bodies() (n int, err error) {
	files, err := filepath.Glob(w.file("sconce.db*")) // with its log and its tape
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		in, err := countIn(file, marker)
		if err != nil {
			return 0, err
		}
		n += in
	}
	return n, nil
}

// check says what is wrong with a sample that no server may give.
func (s *sample) check() error {
	if s.lost != 0 || s.duplicated != 0 {
		return fmt.Errorf("%d lost and %d twice", s.lost, s.duplicated)
	}
	return nil
}
