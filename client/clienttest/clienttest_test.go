package clienttest_test

import (
	"testing"

	"sconce/client"
	"sconce/client/clienttest"
)

// disks gives each folder its disk.
func disks() func(dir string) *clienttest.Disk {
	all := map[string]*clienttest.Disk{}
	return func(dir string) *clienttest.Disk {
		if all[dir] == nil {
			all[dir] = clienttest.NewDisk()
		}
		return all[dir]
	}
}

func TestMemStoreKeepsThePromises(t *testing.T) {
	disk := disks()
	clienttest.Store(t, func(dir string) (client.Store, error) { return disk(dir).Store(), nil })
}

func TestMemKeyringKeepsThePromises(t *testing.T) {
	disk := disks()
	clienttest.Keyring(t, func(dir string) (client.Keyring, error) { return disk(dir).Keyring(), nil })
}
