package client_test

import (
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"sconce/api"
	"sconce/client"
	"sconce/identity"
	"sconce/internal/testnet"
	"sconce/mls"
	"sconce/room"
)

// ghost makes a key package that says it is a device of a person, and is not.
func ghost(t *testing.T, person string) api.ClaimedKeyPackage {
	t.Helper()
	user, err := identity.ParseUserID(person)
	if err != nil {
		t.Fatal(err)
	}
	private, public, err := room.Suite.GenerateSignatureKey()
	if err != nil {
		t.Fatal(err)
	}
	cred := identity.Credential{User: user, Device: identity.DeviceID{1, 2, 3}, Entry: identity.Hash{4, 5, 6}}
	signer := mls.Signer{Credential: room.Credential(cred), Public: public, Private: private}
	kp, _, err := mls.NewKeyPackage(room.Suite, signer, mls.KeyPackageOptions{
		Lifetime: mls.Lifetime{NotAfter: 1<<64 - 1}, Capabilities: mls.DefaultCapabilities(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api.ClaimedKeyPackage{User: api.UserID(user), Device: api.DeviceID(cred.Device), KeyPackage: kp.Bytes()}
}

// haunt is a malicious server: with the key packages of a person's devices it
// gives that of a ghost, and it puts into order whatever comes.
func haunt(t *testing.T, n *testnet.Net, person string) {
	t.Helper()
	extra := ghost(t, person)
	n.Wire.ForceCommits()
	n.Wire.Answered = func(name string, answer []byte) []byte {
		var resp api.ClaimKeyPackagesResponse
		if name != api.ClaimKeyPackages.Name || api.Unmarshal(answer, &resp) != nil {
			return answer
		}
		resp.KeyPackages = append(resp.KeyPackages, extra)
		b, err := api.Marshal(&resp)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// devicesOf is how many devices of a person a device sees in a room.
func devicesOf(t *testing.T, d *testnet.Device, roomID, person string) int {
	t.Helper()
	v, err := d.Client.Room(roomID)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range v.Members {
		if m.User == person {
			return m.Devices
		}
	}
	return 0
}

func haunted(t *testing.T, test func(t *testing.T, n *testnet.Net, alice, carol, dave *testnet.Device, roomID, bob string)) {
	cryptotest.SetGlobalRandom(t, 41)
	synctest.Test(t, func(t *testing.T) {
		n := testnet.New(t, 41)
		alice, bob, carol, dave := n.Person("alice"), n.Person("bob"), n.Person("carol"), n.Person("dave")
		n.MustQuiet()
		v, err := alice.Client.NewRoom(t.Context(), "tea", []string{carol.Client.Me().User, dave.Client.Me().User})
		if err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		person := bob.Client.Me().User
		haunt(t, n, person)
		test(t, n, alice, carol, dave, v.Room, person)
	})
}

func TestCommitterRefusesAGhostDevice(t *testing.T) {
	haunted(t, func(t *testing.T, n *testnet.Net, alice, carol, _ *testnet.Device, roomID, bob string) {
		if err := alice.Client.AddPeople(t.Context(), roomID, []string{bob}); err == nil {
			t.Error("a ghost device was added")
		}
		carol.MustSync()
		for _, d := range []*testnet.Device{alice, carol} {
			if got := devicesOf(t, d, roomID, bob); got != 0 {
				t.Errorf("%s sees %d devices of bob", d.Name, got)
			}
		}
	})
}

// With a committer who does not check, everyone else still does. The control
// beside them checks nothing, and lets the ghost in.
func TestEveryReceiverRefusesAGhostDevice(t *testing.T) {
	haunted(t, func(t *testing.T, n *testnet.Net, alice, carol, dave *testnet.Device, roomID, bob string) {
		for _, d := range []*testnet.Device{alice, dave} {
			d.Reopen()
			d.Client.WithoutRules()
		}
		if err := alice.Client.AddPeople(t.Context(), roomID, []string{bob}); err != nil {
			t.Fatalf("the malicious committer: %v", err)
		}
		if err := carol.Sync(); err != nil {
			t.Fatal(err)
		}
		if got := devicesOf(t, carol, roomID, bob); got != 0 {
			t.Errorf("carol sees %d devices of bob: the ghost is in", got)
		}
		v, err := carol.Client.Room(roomID)
		if err != nil || v.Alarm == "" {
			t.Errorf("carol is not alarmed: %+v, %v", v, err)
		}
		if _, err := carol.Client.Send(roomID, client.Draft{Text: "to the ghost"}); err == nil {
			if err := carol.Sync(); err != nil {
				t.Fatal(err)
			}
			digests, err := carol.Client.Digest()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range digests {
				if r.Room == roomID && r.Queued != 1 {
					t.Error("carol wrote into the haunted room")
				}
			}
		}
		dave.MustSync()
		if got := devicesOf(t, dave, roomID, bob); got != 2 {
			t.Errorf("the control sees %d devices of bob, want the ghost among 2: the test proves nothing", got)
		}
	})
}
