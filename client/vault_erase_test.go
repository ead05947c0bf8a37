package client_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"sconce/client"
	"sconce/client/clienttest"
)

// batches are the shapes of Apply: what is written before, in the batch, and how
// many writes the batch takes.
var batches = map[string]struct {
	before, batch []client.Put
	writes        int
}{
	"replace, delete and add": {
		before: append(many("old", 30), kept("identity", "me"), burns("to keep", "stays")),
		batch:  append(append(many("new", 20), deletions(20, 30)...), kept("identity", "me still"), burns("added", "x"), kept("also", "y")),
		writes: 3,
	},
	"only add":         {before: []client.Put{kept("a", "1")}, batch: many("new", 30), writes: 2},
	"only delete":      {before: append(many("old", 30), burns("to keep", "stays")), batch: deletions(0, 30), writes: 2},
	"become kept":      {before: many("old", 30), batch: []client.Put{kept("k00", "new kept"), del("k29")}, writes: 2},
	"nothing erasable": {before: append(many("old", 3), kept("a", "1"), kept("b", "1")), batch: []client.Put{kept("a", "2"), del("b")}, writes: 1},
}

// many makes erasable values in more than one sector of the keyring.
func many(prefix string, n int) (puts []client.Put) {
	for i := range n {
		puts = append(puts, burns(fmt.Sprintf("k%02d", i), fmt.Sprintf("%s value %d", prefix, i)))
	}
	return puts
}

func deletions(from, to int) (puts []client.Put) {
	for i := from; i < to; i++ {
		puts = append(puts, del(fmt.Sprintf("k%02d", i)))
	}
	return puts
}

func TestCrashAnywhereInApplyLosesNothingAndLeavesNothing(t *testing.T) {
	for name, b := range batches {
		for at := range b.writes + 1 {
			for _, how := range clienttest.Failures {
				t.Run(fmt.Sprintf("%s/after %d writes/%v", name, at, how), func(t *testing.T) {
					disk := clienttest.NewDisk()
					v := create(t, disk)
					apply(t, v, b.before...)
					crashAndReopen(t, disk, v, b.batch, at, how, at == b.writes)
				})
			}
		}
	}
}

// crashAndReopen applies a batch on a disk that fails, crashes again while the
// crash is mended, in every way, and checks what is there in the end.
func crashAndReopen(t *testing.T, disk *clienttest.Disk, v *client.Vault, batch []client.Put, at int, how clienttest.Failure, complete bool) {
	t.Helper()
	none := contentOf(t, v)
	all := after(none, batch)
	recorder := disk.Record()
	disk.FailAfter(at, how)
	err := v.Apply(batch)
	if complete != (err == nil) {
		t.Fatalf("Apply = %v", err)
	}
	if err != nil {
		if !errors.Is(err, client.ErrReopen) {
			t.Fatalf("Apply = %v; want %v", err, client.ErrReopen)
		}
		if _, err := v.Get([]byte("k00")); !errors.Is(err, client.ErrReopen) {
			t.Fatalf("Get after it = %v; want %v", err, client.ErrReopen)
		}
	}
	disk.Restart()
	for _, again := range clienttest.Failures {
		twice := disk.Clone()
		twice.FailAfter(0, again)
		_, err := openVault(twice, pass)
		if err != nil && !errors.Is(err, clienttest.ErrPower) {
			t.Fatalf("OpenVault while it crashes = %v", err)
		}
		twice.Restart()
		requireAllOrNone(t, twice, recorder, none, all, complete)
	}
	requireAllOrNone(t, disk, recorder, none, all, complete)
}

func requireAllOrNone(t *testing.T, disk *clienttest.Disk, recorder *clienttest.Recorder, none, all map[string]string, complete bool) {
	t.Helper()
	v := open(t, disk)
	got := contentOf(t, v)
	if !maps.Equal(got, all) && (complete || !maps.Equal(got, none)) {
		t.Fatalf("vault holds %q; want %q, or %q", got, none, all)
	}
	requireNoOrphans(t, v)
	erased := none
	if maps.Equal(got, none) {
		erased = all
	}
	requireUnrecoverable(t, disk, v, recorder, gone(erased, got))
	apply(t, v, burns("next", "1"), kept("next but one", "2"))
	apply(t, v, del("next"))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	_ = open(t, disk).Close()
}

// gone returns the erasable values of then that are not in now.
func gone(then, now map[string]string) (values []string) {
	for k, value := range then {
		if now[k] != value && strings.HasPrefix(k, "k") && !strings.Contains(value, "kept") {
			values = append(values, value)
		}
	}
	return values
}

func after(content map[string]string, batch []client.Put) map[string]string {
	content = maps.Clone(content)
	for _, p := range batch {
		delete(content, string(p.Key))
		if p.Value != nil {
			content[string(p.Key)] = string(p.Value)
		}
	}
	return content
}

// requireUnrecoverable attacks in two ways: through the front, with old records
// put back in their place, and by trying every key on every record.
func requireUnrecoverable(t *testing.T, disk *clienttest.Disk, v *client.Vault, recorder *clienttest.Recorder, values []string) {
	t.Helper()
	found := map[string]bool{}
	plain, err := clienttest.Attack(disk, recorder, pass)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plain {
		found[string(p.Value)] = true
	}
	for _, old := range recorder.Versions() {
		if value, ok := v.ForceOpen(old.Key, old.Value); ok {
			found[string(value)] = true
		}
	}
	for _, value := range values {
		if found[value] {
			t.Fatalf("an attacker recovered %q", value)
		}
	}
}

// The same attack with erasure on and, as the control, off.
func TestErasedValueIsBeyondRecovery(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keys kept %v", keep), func(t *testing.T) {
			disk := clienttest.NewDisk()
			recorder := disk.Record()
			opts := cheap
			opts.KeepErased = keep
			v := createWith(t, disk, opts)
			apply(t, v, burns("ratchet", "secret of epoch 1"), burns("message", "burn after reading"), kept("kept", "in the open"))
			apply(t, v, burns("ratchet", "secret of epoch 2"))
			apply(t, v, del("message"), burns("ratchet", "secret of epoch 3"))
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			plain, err := clienttest.Attack(disk, recorder, pass)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, p := range plain {
				found[string(p.Value)] = true
			}
			want := map[string]bool{"secret of epoch 3": true, "in the open": true}
			if keep {
				want["secret of epoch 1"], want["secret of epoch 2"], want["burn after reading"] = true, true, true
			}
			if !maps.Equal(found, want) {
				t.Errorf("an attacker recovers %v; want %v", found, want)
			}
			v = open(t, disk) // without the option, so that what it left is erased
			requireNoOrphans(t, v)
		})
	}
}

func TestThiefWithoutPassphraseLearnsNothing(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "a secret value"), kept("b", "another secret value"))
	all := string(disk.KeyringBytes())
	for _, r := range disk.Rows() {
		all += string(r.Value)
	}
	if strings.Contains(all, "secret value") {
		t.Fatal("a value lies on the disk unsealed")
	}
	for _, guess := range []string{"correct hors", "correct horse ", "Correct horse", ""} {
		if _, err := openVault(disk, []byte(guess)); err != client.ErrPassphrase {
			t.Errorf("OpenVault(%q) = %v; want %v", guess, err, client.ErrPassphrase)
		}
	}
}

func TestRolledBackStoreIsRefused(t *testing.T) {
	steps := map[string][]client.Put{
		"replace":              {burns("a", "2")},
		"delete":               {del("a")},
		"replace by kept":      {kept("a", "2")},
		"add after delete":     {del("a"), burns("z", "1")},
		"replace, other order": {burns("z", "1"), burns("a", "2")},
	}
	for name, step := range steps {
		for more := range 4 { // steps after it, which use the wiped slot again
			disk := clienttest.NewDisk()
			v := create(t, disk)
			apply(t, v, burns("a", "1"), burns("b", "1"), kept("identity", "me"))
			backup := disk.Clone()
			apply(t, v, step...)
			for i := range more {
				apply(t, v, burns(fmt.Sprintf("more %d", i), "1"))
			}
			_ = v.Close()
			disk.SetStore(backup)
			ring := string(disk.KeyringBytes())
			if _, err := openVault(disk, pass); !errors.Is(err, client.ErrRolledBack) {
				t.Fatalf("%s and %d more: OpenVault of the backup = %v; want %v", name, more, err, client.ErrRolledBack)
			}
			if string(disk.KeyringBytes()) != ring {
				t.Fatalf("%s and %d more: refusing changed the keyring", name, more)
			}
			v, lost := recoverVault(t, disk)
			if len(lost) != 1 || string(lost[0]) != "a" {
				t.Fatalf("%s and %d more: lost = %q; want a", name, more, lost)
			}
			requireContent(t, v, map[string]string{"b": "1", "identity": "me"})
			requireNoOrphans(t, v)
			apply(t, v, burns("a", "3"), del("b"))
			_ = v.Close()
			requireContent(t, open(t, disk), map[string]string{"a": "3", "identity": "me"})
		}
	}
}

func TestKeyringOfAnotherMomentIsRefused(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "1"), kept("identity", "me"))
	old := disk.KeyringBytes()
	apply(t, v, burns("a", "2"))
	_ = v.Close()
	stranger := clienttest.NewDisk()
	_ = create(t, stranger).Close()
	damaged := disk.KeyringBytes()
	damaged[10] ^= 1
	for name, ring := range map[string][]byte{"older": old, "lost": nil, "another vault's": stranger.KeyringBytes(), "damaged": damaged} {
		broken := disk.Clone()
		broken.SetKeyringBytes(ring)
		if _, err := openVault(broken, pass); !errors.Is(err, client.ErrRolledBack) {
			t.Errorf("%s: OpenVault = %v; want %v", name, err, client.ErrRolledBack)
		}
		v, _ := recoverVault(t, broken)
		requireNoOrphans(t, v)
		if got, err := v.Get([]byte("identity")); string(got) != "me" || err != nil {
			t.Errorf("%s: Get after recovering = %q, %v; want me", name, got, err)
		}
		_ = v.Close()
		_ = open(t, broken).Close()
	}
}

// A record that comes back in a vault that is open names a slot that is wiped or
// another's.
func TestReadingAnErasedRecordSaysSo(t *testing.T) {
	disk := clienttest.NewDisk()
	v := create(t, disk)
	apply(t, v, burns("a", "1"))
	old, err := disk.Store().Get([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []client.Put{burns("a", "2"), burns("b", "uses the slot again")} {
		apply(t, v, step)
		now, _ := disk.Store().Get([]byte("a"))
		disk.SetRow([]byte("a"), old)
		if got, err := v.Get([]byte("a")); !errors.Is(err, client.ErrErased) {
			t.Errorf("Get = %q, %v; want %v", got, err, client.ErrErased)
		}
		if err := v.Apply([]client.Put{del("a")}); !errors.Is(err, client.ErrErased) {
			t.Errorf("Apply = %v; want %v", err, client.ErrErased)
		}
		disk.SetRow([]byte("a"), now)
	}
	requireContent(t, v, map[string]string{"a": "2", "b": "uses the slot again"})
}

func TestCrashWhileCreatingOrRecoveringCanBeRepeated(t *testing.T) {
	rolledBack := clienttest.NewDisk()
	v := create(t, rolledBack)
	apply(t, v, burns("a", "1"), kept("b", "1"))
	backup := rolledBack.Clone()
	apply(t, v, burns("a", "2"), burns("c", "1"))
	apply(t, v, burns("a", "3"))
	_ = v.Close()
	rolledBack.SetStore(backup)
	for at := range 3 {
		for _, how := range clienttest.Failures {
			disk := clienttest.NewDisk()
			disk.FailAfter(at, how)
			_, err := client.CreateVault(disk.Store(), disk.Keyring(), pass, cheap)
			disk.Restart()
			if _, opened := openVault(disk, pass); opened != nil {
				if err == nil {
					t.Fatalf("CreateVault succeeded and OpenVault = %v", opened)
				}
				_ = create(t, disk).Close()
			}
			requireContent(t, open(t, disk), nil)

			disk = rolledBack.Clone()
			disk.FailAfter(at, how)
			_, _, err = client.RecoverVault(disk.Store(), disk.Keyring(), pass, client.VaultOptions{})
			disk.Restart()
			v, opened := openVault(disk, pass)
			if opened != nil {
				if err == nil {
					t.Fatalf("RecoverVault succeeded and OpenVault = %v", opened)
				}
				v, _ = recoverVault(t, disk)
			}
			requireContent(t, v, map[string]string{"b": "1"})
			requireNoOrphans(t, v)
		}
	}
}
