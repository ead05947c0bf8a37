package e2e

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// holds looks for a word where it must not be, or, as the control of that, where
// it must: in files and in the memory of running programs, in every spelling
// that a program might have stored it in.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Check(errUsage)
	}
	for _, place := range args[1:] {
		where, searched, err := search(ts, args[0], place)
		ts.Check(err)
		switch {
		case searched == 0:
			ts.Fatalf("there is nothing to search in %s", place)
		case where != "" && neg:
			ts.Fatalf("%q stands in %s", args[0], where)
		case where == "" && !neg:
			ts.Fatalf("%q stands nowhere in %s", args[0], place)
		}
	}
}

// search says where a word stands, and how many bytes it has looked at.
func search(ts *testscript.TestScript, word, place string) (where string, searched int, err error) {
	spellings := spell(word)
	if name, ok := strings.CutPrefix(place, "memory:"); ok {
		p, err := stageOf(ts).program(name)
		if err != nil {
			return "", 0, err
		}
		return searchMemory(p.cmd.Process.Pid, spellings)
	}
	if place == "log" {
		s := stageOf(ts).server
		text := s.log + s.output()
		return find([]byte(text), spellings, "the server's log"), len(text), nil
	}
	err = filepath.WalkDir(ts.MkAbs(place), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		searched += len(b)
		where = cmp.Or(where, find(b, spellings, path))
		return err
	})
	return where, searched, err
}

// spell gives a word as text, hex and base64, and a number also as the bytes in
// which CBOR and fixed-width fields write it.
func spell(word string) map[string][]byte {
	raw := []byte(word)
	all := map[string][]byte{
		"text":   raw,
		"hex":    []byte(hex.EncodeToString(raw)),
		"UTF-16": []byte(strings.Join(strings.Split(word, ""), "\x00")),
	}
	// In base64 a word looks different at each of three places. What the
	// neighbours change is cut off.
	for skip := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, skip), raw...))
		from, to := (skip*8+5)/6, (skip+len(raw))*8/6
		all[fmt.Sprintf("base64 at %d", skip)] = []byte(text[from:to])
	}
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		const cborUint32 = 0x1a
		all["CBOR"] = binary.BigEndian.AppendUint32([]byte{cborUint32}, uint32(n))
		all["big endian"] = binary.BigEndian.AppendUint64(nil, n)
		all["little endian"] = binary.LittleEndian.AppendUint64(nil, n)
		all["milliseconds"] = binary.BigEndian.AppendUint64(nil, n*1000)
		all["milliseconds, little endian"] = binary.LittleEndian.AppendUint64(nil, n*1000)
	}
	return all
}

func find(b []byte, spellings map[string][]byte, place string) string {
	for name, s := range spellings {
		if bytes.Contains(b, s) {
			return place + " as " + name
		}
	}
	return ""
}

// searchMemory looks through all that a process can write to.
func searchMemory(pid int, spellings map[string][]byte) (where string, searched int, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", 0, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return "", 0, err
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		b := make([]byte, to-from)
		n, err := mem.ReadAt(b, from)
		if err != nil && n == 0 && !errors.Is(err, fs.ErrPermission) {
			continue // reserved and not there, or gone since
		}
		searched += n
		where = cmp.Or(where, find(b[:n], spellings, "memory"))
	}
	return where, searched, nil
}
