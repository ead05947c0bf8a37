package mls

import (
	"bytes"
	"testing"
)

func TestExtensionTypeStandsOnce(t *testing.T) {
	twice := Extensions{{1, nil}, {2, nil}, {1, []byte("again")}}
	if _, err := parse(marshal(twice), "extensions", readExtensions); !isInvalid(err, "13.4") {
		t.Errorf("got %v", err)
	}
}

func TestExtensionsAreBounded(t *testing.T) {
	var e Extensions
	for i := range 64 {
		e = append(e, Extension{Type: ExtensionType(i)})
	}
	if _, err := parse(marshal(e), "extensions", readExtensions); err != nil {
		t.Errorf("64 extensions: %v", err)
	}
	e = append(e, Extension{Type: 64})
	if _, err := parse(marshal(e), "extensions", readExtensions); !isInvalid(err, "13.4") {
		t.Errorf("65 extensions: got %v", err)
	}
}

func TestWithReplacesAndLeavesTheOriginal(t *testing.T) {
	e := Extensions{{1, []byte("old")}}
	replaced, added := e.With(1, []byte("new")), e.With(2, []byte("other"))
	if got, _ := replaced.Find(1); !bytes.Equal(got, []byte("new")) || len(replaced) != 1 {
		t.Errorf("replacing gave %v", replaced)
	}
	if got, ok := added.Find(2); !ok || !bytes.Equal(got, []byte("other")) || len(added) != 2 {
		t.Errorf("adding gave %v", added)
	}
	if got, _ := e.Find(1); !bytes.Equal(got, []byte("old")) || len(e) != 1 {
		t.Errorf("the original became %v", e)
	}
}

func TestAppDataComponentsAscend(t *testing.T) {
	component := func(id uint16) []byte { return appendVec(appendU16(nil, id), []byte("state")) }
	for _, ids := range [][]uint16{{2, 1}, {1, 1}, {0x8001, 0x8000}} {
		var b []byte
		for _, id := range ids {
			b = append(b, component(id)...)
		}
		if _, err := ParseAppData(appendVec(nil, b)); err == nil {
			t.Errorf("components %x were accepted", ids)
		}
	}
	ctx := GroupContext{Extensions: Extensions{AppData{7: []byte("state")}.Extension()}}
	if d, err := ctx.AppData(); err != nil || !bytes.Equal(d[7], []byte("state")) {
		t.Errorf("got %v, error %v", d, err)
	}
	ctx.Extensions[0].Data = []byte{1}
	if _, err := ctx.AppData(); err == nil {
		t.Error("a broken dictionary was accepted")
	}
	if d, err := (&GroupContext{}).AppData(); err != nil || len(d) != 0 {
		t.Errorf("without a dictionary: got %v, error %v", d, err)
	}
}
