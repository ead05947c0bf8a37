package e2e

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"modernc.org/sqlite"

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
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		_, err := conn.ExecContext(context.Background(), "PRAGMA synchronous=OFF", []driver.NamedValue{})
		return err
	})
	if err := serve(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve runs a server with the arguments that sconced.start gives.
func serve(args []string) error {
	if len(args) != 6 {
		return fmt.Errorf("want run --data DIR --listen HOST:PORT, got %q", args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := server.New(ctx, server.Config{Data: args[3], Listen: args[5]})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx)
}
