package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestBrokenNewCertificateLeavesTheOldOne(t *testing.T) {
	dir := t.TempDir()
	c := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	WriteCertificate(t, c.cert, c.key, 1)
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	serves := func(want int64) {
		t.Helper()
		c.looked = time.Time{}
		got, err := c.get(nil)
		if err != nil || got.Leaf.SerialNumber.Int64() != want {
			t.Errorf("serves %v, %v, want certificate %d", got.Leaf.SerialNumber, err, want)
		}
	}
	serves(1)
	WriteCertificate(t, c.cert, c.key, 2)
	later(t, c.cert, 1)
	serves(2)
	if err := os.WriteFile(c.cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	later(t, c.cert, 2)
	serves(2)
}

// later gives the file another time, whatever the clock's grain.
func later(t *testing.T, path string, hours int) {
	t.Helper()
	when := time.Now().Add(time.Duration(hours) * time.Hour)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}
