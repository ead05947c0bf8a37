package mls

import (
	"bytes"
	"testing"
)

// holds reports whether any stored value contains the secret.
func (s store) holds(secret []byte) bool {
	for _, v := range s {
		if bytes.Contains(v, secret) {
			return true
		}
	}
	return false
}

// secretsOf copies what the client's epoch rests on, by name.
func secretsOf(c *client) map[string][]byte {
	out := map[string][]byte{
		"sender data":   bytes.Clone(c.epoch.senderData),
		"exporter":      bytes.Clone(c.epoch.exporter),
		"external":      bytes.Clone(c.epoch.external),
		"confirmation":  bytes.Clone(c.epoch.confirmation),
		"membership":    bytes.Clone(c.epoch.membership),
		"authenticator": bytes.Clone(c.epoch.authenticator),
		"init":          bytes.Clone(c.epoch.init),
		"leaf key":      bytes.Clone(c.member.secrets.leaf),
	}
	for _, secret := range c.messages.frontier {
		out["message tree"] = bytes.Clone(secret)
	}
	for _, r := range c.messages.ratchets {
		out["message ratchet"] = bytes.Clone(r.secret)
	}
	return out
}

func TestStoreHoldsNothingOfAnOldEpoch(t *testing.T) {
	r := newRoom(t, MLKEM768P256AES256, 4, Config{})
	r.agree() // so that ratchets are running
	c := r.clients[1]
	c.disk.save(c.Drain())
	old := secretsOf(c)
	for name, secret := range old {
		if !c.disk.holds(secret) {
			t.Errorf("%s is not stored at all", name) // or the check below means nothing
		}
	}
	resumption := bytes.Clone(c.epoch.resumption)
	r.commit(c, CommitOptions{})
	c.disk.save(c.Drain())
	for name, secret := range old {
		if c.disk.holds(secret) {
			t.Errorf("%s of the old epoch is still stored", name)
		}
	}
	for i := range 3 {
		if kept := i < keptResumptions; c.disk.holds(resumption) != kept {
			t.Errorf("%d epochs later the resumption PSK is kept: %t", i+1, !kept)
		}
		r.commit(r.clients[0], CommitOptions{})
		c.disk.save(c.Drain())
	}
}

func TestStoreOfARemovedMemberHoldsNoSecret(t *testing.T) {
	r := newRoom(t, X25519AES128, 4, Config{})
	c := r.clients[2]
	r.propose(c.Propose(&Update{}, nil)) // one more key to erase
	c.disk.save(c.Drain())
	old := secretsOf(c)
	old["resumption"] = bytes.Clone(c.epoch.resumption)
	old["signature key"] = bytes.Clone(c.Group.signer)
	for _, private := range c.updates {
		old["update"] = bytes.Clone(private)
	}
	r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: c.Own()}}})
	c.disk.save(c.Drain())
	for name, secret := range old {
		if c.disk.holds(secret) {
			t.Errorf("%s is still stored", name)
		}
	}
	again, err := Load(c.cfg, c.disk.records())
	if err != nil || !again.Removed() {
		t.Fatalf("loading: %v", err)
	}
	if _, err := again.Commit(CommitOptions{}, now); err == nil {
		t.Error("a removed member commits")
	}
	if _, err := again.Export("x", nil, 16); err == nil {
		t.Error("a removed member exports")
	}
}

func TestMessageOfAnOldEpochIsRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	m, err := r.clients[0].Encrypt(nil, []byte("late"))
	if err != nil {
		t.Fatal(err)
	}
	r.commit(r.clients[1], CommitOptions{})
	if _, err := r.clients[2].Process(mustParse(t, m), now); err == nil {
		t.Error("a message of the last epoch is read")
	}
	if err := r.server.CheckApplication(mustParse(t, m)); err == nil {
		t.Error("the server takes a message of the last epoch")
	}
}

func TestMessageIsReadOnce(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	m, err := r.clients[0].Encrypt(nil, []byte("once"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.clients[1].Process(mustParse(t, m), now); err != nil {
		t.Fatal(err)
	}
	if _, err := r.clients[1].Process(mustParse(t, m), now); err == nil {
		t.Error("a message is read twice")
	}
}

func TestWorkspaceIsErasedWhenItIsGivenBack(t *testing.T) {
	w := new(workspace) // not the pool's, which another test may take
	fill := func(b []byte) []byte {
		for i := range b {
			b[i] = 1
		}
		return b
	}
	w.content, w.message, w.aad = fill(make([]byte, 40)), fill(make([]byte, 40)), fill(make([]byte, 40))
	fill(w.key[:])
	fill(w.nonce[:])
	fill(w.plaintext[:])
	w.pieces[0], w.joined[0] = w.content, w.message
	parts := [][]byte{w.content, w.message, w.aad, w.key[:], w.nonce[:], w.plaintext[:]}
	w.release()
	for i, b := range parts {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("part %d is not erased", i)
		}
	}
	if w.pieces[0] != nil || w.joined[0] != nil {
		t.Error("it still leads to what passed through")
	}
}
