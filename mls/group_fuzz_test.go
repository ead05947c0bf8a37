package mls

import (
	"bytes"
	"testing"
	"time"
)

// fuzzRoom is a room in a state of some interest, with messages that fit it.
func fuzzRoom(t testing.TB, kind uint8) (*room, [][]byte) {
	r := newRoom(t, X25519AES128, 5, Config{StrictPending: kind&1 != 0})
	var seeds [][]byte
	keep := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, b)
		return b
	}
	commit := func(o CommitOptions) {
		st, err := r.clients[1].Commit(o, now)
		if err != nil {
			t.Fatal(err)
		}
		keep(st.Message(), nil)
	}
	keep(r.clients[1].Encrypt([]byte("aad"), []byte("hello")))
	commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}, &Remove{Removed: 3},
		&AppDataUpdate{Component: testComponent, Update: []byte("x")}}})
	commit(CommitOptions{Proposals: []Proposal{&ReInit{Version: 1, CipherSuite: r.suite}}})
	keep(r.joining(ExternalOptions{}, func(*framedContent, *Secret) {}), nil)
	if kind&2 != 0 { // proposals are pending
		r.propose(keep(r.clients[2].Propose(&SelfRemove{}, nil)), nil)
		r.propose(keep(r.clients[3].Propose(&Update{}, nil)), nil)
		r.propose(keep(r.externalProposal(&Remove{Removed: 4})), nil)
		commit(CommitOptions{})
	}
	return r, seeds
}

// FuzzProcess has a member and a server process what may be anything. The
// first octet names the state they are in; with its high bit the message is
// signed and tagged again by a member, so that changes reach what lies behind
// the signature.
func FuzzProcess(f *testing.F) {
	rooms := map[uint8]*room{}
	for kind := range uint8(4) {
		r, seeds := fuzzRoom(f, kind)
		rooms[kind] = r
		for _, b := range seeds {
			f.Add(append([]byte{kind}, b...))
			f.Add(append([]byte{kind | 0x80}, b...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		r := rooms[b[0]&3]
		m, err := ParseMessage(b[1:])
		if err != nil {
			return
		}
		if b[0]&0x80 != 0 {
			m = resign(r, m)
		}
		for _, judge := range []interface {
			Process(*Message, time.Time) (Event, error)
			Context() *GroupContext
			Pending() []ProposalView
		}{r.server, r.clients[0].Group} {
			before, pending := marshal(judge.Context()), len(judge.Pending())
			e, err := judge.Process(m, now)
			if !bytes.Equal(before, marshal(judge.Context())) {
				t.Fatal("processing changes the epoch")
			}
			if err != nil && (e != nil || len(judge.Pending()) != pending) {
				t.Fatal("a refused message has an effect")
			}
			if _, ok := e.(*StagedCommit); ok && err == nil {
				e.(*StagedCommit).View()
			}
		}
		r.server.pending, r.clients[0].public.pending = keepFirst(r.server.pending), keepFirst(r.clients[0].public.pending)
	})
}

// keepFirst forgets what fuzzing added to the pending proposals, so that runs
// are alike.
func keepFirst(s pendingSet) pendingSet {
	var out pendingSet
	for _, p := range s.order[:min(3, len(s.order))] {
		_ = out.add(p)
	}
	return out
}

// resign gives a public message of a member a signature and tag that verify.
func resign(r *room, m *Message) *Message {
	if m.public == nil {
		return m
	}
	ac := m.public.authenticated()
	c := r.clients[1]
	if ac.content.sender.Type != SenderMember {
		return m
	}
	ac.content.sender.Index, ac.content.encoded = uint32(c.Own()), nil
	if err := ac.sign(r.server.s, c.Group.signer, r.server.encoded); err != nil {
		return m
	}
	return &Message{Format: FormatPublicMessage, public: protectPublic(r.server.s, ac, c.epoch.membership, r.server.encoded)}
}

// FuzzLoad reads stores that are damaged.
func FuzzLoad(f *testing.F) {
	r, _ := fuzzRoom(f, 3)
	c := r.clients[0]
	c.disk.save(c.Drain())
	for k, v := range c.disk {
		f.Add([]byte(k), v)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		damaged := store{}
		for k, v := range c.disk {
			damaged[k] = v
		}
		damaged[string(key)] = value
		g, err := Load(c.cfg, damaged.records())
		if err != nil {
			return
		}
		_, _ = g.Encrypt(nil, []byte("x"))
	})
}

// FuzzParseStaged reads damaged records of staged commits, and the other
// records that a caller hands in.
func FuzzParseStaged(f *testing.F) {
	r, _ := fuzzRoom(f, 0)
	st, err := r.clients[1].Commit(CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}}}, now)
	if err != nil {
		f.Fatal(err)
	}
	gi, err := r.clients[0].GroupInfo(true)
	if err != nil {
		f.Fatal(err)
	}
	join, err := JoinExternal(r.cfg, gi, nil, newSigner(f, r.suite, "x"), ExternalOptions{}, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(st.Bytes()))
	f.Add([]byte(join.Bytes()))
	f.Add([]byte(r.newClient().secrets.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = r.clients[1].ParseStaged(b)
		_, _ = ParseStagedJoin(r.cfg, b)
		if k, err := ParseKeyPackageSecrets(b); err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Error("key package secrets do not read back")
		}
	})
}
