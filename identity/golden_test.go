package identity

import (
	"bufio"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var golden = flag.Bool("golden", false, "write testdata/log-v1.txt anew; never once a release has been made")

// What a released version wrote must open for ever: a log with each kind of
// entry, the secrets that belong to it, and the codes people wrote down.
func TestFirstVersionOpensForEver(t *testing.T) {
	path := filepath.Join("testdata", "log-v1.txt")
	if *golden {
		writeGolden(t, path)
	}
	f := readGolden(t, path)
	network, err := ParseNetworkSecrets(f.bytes("network secrets"))
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	for i := range 7 {
		entries = append(entries, f.bytes(fmt.Sprintf("entry %d", i)))
	}
	log, err := Open(network.Key().ID(), entries)
	if err != nil {
		t.Fatal(err)
	}
	device, err := ParseDeviceSecrets(f.bytes("device secrets"))
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := ParseRecoveryKey(f.text("recovery key"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredential(f.bytes("credential"))
	if err != nil {
		t.Fatal(err)
	}
	if err := AcceptLeaf(log.now(), c, suiteHybrid, leafKey(t, device, suiteHybrid)); err != nil {
		t.Fatal(err)
	}
	if _, err := log.SetRecovery(device, testTime, recovery, NewRecoveryKey()); err != nil {
		t.Fatalf("the recovery key derives to another pair: %v", err)
	}
	link, err := ParseLinkCode(f.text("link code"))
	if err != nil || !link.Matches(device.Keys()) {
		t.Fatalf("the link code means other keys: %v", err)
	}
	invite, err := ParseInvite(f.text("invite"))
	if err != nil || invite.Network != network.Key().ID() {
		t.Fatalf("the invite is to %v: %v", invite.Network, err)
	}
	if got := NewSafetyNumber(log.User(), UserID{1}).String(); got != f.text("safety number") {
		t.Fatalf("the safety number is %s, was %s", got, f.text("safety number"))
	}
	sig := f.bytes("signature")
	if err := device.Keys().Verify(network.Key().ID(), "golden", []byte("content"), sig); err != nil {
		t.Fatal(err)
	}
	challenge := []byte("sixteen bytes, or more")
	if err := VerifyLogin(device.Keys(), network.Key().ID(), challenge, f.bytes("login")); err != nil {
		t.Fatal(err)
	}
}

type goldenFile struct {
	t      *testing.T
	fields map[string]string
}

func readGolden(t *testing.T, path string) goldenFile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g := goldenFile{t: t, fields: make(map[string]string)}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		g.fields[name] = value
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g goldenFile) text(name string) string {
	g.t.Helper()
	value, ok := g.fields[name]
	if !ok {
		g.t.Fatalf("no %s in the file", name)
	}
	return value
}

func (g goldenFile) bytes(name string) []byte {
	g.t.Helper()
	b, err := base64.StdEncoding.DecodeString(g.text(name))
	if err != nil {
		g.t.Fatalf("%s: %v", name, err)
	}
	return b
}

func writeGolden(t *testing.T, path string) {
	t.Helper()
	var out strings.Builder
	text := func(name, value string) { fmt.Fprintf(&out, "%s: %s\n", name, value) }
	raw := func(name string, value []byte) { text(name, base64.StdEncoding.EncodeToString(value)) }

	network := NewNetworkSecrets()
	id := network.Key().ID()
	p, spare := everyKindOf(t, id)
	raw("network secrets", network.Marshal())
	raw("device secrets", spare.Marshal())
	text("recovery key", p.recovery.Reveal())
	for i, entry := range p.entries {
		raw(fmt.Sprintf("entry %d", i), entry)
	}
	raw("credential", credentialOf(t, p.log, spare).Marshal())
	text("link code", NewLinkCode(spare.Keys()).String())
	text("invite", Invite{Server: "https://chat.example.org", Network: id, Token: NewToken()}.Reveal())
	text("safety number", NewSafetyNumber(p.log.User(), UserID{1}).String())
	sig, err := spare.Sign(id, "golden", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	raw("signature", sig)
	login, err := SignLogin(spare, id, []byte("sixteen bytes, or more"))
	if err != nil {
		t.Fatal(err)
	}
	raw("login", login)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
