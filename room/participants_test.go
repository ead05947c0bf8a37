package room

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sconce/identity"
	"sconce/mls"
)

// drawParticipant draws from few people, so that they meet.
func drawParticipant(t *rapid.T) Participant {
	q := Participant{User: identity.UserID{rapid.ByteRange(0, 9).Draw(t, "user")}, Role: Role(rapid.IntRange(1, 2).Draw(t, "role"))}
	q.Pin.Length = rapid.IntRange(1, identity.MaxEntries).Draw(t, "length")
	q.Pin.Head[0] = rapid.Byte().Draw(t, "head")
	return q
}

func drawPeople(t *rapid.T) map[identity.UserID]Participant {
	people := map[identity.UserID]Participant{}
	for _, q := range rapid.SliceOf(rapid.Custom(drawParticipant)).Draw(t, "people") {
		people[q.User] = q
	}
	return people
}

func drawParticipants(t *rapid.T) Participants {
	return NewParticipants(Kind(rapid.IntRange(1, 3).Draw(t, "kind")), drawPeople(t))
}

// drawChange draws a change that fits people.
func drawChange(t *rapid.T, people map[identity.UserID]Participant) Change {
	var c Change
	set := drawPeople(t)
	for _, u := range NewParticipants(Group, people).List {
		if _, both := set[u.User]; !both && rapid.Bool().Draw(t, "goes") {
			c.Remove = append(c.Remove, u.User)
		}
	}
	c.Set = NewParticipants(Group, set).List
	if len(c.Set) == 0 {
		c.Set = nil
	}
	return c
}

func TestParticipantsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawParticipants(t)
		got, err := ParseParticipants(want.Bytes())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		for _, q := range want.List {
			if found, ok := got.Find(q.User); !ok || found != q {
				t.Fatalf("Find gives %+v, %v, want %+v", found, ok, q)
			}
		}
	})
}

func TestChangesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawChange(t, drawPeople(t))
		got, err := ParseChange(want.Bytes())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestApplyIsSettingAndDeletingInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := drawPeople(t)
		before := NewParticipants(Group, people)
		encoded := before.Bytes()
		c := drawChange(t, people)
		want := maps.Clone(people)
		for _, u := range c.Remove {
			delete(want, u)
		}
		for _, q := range c.Set {
			want[q.User] = q
		}
		shuffled := Change{Set: rapid.Permutation(c.Set).Draw(t, "set"), Remove: rapid.Permutation(c.Remove).Draw(t, "remove")}
		got, err := before.Apply(shuffled)
		if err != nil || !bytes.Equal(got.Bytes(), NewParticipants(Group, want).Bytes()) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		if !bytes.Equal(before.Bytes(), encoded) {
			t.Fatal("Apply changed what it was applied to")
		}
	})
}

func someone(n byte) Participant {
	return Participant{User: identity.UserID{n}, Role: Member, Pin: identity.Pin{Length: 1}}
}

func TestParticipantsAreReadStrictly(t *testing.T) {
	good := Participants{Kind: Group, List: []Participant{someone(1), someone(2)}}
	if _, err := ParseParticipants(good.Bytes()); err != nil {
		t.Fatal(err)
	}
	with := func(at int, v byte) []byte {
		b := good.Bytes()
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"no kind":         {1},
		"another version": with(0, 2),
		"kind 0":          with(1, 0),
		"kind 4":          with(1, 4),
		"role 0":          with(2+32, 0),
		"role 3":          with(2+32, 3),
		"empty log":       with(2+36, 0),
		"log too long":    with(2+33, 0x80),
		"log longer":      with(2+35, 0x10), // 4096 + 1
		"out of order":    with(2, 3),
		"twice":           with(2, 2),
		"cut":             good.Bytes()[:2+participantSize+1],
		"more":            append(good.Bytes(), 0),
		"too many":        append([]byte{1, 1}, make([]byte, (MaxParticipants+1)*participantSize)...),
	} {
		if p, err := ParseParticipants(b); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
}

func TestChangesAreReadStrictly(t *testing.T) {
	set := Change{Set: []Participant{someone(1)}}.Bytes()
	remove := Change{Remove: []identity.UserID{{1}}}.Bytes()
	badRole := bytes.Clone(set)
	badRole[1+1+32] = 9
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"another version": append([]byte{2}, set[1:]...),
		"unknown item":    {1, 3},
		"bad role":        badRole,
		"cut set":         set[:len(set)-1],
		"cut removal":     remove[:len(remove)-1],
		"set twice":       append(set, set[1:]...),
		"removed twice":   append(remove, remove[1:]...),
		"both":            append(bytes.Clone(set), remove[1:]...),
	} {
		if c, err := ParseChange(b); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		}
	}
}

func TestRoomHasALimit(t *testing.T) {
	people := map[identity.UserID]Participant{}
	for i := range MaxParticipants {
		q := someone(byte(i))
		q.User[1], q.User[2] = byte(i>>8), 1
		people[q.User] = q
	}
	full := NewParticipants(Group, people)
	if _, err := ParseParticipants(full.Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := full.Apply(Change{Set: []Participant{someone(1)}}); err == nil {
		t.Error("takes one more than the limit")
	}
	if _, err := full.Apply(Change{Set: []Participant{someone(1)}, Remove: []identity.UserID{full.List[7].User}}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}

func TestMayFollowsRoles(t *testing.T) {
	a, b := someone(1), someone(2)
	a.Role = Admin
	mixed, equal := Participants{Group, []Participant{a, b}}, Participants{Group, []Participant{someone(1), b}}
	for _, test := range []struct {
		p    Participants
		u    byte
		want bool
	}{{mixed, 1, true}, {mixed, 2, false}, {mixed, 3, false}, {equal, 2, true}, {equal, 3, false}} {
		if got := test.p.May(identity.UserID{test.u}); got != test.want {
			t.Errorf("May(%d) = %v in %+v", test.u, got, test.p)
		}
	}
}

func TestContextWithoutComponentsIsNoRooms(t *testing.T) {
	for _, ctx := range []*mls.GroupContext{
		{},
		{Extensions: mls.Extensions{mls.AppData{ComponentState: []byte("short")}.Extension()}},
		{Extensions: mls.Extensions{{Type: mls.ExtensionAppDataDictionary, Data: []byte{1}}}},
	} {
		if p, err := ParticipantsOf(ctx); err == nil {
			t.Errorf("participants %+v", p)
		}
		if h, err := StateHash(ctx); err == nil {
			t.Errorf("state %x", h)
		}
	}
}

func FuzzParseParticipants(f *testing.F) {
	f.Add(Participants{Kind: Group, List: []Participant{someone(1), someone(2)}}.Bytes())
	f.Add([]byte{1, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParticipants(b)
		if err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Errorf("%x has a second encoding, %x", b, p.Bytes())
		}
	})
}

func FuzzParseChange(f *testing.F) {
	f.Add(Change{Set: []Participant{someone(1)}, Remove: []identity.UserID{{2}}}.Bytes())
	f.Add([]byte{1})
	room := Participants{Kind: Group, List: []Participant{someone(1), someone(2)}}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseChange(b)
		if err != nil {
			return
		}
		again, err := ParseChange(c.Bytes())
		if err != nil || !slices.Equal(again.Set, c.Set) || !slices.Equal(again.Remove, c.Remove) {
			t.Errorf("%+v reads back as %+v, %v", c, again, err)
		}
		if p, err := room.Apply(c); err == nil {
			if _, err := ParseParticipants(p.Bytes()); err != nil {
				t.Errorf("Apply gives what cannot be read: %v", err)
			}
		}
	})
}
