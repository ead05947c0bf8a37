//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"time"

	"sconce/mls"
)

// member is a device in a group of the mls rows: no server has to do with them.
type member struct {
	signer  mls.Signer
	kp      *mls.KeyPackage
	secrets *mls.KeyPackageSecrets
	group   *mls.Group
}

func newMember(suite mls.CipherSuite, name string) (*member, error) {
	private, public, err := suite.GenerateSignatureKey()
	if err != nil {
		return nil, err
	}
	m := &member{signer: mls.Signer{
		Credential: mls.Credential{Type: mls.CredentialBasic, Identity: []byte(name)}, Public: public, Private: private,
	}}
	m.kp, m.secrets, err = mls.NewKeyPackage(suite, m.signer, mls.KeyPackageOptions{Lifetime: mls.Lifetime{NotAfter: 1<<64 - 1}})
	return m, err
}

// groupRun measures what a group of n costs one of its members.
type groupRun struct {
	suite   mls.CipherSuite
	n       int
	out     *sample
	first   *member
	others  []*member
	adds    []mls.Proposal
	welcome *mls.StagedCommit // adds all others
	last    *member           // who joined to fill the tree, and follows the first
}

// groups is a row of the mls table.
func groups(_ context.Context, suite mls.CipherSuite, n int) (*sample, error) {
	r := &groupRun{suite: suite, n: n, out: &sample{}}
	before, err := measureLoad(0)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		r.make, r.bulkAdd, r.join, r.unmerged, r.fill, r.filled, r.talk,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("suite %#04x, %d members: %w", uint16(suite), n, err)
		}
	}
	after, err := measureLoad(0)
	r.out.ambient = ambient(before, after)
	return r.out, err
}

func (r *groupRun) name(what string) string {
	return fmt.Sprintf("%#04x, %s: %s", uint16(r.suite), thousands(int64(r.n)), what)
}

// leastTime is how much CPU time goes into a figure at least, and leastTimes how
// many runs.
const (
	leastTime  = 300 * time.Millisecond
	leastTimes = 3
)

// cost gives the CPU time of fn, which is run as often as it takes. It counts
// the garbage collector's, too, and no time in which others had the core.
func cost(fn func() error) (time.Duration, error) {
	var n int
	begin := ownTime()
	for n < leastTimes || ownTime()-begin < leastTime {
		if err := fn(); err != nil {
			return 0, err
		}
		n++
	}
	return (ownTime() - begin) / time.Duration(n), nil
}

func (r *groupRun) milliseconds(what string, fn func() error) error {
	d, err := cost(fn)
	r.out.add(r.name(what), "ms", milliseconds(d))
	return err
}

func (r *groupRun) kilobytes(what string, bytes int) {
	r.out.add(r.name(what), "KB", float64(bytes)/1000)
}

func (r *groupRun) make() (err error) {
	for i := range r.n {
		m, err := newMember(r.suite, fmt.Sprint(i))
		if err != nil {
			return err
		}
		if i == 0 {
			r.first = m
			continue
		}
		r.others = append(r.others, m)
		r.adds = append(r.adds, &mls.Add{KeyPackage: m.kp})
	}
	r.first.group, err = mls.Create(mls.Config{}, []byte("bench"), r.suite, r.first.signer, mls.DefaultCapabilities(), nil)
	return err
}

func (r *groupRun) bulkAdd() error {
	err := r.milliseconds("bulk add", func() (err error) {
		r.welcome, err = r.first.group.Commit(mls.CommitOptions{Proposals: r.adds}, time.Now())
		return err
	})
	if err != nil {
		return err
	}
	r.kilobytes("bulk add, size", len(r.welcome.Message()))
	r.kilobytes("ratchet tree, size", len(r.welcome.Tree()))
	return r.first.group.Merge(r.welcome)
}

// enter joins the group by the bulk add.
func (r *groupRun) enter(m *member) (*mls.Group, error) {
	ref, err := m.kp.Ref()
	if err != nil {
		return nil, err
	}
	welcome, err := mls.ParseMessage(r.welcome.WelcomeFor(ref))
	if err != nil {
		return nil, err
	}
	return mls.Join(mls.Config{}, welcome, m.kp, m.secrets, r.welcome.Tree(), time.Now())
}

func (r *groupRun) join() error {
	last := r.others[len(r.others)-1]
	return r.milliseconds("join", func() error {
		_, err := r.enter(last)
		return err
	})
}

// unmerged is the worst commit there is: every other leaf stands by itself, so
// the path is encrypted to each.
func (r *groupRun) unmerged() error { return r.commit("commit, unmerged") }

func (r *groupRun) commit(what string) error {
	var st *mls.StagedCommit
	err := r.milliseconds(what, func() (err error) {
		st, err = r.first.group.Commit(mls.CommitOptions{}, time.Now())
		return err
	})
	if err == nil {
		r.kilobytes(what+", size", len(st.Message()))
	}
	return err
}

// fill brings the tree to where it is once its members have committed. It takes
// one of each subtree beside the first leaf's path: a commit sets every node
// above its leaf, and so the one that the first leaf encrypts to. The largest
// subtree comes first, so that the commits after it are half as long each time,
// and a member's group is there for its own commit alone, but for the first and
// the last leaf's.
func (r *groupRun) fill() error {
	var commits [][]byte
	for level := bits.Len(uint(r.n-1)) - 1; level >= 0; level-- {
		m := r.others[1<<level-1] // leaf 2^level
		var err error
		if m.group, err = r.enter(m); err != nil {
			return err
		}
		for _, c := range commits {
			if err := m.follow(c); err != nil {
				return err
			}
		}
		st, err := m.group.Commit(mls.CommitOptions{}, time.Now())
		if err != nil {
			return err
		}
		if err := r.first.follow(st.Message()); err != nil {
			return err
		}
		if r.last == nil {
			r.last, err = m, m.group.Merge(st)
		} else {
			m.group, err = nil, r.last.follow(st.Message())
		}
		if err != nil {
			return err
		}
		commits = append(commits, st.Message())
	}
	return nil
}

// follow merges another's commit.
func (m *member) follow(commit []byte) error {
	e, err := m.process(commit)
	if err != nil {
		return err
	}
	return m.group.Merge(e.(*mls.StagedCommit))
}

func (m *member) process(message []byte) (mls.Event, error) {
	parsed, err := mls.ParseMessage(message)
	if err != nil {
		return nil, err
	}
	return m.group.Process(parsed, time.Now())
}

func (r *groupRun) filled() error {
	if err := r.commit("commit, filled"); err != nil {
		return err
	}
	st, err := r.first.group.Commit(mls.CommitOptions{}, time.Now())
	if err != nil {
		return err
	}
	return r.milliseconds("process, filled", func() error {
		_, err := r.last.process(st.Message())
		return err
	})
}

// talk is messages of 256 bytes.
func (r *groupRun) talk() error {
	text := make([]byte, 256)
	var messages [][]byte
	d, err := cost(func() error {
		m, err := r.first.group.Encrypt(nil, text)
		messages = append(messages, m)
		return err
	})
	if err != nil {
		return err
	}
	r.out.add(r.name("encrypt 256 B"), "µs", float64(d.Nanoseconds())/1000)
	begin := ownTime()
	for _, m := range messages {
		if _, err := r.last.process(m); err != nil {
			return err
		}
	}
	took := (ownTime() - begin) / time.Duration(len(messages))
	r.out.add(r.name("decrypt 256 B"), "µs", float64(took.Nanoseconds())/1000)
	r.kilobytes("256 B, size", len(messages[0]))
	return r.afterMessage()
}

// afterMessage is what a message leaves to be saved, and what it takes of the
// allocator: of both sides' work, without reading the message's frame.
func (r *groupRun) afterMessage() error {
	const times = 100
	var parsed []*mls.Message
	r.first.group.Drain()
	encrypt, err := allocations(times, func(int) error {
		b, err := r.first.group.Encrypt(nil, make([]byte, 256))
		if err != nil {
			return err
		}
		m, err := mls.ParseMessage(b)
		parsed = append(parsed, m)
		return err
	})
	if err != nil {
		return err
	}
	var saved int
	for _, rec := range r.first.group.Drain() {
		saved += len(rec.Key) + len(rec.Value)
	}
	r.kilobytes("saved after messages, size", saved)
	decrypt, err := allocations(times, func(i int) error {
		_, err := r.last.group.Process(parsed[i], time.Now())
		return err
	})
	// Three of the sender's are this loop's own: the text, and the message read.
	r.out.add(r.name("encrypt, allocations"), "", encrypt-3)
	r.out.add(r.name("decrypt, allocations"), "", decrypt)
	return err
}

// allocations counts what one of many calls takes of the allocator.
func allocations(times int, fn func(i int) error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		if err := fn(i); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.Mallocs-before.Mallocs) / float64(times)), nil
}
