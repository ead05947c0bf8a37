package testnet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"sconce/internal/sqldb/sqldbtest"
)

var populated struct {
	sync.Mutex
	*Snapshot
	dir string
}

func begin(t *testing.T) *Snapshot {
	t.Helper()
	populated.Lock()
	defer populated.Unlock()
	if populated.Snapshot != nil {
		return populated.Snapshot
	}
	populated.Snapshot = populate(t, nil, populated.dir)
	return populated.Snapshot
}

// populate makes the people of a network on a PostgreSQL, or on a file in dir.
func populate(t *testing.T, on *Postgres, dir string) (saved *Snapshot) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 0)
	synctest.Test(t, func(t *testing.T) {
		s, err := Population(t, NewOn(t, 0, on)).Save(dir)
		if err != nil {
			t.Fatal(err)
		}
		saved = s
	})
	if saved == nil {
		t.Fatal("there are no people to begin with")
	}
	return saved
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sconce-testnet-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	populated.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A run is 200 steps, in which 3 of 100 calls meet with a fault.
const (
	steps  = 200
	faults = 0.03
)

// live runs a seed, and gives what is wrong and the trace.
func live(t *testing.T, from *Snapshot, seed uint64, prepare func(*World)) (wrong []string, trace string) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld(t, from, seed)
		if os.Getenv("SCONCE_TESTNET_CALLS") != "" {
			w.Verbose = func(parts ...any) { t.Log(parts...) }
		}
		if prepare != nil {
			prepare(w)
		}
		w.Live(steps, faults)
		wrong = w.Check()
		trace = w.Trace()
		if len(wrong) > 0 && os.Getenv("SCONCE_TESTNET_HISTORY") != "" {
			for _, s := range w.steps {
				t.Log(s)
			}
		}
	})
	return wrong, trace
}

// TestDevicesOfAPersonAgreeWhateverHappens is the same with people who change their
// minds: what they chose on one device, all come to have. It has fewer seeds.
func TestDevicesOfAPersonAgreeWhateverHappens(t *testing.T) {
	first, count := number(t, "SCONCE_TESTNET_SEED", 1), number(t, "SCONCE_TESTNET_SEEDS", 10)
	if testing.Short() {
		count = min(count, 3)
	}
	from := begin(t)
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			wrong, _ := live(t, from, uint64(seed), func(w *World) { w.choosy = true })
			for _, what := range wrong {
				t.Error(what)
			}
		})
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, v)
	}
	return n
}

// TestNetworkHealsWhateverHappens lives through many seeds, in as many processes
// as there are processors: randomness can be made to follow from a seed only for
// a whole process. SCONCE_TESTNET_SEED is the first seed, SCONCE_TESTNET_SEEDS
// how many; SCONCE_TESTNET_HISTORY shows the steps of a seed that failed, and
// SCONCE_TESTNET_CALLS every call.
func TestNetworkHealsWhateverHappens(t *testing.T) {
	first, count := number(t, "SCONCE_TESTNET_SEED", 1), number(t, "SCONCE_TESTNET_SEEDS", 100)
	if testing.Short() {
		count = min(count, 10)
	}
	if count > 1 && os.Getenv("SCONCE_TESTNET_PART") == "" {
		parts(t, first, count)
		return
	}
	from := begin(t)
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			wrong, _ := live(t, from, uint64(seed), nil)
			for _, what := range wrong {
				t.Error(what)
			}
			if t.Failed() {
				t.Logf("again: SCONCE_TESTNET_SEED=%d SCONCE_TESTNET_SEEDS=1 SCONCE_TESTNET_HISTORY=1 go test -count=1 -run TestNetworkHealsWhateverHappens ./internal/testnet/", seed)
			}
		})
	}
}

// The same on the other database, which lives on while the server dies, with
// seeds that make soak does not come to. SCONCE_TESTNET_POSTGRES_SEEDS is how
// many.
func TestNetworkHealsOnPostgresToo(t *testing.T) {
	dsn, schema := sqldbtest.Postgres(t)
	first, count := number(t, "SCONCE_TESTNET_SEED", 10_001), number(t, "SCONCE_TESTNET_POSTGRES_SEEDS", 5)
	people := populate(t, &Postgres{dsn, schema}, t.TempDir())
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			from, drop, err := people.Copy(t.Context(), fmt.Sprint(schema, "_", seed))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := drop(); err != nil {
					t.Error(err)
				}
			})
			wrong, _ := live(t, from, uint64(seed), nil)
			for _, what := range wrong {
				t.Error(what)
			}
			if t.Failed() {
				t.Logf("again: SCONCE_TESTNET_SEED=%d SCONCE_TESTNET_POSTGRES_SEEDS=1 SCONCE_TESTNET_HISTORY=1 go test -count=1 -run TestNetworkHealsOnPostgresToo ./internal/testnet/", seed)
			}
		})
	}
}

// parts runs the seeds in several processes at once.
func parts(t *testing.T, first, count int) {
	t.Helper()
	n := min(runtime.NumCPU(), count)
	limit := time.Duration(0) // none
	if end, ok := t.Deadline(); ok {
		limit = time.Until(end) - 10*time.Second // in which a part still says where it was
	}
	var running sync.WaitGroup
	for i := range n {
		from, to := first+count*i/n, first+count*(i+1)/n
		running.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNetworkHealsWhateverHappens$", fmt.Sprint("-test.timeout=", limit))
			cmd.Env = append(os.Environ(), "SCONCE_TESTNET_PART=1", fmt.Sprint("SCONCE_TESTNET_SEED=", from), fmt.Sprint("SCONCE_TESTNET_SEEDS=", to-from))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("seeds %d to %d: %v\n%s", from, to-1, err, out)
			}
		})
	}
	running.Wait()
}

func TestSeedRepeatsItself(t *testing.T) {
	from := begin(t)
	for seed := uint64(1); seed <= 3; seed++ {
		var traces [2]string
		for i := range traces {
			t.Run(fmt.Sprintf("%d, run %d", seed, i+1), func(t *testing.T) { _, traces[i] = live(t, from, seed, nil) })
		}
		if traces[0] != traces[1] || traces[0] == "" {
			t.Errorf("seed %d gave the trace %s, and then %s", seed, traces[0], traces[1])
		}
	}
}
