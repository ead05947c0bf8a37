package content

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/v1.txt anew; only before its version is released")

const goldenFile = "testdata/v1.txt"

type example struct {
	name string
	raw  []byte
}

// golden reads the encodings of the first version, each line a name and hex.
func golden(t testing.TB) []example {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(goldenFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, example{name, unhex(t, digits)})
	}
	return all
}

// samples are messages as our client writes them, with salts made plain.
func samples(t testing.TB) (names []string, messages []*Message) {
	t.Helper()
	add := func(name string, m *Message, err error) {
		if err != nil {
			t.Fatal(err)
		}
		m.Salt = Salt{byte(len(names) + 1)}
		names, messages = append(names, name), append(messages, m)
	}
	target, reaction := ID{1, 2, 3}, ID{1, 4, 5}
	add("text", Text("Hello, **world**"), nil)
	add("reply", Reply(target, "Indeed"), nil)
	add("edit", Edit(target, "Hello, world"), nil)
	add("delete", Delete(target), nil)
	add("reaction", Reaction(target, "👍🏽"), nil)
	add("unreact", Unreact(target, reaction), nil)
	burning := Text("soon gone")
	burning.SetTimers(Timers{Expire: 86400, Burn: 60})
	add("burning", burning, nil)
	dated := Text("gone at a date")
	dated.SetTimers(Timers{Expire: 86400, Burn: 60, At: 1_800_000_000})
	add("dated", dated, nil)
	room, err := Room(&RoomState{
		Version: 3, Salt: [32]byte{9}, Name: "Kitchen", Description: "Who cooks?", Expire: 604800, Burn: 30,
	})
	add("room", room, err)
	self, err := Self(
		ReadMark{Room: [16]byte{1}, Seq: 42},
		BurnStart{Room: [16]byte{1}, Message: target, At: 1_700_000_000_000},
		Verified{User: [32]byte{2}, Head: [32]byte{3}, At: 1_700_000_000_000},
		UnknownNote{Kind: 99, Raw: cborItem([]any{99, "from the future"})},
	)
	add("self", self, err)
	return names, messages
}

func TestEncodingsOfTheFirstVersionStay(t *testing.T) {
	names, messages := samples(t)
	if *update {
		var out strings.Builder
		for i, m := range messages {
			raw, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s %s\n", names[i], hex.EncodeToString(raw))
		}
		if err := os.WriteFile(filepath.FromSlash(goldenFile), []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept := golden(t)
	if len(kept) != len(messages) {
		t.Fatalf("%d examples kept, %d made", len(kept), len(messages))
	}
	for i, k := range kept {
		if _, err := Decode(k.raw); err != nil {
			t.Errorf("%s no longer decodes: %v", k.name, err)
		}
		if raw, err := messages[i].Encode(); err != nil || names[i] != k.name || !bytes.Equal(raw, k.raw) {
			t.Errorf("%s now encodes, with %v, as %s\n got %x\nwant %x", k.name, err, names[i], raw, k.raw)
		}
	}
}
