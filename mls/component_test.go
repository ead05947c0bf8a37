package mls

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ackRules are rules with one more component, which takes acknowledgements.
type ackRules struct{ lastWins }

func (ackRules) AppEphemeral(c ComponentID, data []byte) error {
	if c != ComponentAppAck {
		return errPolicy
	}
	_, err := ParseAppAck(data)
	return err
}

func TestAppAckTellsAllMembersWhatWasReceived(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{Rules: ackRules{}})
	a, b, c := r.clients[0], r.clients[1], r.clients[2]
	var received, all Receipts
	for i := range 5 {
		m, err := a.Encrypt(nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		all.Add(a.Own(), uint32(i)+1) // it has written once before
		if i == 1 || i == 4 {
			continue // the delivery service drops it on the way to b
		}
		e, err := b.Process(mustParse(t, m), now)
		if err != nil {
			t.Fatal(err)
		}
		received.Add(e.(*ApplicationMessage).Sender, e.(*ApplicationMessage).Generation)
	}
	st := r.commit(b, CommitOptions{Proposals: []Proposal{received.AppAck().Proposal()}})
	if len(st.View().Updated) != 0 {
		t.Error("an acknowledgement needs no path")
	}
	ack, err := ParseAppAck(st.View().Proposals[0].Proposal.(*AppEphemeral).Data)
	if err != nil {
		t.Fatal(err)
	}
	var theirs Receipts
	for _, m := range ack.Received {
		theirs.add(m)
	}
	if got, want := theirs.Missing(all.AppAck()), []MessageRange{{0, 2, 2}, {0, 5, 5}}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
	r.agree()
	for _, q := range []Proposal{&AppEphemeral{Component: testComponent}, &AppEphemeral{Component: ComponentAppAck, Data: []byte{1}}} {
		if _, err := c.Commit(CommitOptions{Proposals: []Proposal{q}}, now); err == nil {
			t.Errorf("%+v is committed", q)
		}
	}
}

func TestEphemeralDataNeedsAComponentThatKnowsIt(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	r.refused(r.forge(r.clients[0], nil, inline(&AppEphemeral{Component: testComponent})...), "draft-ietf-mls-extensions AppEphemeral", "not known here")
}

func TestReceiptsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type message struct {
			sender     LeafIndex
			generation uint32
		}
		draw := func(label string) (map[message]bool, *Receipts) {
			set, r := map[message]bool{}, &Receipts{}
			for _, n := range rapid.SliceOfN(rapid.Uint32Range(0, 59), 0, 60).Draw(t, label) {
				m := message{LeafIndex(n % 3), n / 3}
				set[m] = true
				r.Add(m.sender, m.generation)
			}
			return set, r
		}
		expand := func(ranges []MessageRange) map[message]bool {
			set := map[message]bool{}
			for _, m := range ranges {
				for g := m.First; g <= m.Last; g++ {
					if k := (message{m.Sender, g}); set[k] {
						t.Fatalf("%v stands twice in %v", k, ranges)
					} else {
						set[k] = true
					}
				}
			}
			return set
		}
		mine, myReceipts := draw("mine")
		theirs, theirReceipts := draw("theirs")
		ack, err := ParseAppAck(theirReceipts.AppAck().Proposal().Data)
		if err != nil {
			t.Fatal(err)
		}
		for k := range expand(ack.Received) {
			if !theirs[k] {
				t.Fatalf("%v was not received", k)
			}
		}
		missing := expand(myReceipts.Missing(ack))
		for k := range theirs {
			if missing[k] == mine[k] {
				t.Fatalf("%v: missing %t, received %t", k, missing[k], mine[k])
			}
		}
		if len(missing) > len(theirs) {
			t.Fatal("something is missing that nobody has")
		}
	})
}

func TestAppAckWithARangeTheWrongWayRoundIsRefused(t *testing.T) {
	bad := AppAck{Received: []MessageRange{{0, 5, 4}}}
	_, err := ParseAppAck(bad.Proposal().Data)
	wantRefusal(t, err, "draft-ietf-mls-extensions AppAck", "range of messages")
}

func TestKeyPackageOfLastResortSaysSo(t *testing.T) {
	for _, last := range []bool{false, true} {
		kp, _, err := NewKeyPackage(X25519AES128, newSigner(t, X25519AES128, "a"), KeyPackageOptions{Lifetime: always(), LastResort: last})
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKeyPackage(kp.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if again.LastResort() != last {
			t.Errorf("last resort: %t, want %t", again.LastResort(), last)
		}
		if err := again.Verify(now); err != nil {
			t.Error(err)
		}
	}
}

func TestAuthenticatedDataIsFramedWhereTheGroupSaysSo(t *testing.T) {
	s := X25519AES128
	cfg := Config{Rules: lastWins{}}
	a, b := newSigner(t, s, "a"), newSigner(t, s, "b")
	g, err := Create(cfg, []byte("g"), s, a, Capabilities{}, Extensions{AppData{ComponentSafeAAD: ComponentsList()}.Extension()})
	if err != nil {
		t.Fatal(err)
	}
	kp, secrets, err := NewKeyPackage(s, b, KeyPackageOptions{Lifetime: always()})
	if err != nil {
		t.Fatal(err)
	}
	empty := SafeAAD{}.Bytes()
	add := CommitOptions{Proposals: []Proposal{&Add{kp}}, AuthenticatedData: empty}
	st, err := g.Commit(add, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Merge(st); err != nil {
		t.Fatal(err)
	}
	other, err := Join(cfg, mustParse(t, st.Welcome()), kp, secrets, st.Tree(), now)
	if err != nil {
		t.Fatal(err)
	}
	const section = "draft-ietf-mls-extensions SafeAAD"
	if _, err := g.Encrypt([]byte("free form"), nil); err == nil {
		t.Error("data that is not framed is sent")
	} else {
		wantRefusal(t, err, section, "not framed")
	}
	framed := SafeAAD{testComponent: []byte("a"), 0x9000: []byte("b")}
	m, err := g.Encrypt(framed.Bytes(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := other.Process(mustParse(t, m), now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseSafeAAD(e.(*ApplicationMessage).AuthenticatedData)
	if err != nil || string(got[testComponent]) != "a" || string(got[0x9000]) != "b" {
		t.Errorf("read %v, %v", got, err)
	}
	// One who does not keep the rule is not heard.
	g.public.safeAAD = false
	m, err = g.Encrypt([]byte{7}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Process(mustParse(t, m), now)
	wantRefusal(t, err, section, "not framed")
}

func TestComponentListsReadBack(t *testing.T) {
	ids := []ComponentID{1, 0x0A0A, 0xFFFF}
	got, err := ParseComponentsList(ComponentsList(ids...))
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ParseComponentsList([]byte{1, 0}); err == nil {
		t.Error("half an id is read")
	}
}

// wantRefusal checks that an error names this rule.
func wantRefusal(t testing.TB, err error, section, rule string) {
	t.Helper()
	broken, ok := errors.AsType[*InvalidError](err)
	if !ok || broken.Section != section || !containsRule(broken.Rule, rule) {
		t.Errorf("got %v, want a refusal by Section %s: %s", err, section, rule)
	}
}

func TestLeavesListTheirComponents(t *testing.T) {
	suite := X25519AES128
	kp, _, err := NewKeyPackage(suite, newSigner(t, suite, "a"), KeyPackageOptions{Lifetime: always(), Components: []ComponentID{testComponent}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRoom(t, suite, 1, Config{Components: []ComponentID{testComponent}})
	r.enter(r.newClient(), ExternalOptions{})
	for _, l := range []*LeafNode{kp.Leaf, r.server.Member(0), r.server.Member(1)} {
		for _, want := range []ComponentID{ComponentAppComponents, ComponentSafeAAD, testComponent} {
			if !slices.Contains(l.Components(), want) {
				t.Errorf("a leaf lists %v, not %#04x", l.Components(), want)
			}
		}
	}
	caps := DefaultCapabilities()
	caps.Extensions = nil
	kp, _, err = NewKeyPackage(suite, newSigner(t, suite, "a"), KeyPackageOptions{Lifetime: always(), Capabilities: caps})
	if err != nil || len(kp.Leaf.Extensions) != 0 {
		t.Errorf("a client without dictionary has leaf extensions %v, %v", kp.Leaf.Extensions, err)
	}
}

func TestOwnCapabilitiesListNoDefaults(t *testing.T) {
	suite := X25519AES128
	for _, change := range []func(*Capabilities){
		func(c *Capabilities) { c.Extensions = append(c.Extensions, ExtensionRatchetTree) },
		func(c *Capabilities) { c.Proposals = append(c.Proposals, ProposalAdd) },
	} {
		caps := DefaultCapabilities()
		change(&caps)
		if _, _, err := NewKeyPackage(suite, newSigner(t, suite, "a"), KeyPackageOptions{Lifetime: always(), Capabilities: caps}); err == nil {
			t.Error("a key package lists what all clients have")
		}
	}
}
