package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sconce/client"
	"sconce/client/clienttest"
)

var cheap = client.VaultOptions{Cost: client.PassphraseCost{Passes: 1, MemoryKiB: 8, Lanes: 1}}

var pass = []byte("correct horse")

func TestVaultGivesBackWhatWasPut(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, kept("a", "1"), burns("b", "2"), burns("c", ""), kept("d", ""))
	apply(t, v)
	apply(t, v, kept("e", "first"), burns("e", "second"), burns("f", "gone"), del("f"), del("never there"))
	want := map[string]string{"a": "1", "b": "2", "c": "", "d": "", "e": "second"}
	requireContent(t, v, want)
	if got, err := v.Get([]byte("c")); got == nil || err != nil {
		t.Errorf("Get of an empty value = %v, %v; want [] and no error", got, err)
	}
	if got, err := v.Get([]byte("f")); got != nil || err != nil {
		t.Errorf("Get of nothing = %q, %v; want nil", got, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = open(t, disk)
	requireContent(t, v, want)
	var keys []string
	err := v.Scan([]byte("b"), []byte("d"), func(k, _ []byte) error { keys = append(keys, string(k)); return nil })
	if err != nil || !slices.Equal(keys, []string{"b", "c"}) {
		t.Errorf("Scan(b, d) = %q, %v; want b, c", keys, err)
	}
}

func TestVaultRefusesWhatItCannotKeep(t *testing.T) {
	v := create(t, clienttest.NewDisk())
	for name, key := range map[string][]byte{
		"empty": {}, "nil": nil, "reserved": []byte("\x00header"), "long": make([]byte, client.MaxKey+1),
	} {
		if err := v.Apply([]client.Put{kept("x", "1"), {Key: key, Value: []byte("v")}}); err == nil {
			t.Errorf("Apply took a key that is %s", name)
		}
		if _, err := v.Get(key); err == nil {
			t.Errorf("Get took a key that is %s", name)
		}
	}
	if err := v.Apply([]client.Put{{Key: []byte("k"), Value: make([]byte, client.MaxValue+1)}}); err == nil {
		t.Error("Apply took a value that is too long")
	}
	requireContent(t, v, nil)
}

func TestVaultIsNotForUseInsideItsScan(t *testing.T) {
	v := create(t, clienttest.NewDisk())
	apply(t, v, kept("a", "1"))
	err := v.Scan(nil, nil, func(_, _ []byte) error {
		_, err := v.Get([]byte("a"))
		if put := v.Apply([]client.Put{kept("b", "2")}); !errors.Is(put, client.ErrScanning) {
			t.Errorf("Apply = %v; want %v", put, client.ErrScanning)
		}
		return err
	})
	if !errors.Is(err, client.ErrScanning) {
		t.Errorf("Get = %v; want %v", err, client.ErrScanning)
	}
	apply(t, v, kept("b", "2"))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get([]byte("a")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Get of a closed vault = %v; want fs.ErrClosed", err)
	}
}

func TestApplyWritesOnceWhateverTheBatch(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	var batch []client.Put
	for i := range 500 {
		batch = append(batch, burns(fmt.Sprintf("k%03d", i), "value"))
	}
	for _, c := range []struct {
		name  string
		batch []client.Put
		most  int
	}{
		{"new slots", batch, 2}, {"new slots and wiped ones", batch, 3},
		{"only deletions", []client.Put{del("k000"), del("k001")}, 2}, {"nothing erasable", []client.Put{kept("x", "1")}, 1},
	} {
		before := disk.Writes()
		apply(t, v, c.batch...)
		if got := disk.Writes() - before; got != c.most {
			t.Errorf("%s: %d writes; want %d", c.name, got, c.most)
		}
	}
	if got := len(disk.KeyringBytes()) / client.SlotSize; got > 1001 {
		t.Errorf("keyring has %d slots for 500 values replaced once; want at most 1001", got)
	}
	for range 20 {
		apply(t, v, batch...)
	}
	if got := len(disk.KeyringBytes()) / client.SlotSize; got > 1001 {
		t.Errorf("keyring has %d slots after replacing the same 500 values; want free slots to be used again", got)
	}
	requireNoOrphans(t, v)
}

// Deletions without new slots write the keyring after the store; their
// generations must not drift apart.
func TestVaultOpensAfterManyDeletions(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	var batch []client.Put
	for i := range 10 {
		batch = append(batch, burns(fmt.Sprint(i), "value"))
	}
	apply(t, v, batch...)
	for i := range 10 {
		apply(t, v, del(fmt.Sprint(i)))
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		v = open(t, disk)
		apply(t, v, del(fmt.Sprint(i)), kept("x", "1"))
	}
	apply(t, v, batch...)
	for i := range 10 {
		apply(t, v, del(fmt.Sprint(i)))
	}
	_ = v.Close()
	requireContent(t, open(t, disk), map[string]string{"x": "1"})
}

func TestPassphraseOpensAndChanges(t *testing.T) {
	disk := clienttest.NewDisk()
	if _, err := client.CreateVault(disk.Store(), disk.Keyring(), nil, cheap); err == nil {
		t.Error("CreateVault took an empty passphrase")
	}
	if _, err := openVault(disk, pass); !errors.Is(err, client.ErrNoVault) {
		t.Errorf("OpenVault of an empty disk = %v; want %v", err, client.ErrNoVault)
	}
	v := create(t, disk)
	apply(t, v, kept("a", "1"), burns("b", "2"))
	if _, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, cheap); !errors.Is(err, client.ErrVaultExists) {
		t.Errorf("second CreateVault = %v; want %v", err, client.ErrVaultExists)
	}
	if err := v.ChangePassphrase([]byte("guess"), []byte("new"), cheap.Cost); err != client.ErrPassphrase {
		t.Errorf("ChangePassphrase with a wrong one = %v; want %v", err, client.ErrPassphrase)
	}
	if err := v.ChangePassphrase(pass, []byte("new"), cheap.Cost); err != nil {
		t.Fatal(err)
	}
	apply(t, v, kept("c", "3"))
	if _, err := openVault(disk, pass); err != client.ErrPassphrase {
		t.Errorf("OpenVault with the old passphrase = %v; want %v and nothing else", err, client.ErrPassphrase)
	}
	v, err := openVault(disk, []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	requireContent(t, v, map[string]string{"a": "1", "b": "2", "c": "3"})
}

func TestAlteredRecordIsDetected(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, kept("a", "1"), kept("b", "2"), burns("c", "3"), burns("d", "4"))
	rows := map[string][]byte{}
	for _, r := range disk.Rows() {
		rows[string(r.Key)] = r.Value
	}
	for key := range rows {
		if key[0] == 0 {
			continue
		}
		for other := range rows {
			if other != key {
				disk.SetRow([]byte(key), rows[other])
				requireDamage(t, v, key, "with the record of "+other)
			}
		}
		for i := range rows[key] {
			altered := bytes.Clone(rows[key])
			altered[i] ^= 1
			disk.SetRow([]byte(key), altered)
			requireDamage(t, v, key, fmt.Sprintf("with byte %d altered", i))
			disk.SetRow([]byte(key), rows[key][:i])
			requireDamage(t, v, key, fmt.Sprintf("cut to %d bytes", i))
		}
		disk.SetRow([]byte(key), rows[key])
	}
	requireContent(t, v, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"})
}

// Deleting a record that does not tell its slot would leave the key for ever.
func TestDamagedRecordIsNotDeletedSilently(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "1"), kept("b", "2"))
	disk.SetRow([]byte("a"), []byte("junk"))
	_, damaged := errors.AsType[*client.DamageError](v.Apply([]client.Put{del("a")}))
	if !damaged {
		t.Fatal("a damaged record was deleted")
	}
	_ = v.Close()
	v, lost := recoverVault(t, disk)
	if len(lost) != 1 || string(lost[0]) != "a" {
		t.Fatalf("lost = %q; want a", lost)
	}
	requireContent(t, v, map[string]string{"b": "2"})
	requireNoOrphans(t, v)
}

func TestOwnRecordsAreAuthenticated(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "1"), kept("b", "2"))
	_ = v.Close()
	for _, r := range disk.Rows() {
		if r.Key[0] != 0 {
			continue
		}
		for i := range r.Value {
			broken := disk.Clone()
			altered := bytes.Clone(r.Value)
			altered[i] ^= 1
			broken.SetRow(r.Key, altered)
			_, err := openVault(broken, pass)
			if _, damaged := errors.AsType[*client.DamageError](err); !damaged && !errors.Is(err, client.ErrPassphrase) {
				t.Fatalf("OpenVault with byte %d of %q altered = %v", i, r.Key, err)
			}
			if string(r.Key) == "\x00header" {
				continue
			}
			v, lost := recoverVault(t, broken)
			requireContent(t, v, map[string]string{"a": "1", "b": "2"})
			requireNoOrphans(t, v)
			if len(lost) != 0 {
				t.Fatalf("recovering lost %q", lost)
			}
		}
	}
}

func TestHostileHeaderDemandsNothing(t *testing.T) {
	disk := clienttest.NewDisk()
	_ = create(t, disk).Close()
	header, err := disk.Store().Get([]byte("\x00header"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(at int, b ...byte) []byte { h := bytes.Clone(header); copy(h[at:], b); return h }
	for name, h := range map[string][]byte{
		"100 GB":          set(9, 0x06, 0x40, 0, 0),
		"endless passes":  set(5, 0xff, 0xff, 0xff, 0xff),
		"no passes":       set(5, 0, 0, 0, 0),
		"no lanes":        set(13, 0),
		"too many lanes":  set(13, 255),
		"too little":      set(9, 0, 0, 0, 7),
		"another version": set(0, 3),
		"version 1":       set(0, 1),
		"another kind":    set(2, 9),
		"no way in":       set(1, 0),
		"two ways in":     set(1, 2),
		"endless way":     set(3, 0xff, 0xff),
		"short":           header[:len(header)-1],
		"long":            append(bytes.Clone(header), 0),
		"empty":           {},
	} {
		broken := disk.Clone()
		broken.SetRow([]byte("\x00header"), h)
		_, err := openVault(broken, pass)
		if _, damaged := errors.AsType[*client.DamageError](err); !damaged {
			t.Errorf("%s: OpenVault = %v; want a DamageError", name, err)
		}
	}
	cost := client.PassphraseCost{Passes: 1, MemoryKiB: client.MaxCost.MemoryKiB + 1, Lanes: 1}
	if _, err := client.CreateVault(clienttest.NewDisk().Store(), clienttest.NewDisk().Keyring(), pass, client.VaultOptions{Cost: cost}); err == nil {
		t.Error("CreateVault took a cost that OpenVault would refuse")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	v := create(t, clienttest.NewDisk())
	put := burns("who", "attack at dawn")
	write := client.SlotWrite{Index: 1, Slot: client.Slot([]byte(strings.Repeat("K", client.SlotSize)))}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	jsonLogger := slog.New(slog.NewJSONHandler(&log, nil))
	for _, secret := range []any{v, *v, put, []client.Put{put}, write, write.Slot, &write} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&log, format+"\n", secret)
		}
		logger.Info("m", "a", secret)
	}
	jsonLogger.Info("m", "put", put, "slot", write.Slot, "write", write, "vault", v)
	for _, secret := range []string{"attack at dawn", "KKKK", fmt.Sprintf("%x", "KKKK"), "75 75 75", "97 116 116", "master"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q was printed:\n%s", secret, log.String())
		}
	}
}

// The store of every released version opens for ever.
func TestVaultOfVersion1Opens(t *testing.T) {
	text, err := os.ReadFile("testdata/vault-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		Passphrase string
		Rows       []client.Op
		Keyring    []byte
		Content    map[string]string
	}
	if err := json.Unmarshal(text, &old); err != nil {
		t.Fatal(err)
	}
	disk := clienttest.NewDisk()
	for _, r := range old.Rows {
		disk.SetRow(r.Key, r.Value)
	}
	disk.SetKeyringBytes(old.Keyring)
	v, err := openVault(disk, []byte(old.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	requireContent(t, v, old.Content)
	requireNoOrphans(t, v)
}

// Any batches, with the power cut at any write and in any way, leave what a map
// would hold, and no key that nothing names.
func TestVaultBehavesAsAMapThatCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := clienttest.NewDisk()
		v := create(t, disk)
		model := map[string]string{}
		key := rapid.StringOfN(rapid.RuneFrom([]rune("abcdef")), 1, 2, -1)
		for n := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			next := maps.Clone(model)
			var batch []client.Put
			for i := range rapid.IntRange(0, 15).Draw(rt, "puts") {
				p := client.Put{Key: []byte(key.Draw(rt, "key"))}
				switch rapid.IntRange(0, 2).Draw(rt, "what") {
				case 0:
					delete(next, string(p.Key))
				default:
					p.Value, p.Erasable = fmt.Appendf(nil, "%d.%d", n, i), rapid.Bool().Draw(rt, "erasable")
					next[string(p.Key)] = string(p.Value)
				}
				batch = append(batch, p)
			}
			crash := rapid.IntRange(0, 4).Draw(rt, "crash after")
			if crash < 3 {
				disk.FailAfter(crash, rapid.SampledFrom(clienttest.Failures).Draw(rt, "how"))
			}
			err := v.Apply(batch)
			if err == nil && !disk.Off() && crash >= 3 {
				model = next
				continue
			}
			if err == nil {
				model = next
			}
			disk.Restart()
			if v, err = openVault(disk, pass); err != nil {
				rt.Fatalf("after a crash: %v", err)
			}
			got := contentOf(t, v)
			if maps.Equal(got, next) {
				model = next
			}
			if !maps.Equal(got, model) {
				rt.Fatalf("after a crash the vault holds %q; want %q or %q", got, model, next)
			}
			requireNoOrphans(t, v)
		}
		requireContent(t, v, model)
		requireNoOrphans(t, v)
	})
}

func FuzzVaultHeader(f *testing.F) {
	disk := clienttest.NewDisk()
	v, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, cheap)
	if err != nil {
		f.Fatal(err)
	}
	_ = v.Close()
	header, _ := disk.Store().Get([]byte("\x00header"))
	f.Add(header)
	f.Add(make([]byte, 98))
	f.Add(append([]byte{1}, header[5:102]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		cost, size, err := client.ParseHeader(b)
		if err == nil && (cost.MemoryKiB > 1<<20 || cost.Passes > 16 || len(b) != size) {
			t.Fatalf("a header that demands %+v was taken", cost)
		}
	})
}

// FuzzVaultRecord puts any bytes where a record, the state or a page of the
// bitmap would be.
func FuzzVaultRecord(f *testing.F) {
	disk := clienttest.NewDisk()
	v, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, cheap)
	if err != nil {
		f.Fatal(err)
	}
	if err := v.Apply([]client.Put{kept("a", "1"), burns("b", "2")}); err != nil {
		f.Fatal(err)
	}
	own := map[string]bool{}
	for _, r := range disk.Rows() {
		f.Add(r.Value)
		own[string(r.Value)] = true
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = client.ParseSealed([]byte("a"), b)
		if page, err := client.SetPage(0, b); err == nil && !bytes.Equal(page, b) {
			t.Fatalf("page %x became %x", b, page)
		}
		disk := disk.Clone()
		disk.SetRow([]byte("a"), b)
		v, err := openVault(disk, pass)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if value, err := v.Get([]byte("a")); err == nil && !own[string(b)] && len(b) > 0 {
			t.Fatalf("Get of a forged record = %q", value)
		}
		_ = v.Apply([]client.Put{del("a")})
	})
}

// FuzzKeyring puts any bytes where the keyring would be: the vault opens with
// what it wrote, or says what is wrong and can be recovered.
func FuzzKeyring(f *testing.F) {
	disk := clienttest.NewDisk()
	v, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, cheap)
	if err != nil {
		f.Fatal(err)
	}
	if err := v.Apply([]client.Put{kept("a", "1"), burns("b", "2")}); err != nil {
		f.Fatal(err)
	}
	f.Add(disk.KeyringBytes())
	f.Add(disk.KeyringBytes()[:client.SlotSize+7])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := disk.Clone()
		disk.SetKeyringBytes(b)
		v, err := openVault(disk, pass)
		if err == nil {
			_ = v.Close()
		} else if !errors.Is(err, client.ErrRolledBack) {
			t.Fatalf("OpenVault = %v", err)
		}
		v, _ = recoverVault(t, disk)
		requireNoOrphans(t, v)
		if got, err := v.Get([]byte("a")); string(got) != "1" || err != nil {
			t.Fatalf("Get after recovering = %q, %v", got, err)
		}
	})
}

func kept(key, value string) client.Put {
	return client.Put{Key: []byte(key), Value: []byte(value)}
}

func burns(key, value string) client.Put {
	return client.Put{Key: []byte(key), Value: []byte(value), Erasable: true}
}

func del(key string) client.Put { return client.Put{Key: []byte(key)} }

func create(t *testing.T, disk *clienttest.Disk) *client.Vault { return createWith(t, disk, cheap) }

func createWith(t *testing.T, disk *clienttest.Disk, opts client.VaultOptions) *client.Vault {
	t.Helper()
	v, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openVault(disk *clienttest.Disk, passphrase []byte) (*client.Vault, error) {
	return client.OpenVault(disk.Store(), disk.Keyring(), passphrase, client.VaultOptions{})
}

func open(t *testing.T, disk *clienttest.Disk) *client.Vault {
	t.Helper()
	v, err := openVault(disk, pass)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func recoverVault(t *testing.T, disk *clienttest.Disk) (*client.Vault, [][]byte) {
	t.Helper()
	v, lost, err := client.RecoverVault(disk.Store(), disk.Keyring(), pass, client.VaultOptions{})
	if err != nil {
		t.Fatalf("RecoverVault: %v", err)
	}
	return v, lost
}

func apply(t *testing.T, v *client.Vault, batch ...client.Put) {
	t.Helper()
	if err := v.Apply(batch); err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, v *client.Vault) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := v.Scan(nil, nil, func(k, value []byte) error { got[string(k)] = string(value); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func requireContent(t *testing.T, v *client.Vault, want map[string]string) {
	t.Helper()
	if got := contentOf(t, v); !maps.Equal(got, want) {
		t.Fatalf("vault holds %q; want %q", got, want)
	}
	for k, value := range want {
		if got, err := v.Get([]byte(k)); string(got) != value || err != nil {
			t.Fatalf("Get(%s) = %q, %v; want %q", k, got, err, value)
		}
	}
}

func requireNoOrphans(t *testing.T, v *client.Vault) {
	t.Helper()
	if named, filled := v.Named(); !slices.Equal(named, filled) {
		t.Fatalf("slots %v hold keys; the store names %v", filled, named)
	}
}

func requireDamage(t *testing.T, v *client.Vault, key, how string) {
	t.Helper()
	got, err := v.Get([]byte(key))
	if _, damaged := errors.AsType[*client.DamageError](err); !damaged && !errors.Is(err, client.ErrErased) {
		t.Fatalf("Get(%s) %s = %q, %v; want an error", key, how, got, err)
	}
}
