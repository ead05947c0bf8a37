package mls

import (
	"errors"
	"testing"
	"time"
)

// late has leaf 1 encrypt one message in each of n epochs, at minute steps.
func late(t *testing.T, r *room, n int) (messages [][]byte) {
	t.Helper()
	for i := range n {
		m, err := r.clients[1].Encrypt(nil, []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
		at := now.Add(time.Duration(i) * time.Minute)
		st, err := r.clients[0].Commit(CommitOptions{}, at)
		if err != nil {
			t.Fatal(err)
		}
		r.serve(st)
		for _, c := range r.clients[1:] {
			e, err := c.Process(mustParse(t, st.Message()), at)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Merge(e.(*StagedCommit)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.clients[0].Merge(st); err != nil {
			t.Fatal(err)
		}
	}
	return messages
}

func restart(t *testing.T, c *client) {
	t.Helper()
	c.disk.save(c.Drain())
	g, err := Load(c.cfg, c.disk.records())
	if err != nil {
		t.Fatal(err)
	}
	c.Group = g
}

func TestMessagesOfPastEpochsAreReadOnce(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 2})
	reader := r.clients[2]
	messages := late(t, r, 3)
	read := func(i int) (Event, error) {
		restart(t, reader)
		return reader.Process(mustParse(t, messages[i]), now)
	}
	if _, err := read(0); err == nil {
		t.Error("an epoch that is not kept any more is read")
	}
	for _, i := range []int{2, 1} {
		e, err := read(i)
		if err != nil {
			t.Fatalf("message of epoch %d: %v", i, err)
		}
		m := e.(*ApplicationMessage)
		if m.Data[0] != byte(i) || m.Sender != 1 || !m.Credential.equal(r.clients[1].signer.Credential) || m.Epoch != uint64(i+1) {
			t.Errorf("read %+v", m)
		}
		if _, err := read(i); !errors.Is(err, errGenerationUsed) {
			t.Errorf("the same message again: %v", err)
		}
	}
	if _, err := r.clients[1].Process(mustParse(t, messages[2]), now); !errors.Is(err, ErrOwnMessage) {
		t.Errorf("own message of a past epoch: %v", err)
	}
}

func TestPastEpochsAreForgottenInTime(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5, PastEpochAge: 2 * time.Minute})
	reader := r.clients[2]
	messages := late(t, r, 3) // the epochs ended at minutes 0, 1 and 2
	at := func(i int, minutes float64) error {
		_, err := reader.Process(mustParse(t, messages[i]), now.Add(time.Duration(minutes*float64(time.Minute))))
		return err
	}
	if err := at(0, 2); err != nil {
		t.Errorf("an epoch that is just young enough: %v", err)
	}
	if err := at(1, 3.5); err == nil {
		t.Error("an epoch that ended 2.5 minutes ago is read")
	}
	if err := at(2, 3.5); err != nil {
		t.Errorf("an epoch that ended 1.5 minutes ago: %v", err)
	}
	reader.disk.save(reader.Drain())
	stored := 0
	for k := range reader.disk {
		if k[0] == keyPast {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("%d past epochs are stored, want 1", stored)
	}
}

func TestNoPastEpochIsKeptUnlessAsked(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	messages := late(t, r, 1)
	_, err := r.clients[2].Process(mustParse(t, messages[0]), now)
	if _, ok := errors.AsType[*EpochError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestRemovalForgetsPastEpochs(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 2})
	late(t, r, 2)
	gone := r.clients[2]
	gone.disk.save(gone.Drain())
	kept := gone.past
	r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: gone.Own()}}})
	gone.disk.save(gone.Drain())
	for k := range gone.disk {
		if k[0] == keyPast || k[0] == keyPastMessages || k[0] == keyExporter || k[0] == keyMessages {
			t.Errorf("a record %q is still stored", k[:1])
		}
	}
	for _, p := range kept {
		if !p.senderData.Equal(make(Secret, len(p.senderData))) || len(p.messages.frontier)+len(p.messages.ratchets) > 0 {
			t.Error("a past epoch's secrets are still there")
		}
	}
}

func TestHandshakesOfPastEpochsAreRefused(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 2})
	old, err := r.clients[1].Propose(&Update{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	late(t, r, 1)
	_, err = r.clients[2].Process(mustParse(t, old), now)
	if _, ok := errors.AsType[*EpochError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// TestPastEpochWithoutATimeIsForgottenToo: a commit that a restarted device
// merges has no time, so its epoch counts as over when the next time is known.
func TestPastEpochWithoutATimeIsForgottenToo(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5, PastEpochAge: time.Minute})
	by := r.clients[0]
	message, err := r.clients[1].Encrypt(nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := by.Commit(CommitOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	record := st.Bytes()
	restart(t, by)
	again, err := by.ParseStaged(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := by.Merge(again); err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) error {
		restart(t, by)
		_, err := by.Process(mustParse(t, message), now.Add(time.Duration(minutes)*time.Minute))
		return err
	}
	_ = at(10) // reads the message; the epoch is over since minute 10 at the latest
	if n := len(by.past); n == 0 {
		t.Fatal("the epoch was not kept")
	}
	if err := at(12); err == nil || len(by.past) != 0 {
		t.Errorf("two minutes later %d epochs are kept, and the message gives %v", len(by.past), err)
	}
}
