package mls

import (
	"errors"
	"slices"
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
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5, PastEpochAge: 2*time.Minute + time.Second})
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

// TestForgetPastErasesWithoutAMessage: a device to which nothing comes erases
// what is too old at the time that ForgetPast named.
func TestForgetPastErasesWithoutAMessage(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5, PastEpochAge: 10 * time.Minute})
	reader := r.clients[2]
	messages := late(t, r, 3) // the epochs ended at minutes 0, 1 and 2
	reader.disk.save(reader.Drain())
	for i := range 3 {
		if i == 1 {
			restart(t, reader) // the stored state knows the times, too
		}
		due := reader.ForgetPast(now.Add(time.Duration(i) * time.Second))
		if want := now.Add(time.Duration(i)*time.Minute + 10*time.Minute); !due.Equal(want) {
			t.Fatalf("the next epoch is to be forgotten at %v, want %v", due, want)
		}
		reader.ForgetPast(due.Add(-time.Nanosecond))
		first := reader.past[0]
		erased, number := secretsIn(first), first.key(keyPast)
		if len(reader.past) != 3-i || len(erased) < 2 {
			t.Fatalf("%d past epochs with %d secrets in the first of them, before any is due", len(reader.past), len(erased))
		}
		values := map[string][]byte{}
		for _, f := range erased {
			values[f.path] = slices.Clone(f.secret)
			if !reader.disk.holds(f.secret) {
				t.Errorf("%s is not stored at all", f.path) // or the check below means nothing
			}
		}

		reader.ForgetPast(due)
		reader.disk.save(reader.Drain())

		for _, f := range erased {
			if !f.erased() {
				t.Errorf("%s of epoch %x is still in memory", f.path, number[1:])
			}
			if reader.disk.holds(values[f.path]) {
				t.Errorf("%s of epoch %x is still stored", f.path, number[1:])
			}
		}
		if _, err := reader.Process(mustParse(t, messages[i]), due); err == nil {
			t.Errorf("a message of epoch %x is read", number[1:])
		}
	}
	if due := reader.ForgetPast(now.Add(time.Hour)); !due.IsZero() {
		t.Errorf("nothing is kept, and something is due at %v", due)
	}
	for k := range reader.disk {
		if k[0] == keyPast || k[0] == keyPastMessages {
			t.Errorf("a record %x is still stored", k)
		}
	}
}

// TestPastEpochsAreForgottenInAnyOrder: the times are the caller's, and a clock
// may have been set back.
func TestPastEpochsAreForgottenInAnyOrder(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5, PastEpochAge: 10 * time.Minute})
	reader := r.clients[2]
	late(t, r, 2)
	reader.past[0].ended = now.Add(time.Hour)
	if due := reader.ForgetPast(now); !due.Equal(reader.past[1].ended.Add(10 * time.Minute)) {
		t.Errorf("the first is due at %v", due)
	}
	reader.ForgetPast(now.Add(20 * time.Minute))
	if len(reader.past) != 1 || !reader.past[0].ended.Equal(now.Add(time.Hour)) {
		t.Errorf("%d epochs are kept", len(reader.past))
	}
}

func TestPastEpochsWithoutAnAgeAreNeverDue(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 5})
	late(t, r, 2)
	if due := r.clients[2].ForgetPast(now.Add(1000 * time.Hour)); !due.IsZero() || len(r.clients[2].past) != 2 {
		t.Errorf("%d epochs are kept, and one is due at %v", len(r.clients[2].past), due)
	}
}

// framing lets the group decide on Safe AAD.
type framing struct{ lastWins }

func (framing) AppData(_ ComponentID, _ []byte, updates [][]byte) ([]byte, error) {
	return updates[len(updates)-1], nil
}

// TestPastMessagesAreFramedAsTheirEpochSaid: authenticated data of a message is
// judged by the epoch it was sent in, not by the present one.
func TestPastMessagesAreFramedAsTheirEpochSaid(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{PastEpochs: 3, Rules: framing{}})
	by, liar, reader := r.clients[0], r.clients[1], r.clients[2]
	send := func(data []byte) []byte {
		t.Helper()
		m, err := liar.Encrypt(data, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	free := send([]byte("free form"))
	r.commit(by, CommitOptions{Proposals: []Proposal{&AppDataUpdate{Component: ComponentSafeAAD, Update: ComponentsList()}}})
	liar.public.safeAAD = false
	bad := send([]byte{7})
	good := send(SafeAAD{testComponent: []byte("a")}.Bytes())
	r.commit(by, CommitOptions{AuthenticatedData: SafeAAD{}.Bytes()})
	for _, when := range []string{"in the next epoch", "after a restart"} {
		_, err := reader.Process(mustParse(t, bad), now)
		wantRefusal(t, err, "draft-ietf-mls-extensions SafeAAD", "not framed")
		if _, err := reader.Process(mustParse(t, bad), now); errors.Is(err, errGenerationUsed) {
			t.Errorf("%s, a message that was refused has used up its key", when)
		}
		restart(t, reader)
	}
	for _, m := range [][]byte{free, good} {
		if _, err := reader.Process(mustParse(t, m), now); err != nil {
			t.Errorf("a message that is framed as its epoch said: %v", err)
		}
	}
}
