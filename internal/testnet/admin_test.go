package testnet

import (
	"slices"
	"strings"
	"testing"

	"sconce/client"
)

func adminsOf(v client.RoomView) (names []string) {
	for _, m := range v.Members {
		if m.Admin {
			names = append(names, m.Name)
		}
	}
	return names
}

// Admins say who is one. There is always one for as long as the last does not
// leave; then all may do what admins do, until one of them makes an admin.
func TestAdminsSayWhoIsOne(t *testing.T) {
	run(t, 130, func(t *testing.T, n *Net) {
		alice, bob, carol, dave := n.Person("alice"), n.Person("bob"), n.Person("carol"), n.Person("dave")
		n.MustQuiet()
		room := n.room("tea", alice, bob, carol)
		set := func(by, who *Device, admin bool) error {
			return by.Client.SetAdmin(t.Context(), room, who.Client.Me().User, admin)
		}
		are := func(want string) {
			t.Helper()
			n.MustQuiet()
			for _, d := range []*Device{bob, carol} {
				if got := strings.Join(adminsOf(viewOf(t, d, room)), " "); got != want {
					t.Errorf("to %s the admins are %q, want %q", d.Name, got, want)
				}
			}
		}
		refused := func(err error, why string) {
			t.Helper()
			if err == nil || err.Error() != why {
				t.Errorf("%v, want %q", err, why)
			}
		}
		are("alice")
		refused(set(bob, bob, true), "only an admin of the room says who is one")
		refused(set(alice, alice, false), "this is the room's only admin: make somebody else one first")
		refused(set(alice, dave, true), "this person is not in the room")
		direct, err := alice.Client.DirectRoom(t.Context(), bob.Client.Me().User)
		if err != nil {
			t.Fatal(err)
		}
		refused(alice.Client.SetAdmin(t.Context(), direct.Room, bob.Client.Me().User, true), "a direct room has no admins")

		if err := set(alice, bob, true); err != nil {
			t.Fatal(err)
		}
		are("alice bob")
		if m, ok := line(t, carol, room, "bob was made an admin by alice."); !ok || m.Notice.What != client.HappenedAdmin {
			t.Errorf("carol is not told: %t", ok)
		}
		before := digestOf(t, carol, room).Epoch
		if err := set(alice, bob, true); err != nil { // is one already
			t.Fatal(err)
		}
		if n.MustQuiet(); digestOf(t, carol, room).Epoch != before {
			t.Error("what changes nothing made a commit")
		}
		if err := bob.Client.AddPeople(t.Context(), room, []string{dave.Client.Me().User}); err != nil {
			t.Fatal(err)
		}
		if err := set(bob, alice, false); err != nil {
			t.Fatal(err)
		}
		are("bob")
		if m, ok := line(t, carol, room, "alice is no admin any more: changed by bob."); !ok || m.Notice.What != client.HappenedMember {
			t.Errorf("carol is not told: %t", ok)
		}
		refused(alice.Client.RemovePerson(t.Context(), room, dave.Client.Me().User), "only an admin of the room takes people out")

		if err := bob.Client.Leave(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if v := viewOf(t, carol, room); !v.Admin || len(adminsOf(v)) != 0 {
			t.Errorf("the last admin left; %q are, and carol may do what admins do: %t", adminsOf(v), v.Admin)
		}
		refused(set(carol, dave, false), "nobody is an admin of this room, so everybody may do what admins do: make somebody one")
		if err := set(carol, dave, true); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if v := viewOf(t, carol, room); v.Admin || !slices.Equal(adminsOf(v), []string{"dave"}) {
			t.Errorf("carol made dave an admin; now %q are, and she still may: %t", adminsOf(v), v.Admin)
		}
	})
}

// Of two admins who take each other's role at once, one is first: the other's
// change is judged anew, and refused.
func TestTwoAdminsDoNotTakeEachOthersRole(t *testing.T) {
	run(t, 131, func(t *testing.T, n *Net) {
		alice, bob := n.Person("alice"), n.Person("bob")
		n.MustQuiet()
		room := n.room("tea", alice, bob)
		if err := alice.Client.SetAdmin(t.Context(), room, bob.Client.Me().User, true); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		if err := bob.Client.SetAdmin(t.Context(), room, alice.Client.Me().User, false); err != nil {
			t.Fatal(err)
		}
		if err := alice.Client.SetAdmin(t.Context(), room, bob.Client.Me().User, false); err == nil {
			t.Error("alice, who has not heard yet, took bob's role")
		}
		n.MustQuiet()
		if got := adminsOf(viewOf(t, alice, room)); len(got) != 1 || got[0] != "bob" {
			t.Errorf("the admins are %q", got)
		}
	})
}
