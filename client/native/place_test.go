package native_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"sconce/client"
	"sconce/client/native"
)

func TestPlaceIsKeptInTheVault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "device")
	if there, err := native.HasVault(dir); there || err != nil {
		t.Fatalf("HasVault of nothing = %v, %v", there, err)
	}
	v := create(t, dir)
	if _, err := native.LoadPlace(v); !errors.Is(err, native.ErrNoPlace) {
		t.Fatalf("LoadPlace of a new vault = %v; want %v", err, native.ErrNoPlace)
	}
	want := native.Place{Server: "https://chat.example", CA: []byte("PEM")}
	if err := native.SavePlace(v, want); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if there, err := native.HasVault(dir); !there || err != nil {
		t.Fatalf("HasVault = %v, %v", there, err)
	}
	v, err := native.OpenDir(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := native.LoadPlace(v); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("LoadPlace = %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "\x02{}", "\x01", "\x01[]"} {
		if err := v.Apply([]client.Put{{Key: []byte("N/place"), Value: []byte(bad)}}); err != nil {
			t.Fatal(err)
		}
		if got, err := native.LoadPlace(v); err == nil {
			t.Errorf("LoadPlace of %q = %+v; want an error", bad, got)
		}
	}
}
