package client_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sconce/client"
	"sconce/content"
	"sconce/internal/testnet"
)

func messageID(t *testing.T, text string) content.ID {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(content.ID{}) {
		t.Fatalf("%q is no message id", text)
	}
	return content.ID(b)
}

// find gives the message with a text, as a device shows it.
func find(t *testing.T, d *testnet.Device, room, text string) client.MessageView {
	t.Helper()
	list, err := d.Client.Messages(room, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(m client.MessageView) bool { return m.Text == text })
	if i < 0 {
		t.Fatalf("%s does not show %q", d.Name, text)
	}
	return list[i]
}

// What a modified client sends about the messages of others changes nothing of
// them, and nothing of the room.
func TestNobodyChangesWhatOthersSaid(t *testing.T) {
	talking(t, 95, func(t *testing.T, n *testnet.Net, alice, mal *testnet.Device, room string) {
		for _, d := range []client.Draft{{Text: "said"}, {Text: "burning", Burn: 3600}} {
			if _, err := alice.Client.Send(room, d); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		said, burning := find(t, alice, room, "said"), find(t, alice, room, "burning")
		if err := alice.Client.React(room, said.ID, "👍"); err != nil {
			t.Fatal(err)
		}
		n.MustQuiet()
		said = find(t, alice, room, "said")
		if len(said.Reactions) != 1 || said.Reactions[0].Mine == "" {
			t.Fatalf("alice's reaction is %+v", said.Reactions)
		}
		reaction := messageID(t, said.Reactions[0].Mine)
		as := content.Text("by mal")
		me := alice.Client.Me()
		as.SenderURI = "mimi://" + me.Network + "/u/" + me.User
		state, err := content.Room(&content.RoomState{Version: 99, Name: "taken over", Expire: 1, Burn: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*content.Message{
			content.Edit(messageID(t, said.ID), "never said"), content.Edit(messageID(t, burning.ID), "never said"),
			content.Edit(reaction, "never said"), content.Delete(messageID(t, said.ID)), content.Delete(messageID(t, burning.ID)),
			content.Delete(reaction), content.Unreact(messageID(t, said.ID), reaction), as, state,
		} {
			if err := mal.Client.Post(room, m); err != nil {
				t.Fatal(err)
			}
		}
		n.MustQuiet()
		for _, d := range []*testnet.Device{alice, mal} {
			for _, was := range []client.MessageView{said, burning} {
				now := find(t, d, room, was.Text)
				if now.Edited || now.Deleted || now.Sender != was.Sender || len(now.Reactions) != len(was.Reactions) {
					t.Errorf("%s shows %+v of what was %+v", d.Name, now, was)
				}
			}
			if v := roomOf(t, d, room); v.Name != "tea" || v.Expire != 0 || v.Burn != 0 {
				t.Errorf("%s shows the room %q, with timers %d and %d", d.Name, v.Name, v.Expire, v.Burn)
			}
			list, err := d.Client.Messages(room, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if m.Sender == me.User && strings.Contains(m.Text, "mal") {
					t.Errorf("%s shows mal's words as alice's: %+v", d.Name, m)
				}
			}
		}
	})
}
