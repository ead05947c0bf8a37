package content

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEarliestTimerWins(t *testing.T) {
	sent := time.Unix(1_700_000_000, 0)
	received := sent.Add(time.Hour)
	after := func(d time.Duration) time.Time { return sent.Add(d) }
	at := uint32(sent.Unix()) + 50
	for _, test := range []struct {
		name   string
		timers Timers
		viewed time.Time
		want   time.Time
	}{
		{"no timers", Timers{}, sent, time.Time{}},
		{"expire counts from the stamp", Timers{Expire: 10}, time.Time{}, after(10 * time.Second)},
		{"burn does not count before the view", Timers{Burn: 10}, time.Time{}, time.Time{}},
		{"burn counts from the view", Timers{Burn: 10}, after(5 * time.Second), after(15 * time.Second)},
		{"burn never extends expire", Timers{Expire: 12, Burn: 10}, after(5 * time.Second), after(12 * time.Second)},
		{"date before both", Timers{Expire: 99, Burn: 99, At: at}, sent, after(50 * time.Second)},
		{"expire before date", Timers{Expire: 9, At: at}, time.Time{}, after(9 * time.Second)},
	} {
		got, ok := test.timers.Deadline(sent, received, test.viewed)
		if !got.Equal(test.want) || ok == test.want.IsZero() {
			t.Errorf("%s: got %v %v, want %v", test.name, got, ok, test.want)
		}
	}
}

func TestLateStampCannotProlong(t *testing.T) {
	received := time.Unix(1_700_000_000, 0)
	got, _ := Timers{Expire: 10}.Deadline(received.Add(time.Hour), received, time.Time{})
	if want := received.Add(10 * time.Second); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTimersSurviveTheMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Timers{
			Expire: rapid.Uint32Range(0, MaxTimer).Draw(t, "expire"),
			Burn:   rapid.Uint32Range(0, MaxTimer).Draw(t, "burn"),
			At:     rapid.Uint32().Draw(t, "at"),
		}
		m := Text("x")
		m.SetTimers(want)
		raw, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if m, err = Decode(raw); err != nil {
			t.Fatal(err)
		}
		if got := m.Timers(); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestMIMITimerCountsBesideOurs(t *testing.T) {
	for _, test := range []struct {
		name    string
		expires Expiration
		burn    uint32
		want    Timers
	}{
		{"shorter in MIMI", Expiration{AfterRead, 5}, 60, Timers{Burn: 5}},
		{"shorter in ours", Expiration{AfterRead, 60}, 5, Timers{Burn: 5}},
		{"only MIMI", Expiration{AfterRead, 60}, 0, Timers{Burn: 60}},
		{"at once", Expiration{AfterRead, 0}, 60, Timers{Burn: 1}},
		{"date", Expiration{AtTime, 1_700_000_000}, 5, Timers{Burn: 5, At: 1_700_000_000}},
		{"the date zero", Expiration{AtTime, 0}, 0, Timers{At: 1}},
	} {
		m := &Message{Expires: test.expires, Extensions: Extensions{Burn: test.burn}}
		if got := m.Timers(); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestFarDatesAreRefused(t *testing.T) {
	sent := time.Unix(1_700_000_000, 0)
	for days, fine := range map[int64]bool{-400: false, -300: true, 0: true, 300: true, 400: false} {
		m := Text("x")
		m.SetTimers(Timers{At: uint32(sent.Unix() + days*24*60*60)})
		if err := m.CheckDate(sent); (err == nil) != fine {
			t.Errorf("%d days: %v", days, err)
		}
	}
	if err := Text("x").CheckDate(sent); err != nil {
		t.Errorf("no date: %v", err)
	}
}

func TestPaddingHidesSizesCheaply(t *testing.T) {
	for n, want := range map[int]int{
		-1: 256, 0: 256, 256: 256, 257: 512, 513: 1024, 1025: 2048, 2049: 4096, 4096: 4096, 4097: 4352, 65537: 67584,
	} {
		if got := PaddedSize(n); got != want {
			t.Errorf("%d: got %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 1<<20), rapid.Int()).Draw(t, "n")
		got := PaddedSize(n)
		if got < n || PaddedSize(got) != got {
			t.Fatalf("%d: got %d, then %d", n, got, PaddedSize(got))
		}
		if n > 4096 && float64(got-n) > 0.12*float64(n) {
			t.Fatalf("%d: %d is more than 12%% longer", n, got)
		}
		if n < math.MaxInt/2 && PaddedSize(n+1) < got {
			t.Fatalf("%d: the next size is smaller", n)
		}
	})
}
