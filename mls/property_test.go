package mls

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMembersAgreeWhateverHappens plays random histories. Between steps any
// member may start again from what it has stored.
func TestMembersAgreeWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// Two of three histories are of the fastest suite, so that there can be many.
		suite := rapid.SampledFrom(append(slices.Repeat([]CipherSuite{X25519AES128}, 2*len(Suites())), Suites()...)).Draw(rt, "suite")
		h := &history{rt: rt, room: newRoom(t, suite, 3, Config{StrictPending: true})}
		for _, c := range h.clients {
			c.disk.save(c.Drain())
		}
		h.server.Drain()
		for range rapid.IntRange(3, 12).Draw(rt, "steps") {
			h.step()
			h.restart()
		}
	})
}

type history struct {
	*room
	rt      *rapid.T
	leaving [][]byte // the epoch's SelfRemoves
}

func (h *history) pick(label string) *client {
	return rapid.SampledFrom(h.clients).Draw(h.rt, label)
}

func (h *history) step() {
	switch rapid.SampledFrom([]string{"add", "add", "remove", "update", "commit", "leave", "expel", "enter", "resync", "data", "rotate"}).Draw(h.rt, "step") {
	case "add":
		if by := h.committer(); by != nil && len(h.clients) < 20 {
			h.settle(by)
			h.add(h.clients[0], rapid.IntRange(1, 4).Draw(h.rt, "added"))
		}
	case "remove":
		by, victim := h.committer(), h.pick("victim")
		if by != nil && by != victim {
			h.commitBy(by, CommitOptions{Proposals: []Proposal{&Remove{Removed: victim.Own()}}})
		}
	case "update":
		h.propose(h.pick("updater").Propose(&Update{}, nil))
	case "commit":
		h.settle(h.committer())
	case "leave":
		if len(h.clients) > 1 { // the last member cannot be removed
			h.leave(h.pick("leaver"))
		}
	case "expel":
		if len(h.clients) == 1 {
			return
		}
		h.propose(h.externalProposal(&Remove{Removed: h.pick("expelled").Own()}))
	case "enter":
		h.enterAs(h.newClient(), nil)
	case "resync":
		old := h.pick("old device")
		leaf := old.Own()
		h.enterAs(&client{signer: Signer{Credential: old.signer.Credential, Public: old.Member(leaf).SignatureKey, Private: bytes.Clone(old.Group.signer)},
			cfg: h.cfg, disk: store{}}, &leaf)
	case "data":
		if by := h.committer(); by != nil {
			h.commitBy(by, CommitOptions{Proposals: []Proposal{&AppDataUpdate{Component: testComponent, Update: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(h.rt, "data")}}})
		}
	case "rotate":
		if by := h.committer(); by != nil {
			signer := newSigner(h.t, h.suite, "renewed")
			h.commitBy(by, CommitOptions{Signer: &signer})
		}
	}
	h.agree()
}

// committer picks one who may commit: whose removal is not pending.
func (h *history) committer() *client {
	var may []*client
	for _, c := range h.clients {
		free := true
		for _, v := range h.server.Pending() {
			if leaf, ok := v.changedLeaf(); ok && leaf == c.Own() && v.Proposal.Type() != ProposalUpdate {
				free = false
			}
		}
		if free {
			may = append(may, c)
		}
	}
	if len(may) == 0 {
		return nil
	}
	return rapid.SampledFrom(may).Draw(h.rt, "committer")
}

// settle commits what is pending.
func (h *history) settle(by *client) {
	if by != nil {
		h.commitBy(by, CommitOptions{})
	}
}

func (h *history) commitBy(by *client, o CommitOptions) {
	h.commit(by, o)
	h.leaving = nil
}

func (h *history) leave(c *client) {
	for _, v := range h.server.Pending() {
		if v.Proposal.Type() == ProposalSelfRemove && v.Sender.leaf() == c.Own() {
			return
		}
	}
	message, err := c.Propose(&SelfRemove{}, nil)
	h.propose(message, err)
	h.leaving = append(h.leaving, message)
}

func (h *history) enterAs(c *client, resync *LeafIndex) {
	h.enter(c, ExternalOptions{Resync: resync, Pending: h.leaving})
	h.leaving = nil
}

// restart has some start again, the server perhaps too.
func (h *history) restart() {
	for _, c := range h.clients {
		c.disk.save(c.Drain())
		if !rapid.Bool().Draw(h.rt, "restarts") {
			continue
		}
		g, err := Load(c.cfg, c.disk.records())
		if err != nil {
			h.rt.Fatalf("leaf %d: %v", c.Own(), err)
		}
		c.Group = g
	}
	h.agree()
}

func TestFollowerStartsAgainFromItsRecords(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{StrictPending: true})
	disk := store{}
	for range 3 {
		r.propose(r.clients[1].Propose(&Update{}, nil))
		r.propose(r.clients[2].Propose(&SelfRemove{}, nil))
		disk.save(r.server.Drain())
		again, err := LoadPublicGroup(r.cfg, disk.records())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(again.Pending()), 2; got != want {
			t.Fatalf("%d proposals are pending, want %d", got, want)
		}
		r.server = again
		r.commit(r.clients[0], CommitOptions{})
		r.agree()
		r.add(r.clients[0], 1)
	}
	disk.save(r.server.Drain())
	for k := range disk {
		if k[0] == keyProposal {
			t.Error("a committed proposal is still stored")
		}
	}
}
