package device_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"sconce/identity"
)

// What keeps one device, or a hundred, from being let go of must not keep the
// others, whatever their place among those that wait.
func TestDevicesThatAreNotLetGoOfDoNotHoldUpOthers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const waiting = 250
		p := w.person(t)
		user := p.log.User()
		last := identity.DeviceID{waiting - 1}
		for i := range waiting {
			device := identity.DeviceID{byte(i)}
			_, err := w.DB.Write.ExecContext(t.Context(), "INSERT INTO removal (device_id, user_id) VALUES ($1, $2)", device[:], user[:])
			must(t, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var once sync.Once
		seen := map[identity.DeviceID]bool{}
		w.OnRemoved(func(_ context.Context, _ identity.UserID, d identity.DeviceID) error {
			if seen[d] { // it began anew without having come to the end
				once.Do(stop)
			}
			seen[d] = true
			if d == last {
				once.Do(stop)
				return nil
			}
			return errors.New("not now")
		})
		w.Run(ctx)
		if len(seen) != waiting || !seen[last] {
			t.Errorf("%d of %d were tried", len(seen), waiting)
		}
	})
}
