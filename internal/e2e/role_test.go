package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sconce/internal/sqldb"
	"sconce/server"
)

// This test's binary can be something else than the test: the server of a
// control, which no flag of sconced should give.
const (
	roleVariable = "SCONCE_E2E_ROLE"

	// roleUnsynced is a server whose database does not wait for the disk.
	roleUnsynced = "unsynced server"
)

func play(role string) int {
	if role != roleUnsynced {
		fmt.Fprintf(os.Stderr, "there is no role %q\n", role)
		return 2
	}
	if err := serve(os.Args, sqldb.WithoutSync()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve runs a server with the arguments that sconced.start gives.
func serve(args []string, database ...sqldb.Option) error {
	if len(args) != 6 {
		return fmt.Errorf("want run --data DIR --listen HOST:PORT, got %q", args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := server.New(ctx, server.Config{Data: args[3], Listen: args[5], DatabaseOptions: database})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx)
}
