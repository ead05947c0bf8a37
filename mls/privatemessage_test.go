package mls

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestPrivateMessageArrives(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *suite) {
		e := newTestEnd(t, s.id, 2)
		for i := range 3 {
			want := fmt.Appendf(nil, "message %d", i)
			got := e.receive(e.send(e.content(FormatPrivateMessage, want)))
			wantBytes(t, "application data", got.content.application, want)
			wantBytes(t, "authenticated data", got.content.authenticatedData, []byte("aad"))
			if got.content.sender != (Sender{SenderMember, 1}) {
				t.Errorf("got sender %v", got.content.sender)
			}
		}
	})
}

func TestPrivateMessageOfAnySizeAndPaddingArrives(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 4)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		pad := rapid.IntRange(0, 300).Draw(t, "padding")
		e.padding = func(int) int { return pad }
		b := e.send(e.content(FormatPrivateMessage, want))
		e.padding = nil
		bare := e.send(e.content(FormatPrivateMessage, want))
		if grown := len(b) - len(bare); grown < pad || grown > pad+2 { // the length header may grow
			t.Errorf("padding of %d makes the message %d longer", pad, grown)
		}
		if got := e.receive(b); !bytes.Equal(got.content.application, want) {
			t.Error("the message arrived changed")
		}
	})
}

func TestChangedPrivateMessageIsRefusedAndUsesNothingUp(t *testing.T) {
	e := newTestEnd(t, DefaultSuite, 8)
	b := e.send(e.content(FormatPrivateMessage, []byte("data")))
	e.receiving.drain()
	for i := range b {
		broken := bytes.Clone(b)
		broken[i] ^= 1
		if _, err := e.tryReceive(broken); err == nil {
			t.Errorf("octet %d of %d can be changed", i, len(b))
		}
	}
	if changed := e.receiving.drain(); len(changed) != 0 {
		t.Errorf("refused messages changed %d records", len(changed))
	}
	e.receive(b)
	if _, err := e.tryReceive(b); !errors.Is(err, errGenerationUsed) {
		t.Errorf("the same message again: got %v", err)
	}
}

func TestMemberCannotUseUpAnothersKeys(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	real := e.send(e.content(FormatPrivateMessage, []byte("data")))

	// A member has every ratchet, and so can encrypt as leaf 1, but not sign.
	forger := newTestEnd(t, X25519AES128, 2)
	forger.senderData, forger.sending = e.senderData, restored(t, e.receiving)
	forged := forger.send(forger.content(FormatPrivateMessage, []byte("forged")))
	if _, err := e.tryReceive(forged); !isInvalid(err, "6.1") {
		t.Errorf("forged message: got %v", err)
	}
	wantBytes(t, "the real one afterwards", e.receive(real).content.application, []byte("data"))
}

func TestReuseGuardIsFreshForEachMessage(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	seen := map[[4]byte]bool{}
	for range 16 {
		m, err := ParseMessage(e.send(e.content(FormatPrivateMessage, nil)))
		if err != nil {
			t.Fatal(err)
		}
		sd, err := m.private.senderData(e.s, e.senderData)
		if err != nil {
			t.Fatal(err)
		}
		seen[sd.reuseGuard] = true
	}
	if len(seen) < 15 { // two of 16 are the same once in 36 million runs
		t.Errorf("%d guards in 16 messages", len(seen))
	}
}

// sealed encrypts what a correct sender never would.
func (e *testEnd) sealed(c ContentType, sd senderData, plaintext []byte) []byte {
	e.t.Helper()
	m := &privateMessage{groupID: []byte("a group"), epoch: 7, contentType: c}
	k, err := e.sending.at(sd.leaf%LeafIndex(e.sending.width), ratchetFor(c), sd.generation%100)
	if err != nil {
		e.t.Fatal(err)
	}
	defer k.discard()
	w := getWorkspace()
	defer w.release()
	if m.ciphertext, err = k.seal(e.s, w, m, sd.reuseGuard, bytes.Clone(plaintext)); err != nil {
		e.t.Fatal(err)
	}
	m.encryptedSenderData = make([]byte, sealedSenderDataSize)
	if err := sd.seal(e.s, w, m, e.senderData); err != nil {
		e.t.Fatal(err)
	}
	return marshal(&Message{Format: FormatPrivateMessage, private: m})
}

func TestPaddingMustBeZero(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	content := appendVec(appendVec(nil, []byte("data")), make([]byte, 64))
	for _, padding := range [][]byte{{1}, {0, 0, 1}, {0x80, 0}} {
		_, err := e.tryReceive(e.sealed(ContentApplication, senderData{leaf: 1}, append(bytes.Clone(content), padding...)))
		wantRefusal(t, err, "6.3.1", "padding is not all zero")
	}
}

func TestHostileMemberGetsErrorsNotPanics(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	for name, b := range map[string][]byte{
		"no content":           e.sealed(ContentApplication, senderData{leaf: 1}, nil),
		"length without data":  e.sealed(ContentApplication, senderData{leaf: 1}, []byte{0xbf, 0xff, 0xff, 0xff}),
		"commit cut short":     e.sealed(ContentCommit, senderData{leaf: 1}, []byte{0, 1}),
		"unknown proposal":     e.sealed(ContentProposal, senderData{leaf: 1}, []byte{0x0a, 0x0a}),
		"leaf outside":         e.sealed(ContentApplication, senderData{leaf: 1 << 31}, nil),
		"generation at end":    e.sealed(ContentApplication, senderData{leaf: 1, generation: 1<<32 - 1}, nil),
		"generation too far":   e.sealed(ContentApplication, senderData{leaf: 1, generation: 1001}, nil),
		"auth data cut short":  e.sealed(ContentApplication, senderData{leaf: 1}, appendVec(nil, []byte("data"))),
		"other's content type": e.sealed(ContentCommit, senderData{leaf: 1}, appendVec(appendVec(nil, []byte("data")), make([]byte, 64))),
	} {
		if _, err := e.tryReceive(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOnlyMembersSendPrivateMessages(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	ac := e.content(FormatPrivateMessage, nil)
	ac.content.sender = Sender{SenderExternal, 0}
	if _, err := protectPrivate(e.s, ac, e.sending, e.senderData, nil); err == nil {
		t.Error("an external sender's private message was made")
	}
}

func TestAbsurdPaddingIsRefused(t *testing.T) {
	e := newTestEnd(t, X25519AES128, 2)
	for _, n := range []int{-1, maxPrivateContent, 1 << 62} {
		if _, err := protectPrivate(e.s, e.content(FormatPrivateMessage, nil), e.sending, e.senderData, func(int) int { return n }); err == nil {
			t.Errorf("padding of %d was made", n)
		}
	}
	if k, err := e.sending.next(1, applicationRatchet); err != nil || k.generation != 0 {
		t.Errorf("refused messages spent keys: next is %+v, error %v", k, err)
	}
}

func BenchmarkPrivateMessage(b *testing.B) {
	for _, id := range []CipherSuite{X25519AES128, DefaultSuite} {
		for _, n := range []uint32{2, 1000} {
			name := fmt.Sprintf("%04x/%d", uint16(id), n)
			e := newTestEnd(b, id, n)
			data := make([]byte, 256)
			b.Run(name+"/encrypt-256", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					size := len(e.send(e.content(FormatPrivateMessage, data)))
					e.sending.drain()
					b.ReportMetric(float64(size), "bytes")
				}
			})
			b.Run(name+"/decrypt-256", func(b *testing.B) {
				b.ReportAllocs()
				e := newTestEnd(b, id, n)
				var waiting [][]byte
				for b.Loop() {
					if len(waiting) == 0 {
						b.StopTimer()
						for range 500 {
							waiting = append(waiting, e.send(e.content(FormatPrivateMessage, data)))
						}
						b.StartTimer()
					}
					e.receive(waiting[0])
					e.receiving.drain()
					waiting = waiting[1:]
				}
			})
		}
	}
}
